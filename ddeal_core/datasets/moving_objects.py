"""Annotated video as material: stretches of its frames, and its objects with their own motion."""

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ddeal_core.datasets.arrays import Array, Floats
from ddeal_core.datasets.cached_files import CachedFiles
from ddeal_core.datasets.clip import IGNORE, closed_up
from ddeal_core.datasets.cropping import crop_image, crop_labels, draw_crop, shown_ids
from ddeal_core.datasets.layouts import DatasetSequence
from ddeal_core.datasets.motion import folded
from ddeal_core.datasets.pictures import MAX_SIDE, read_picture
from ddeal_core.datasets.real import RealConfig, read_annotation
from ddeal_core.datasets.sprites import Sprite
from ddeal_core.datasets.stills import CUT_MARGIN, SceneObject, Still, cut, is_usable, scene_objects
from ddeal_core.errors import DatasetError

Integers = NDArray[np.int64]

_CROP = RealConfig()
_LEAST_RUN = 3
"""Frames in which an object is seen whole, one after the other; fewer have no motion to show."""


@dataclass(frozen=True, eq=False)
class Footage:
    """Frames of real video with their labels, as a background that objects are pasted on."""

    images: tuple[Array, ...]  # [H, W, 3] uint8 a frame
    labels: tuple[Array, ...]  # [H, W] uint8 a frame; the objects are 1 to n, 255 is unsure
    covered: tuple[Array, ...]  # [H, W] uint8 a frame: 255 where any object is, labelled or not

    @property
    def objects(self) -> int:
        """Number of labelled objects in the first frame, n."""
        first = self.labels[0]
        return int(first[first < IGNORE].max(initial=0))

    @property
    def object_area(self) -> float:
        """Mean size of an object in the first frame, share of the frame."""
        first = self.labels[0]
        return float(((first > 0) & (first < IGNORE)).mean()) / max(self.objects, 1)

    def front(self) -> tuple[Array, ...]:
        """Coverage of all objects with soft edges, for what is pasted behind them."""
        soft = (cv2.GaussianBlur(mask, (0, 0), 0.8) for mask in self.covered)
        return tuple(np.asarray(mask, dtype=np.uint8) for mask in soft)

    def draw(self, t: int, size: tuple[int, int]) -> tuple[Array, Array]:  # noqa: ARG002
        """Return copies of frame ``t`` and its labels; the size is theirs."""
        return self.images[t].copy(), self.labels[t].copy()


@dataclass(frozen=True)
class _Catalogue:
    """Annotated frames of a sequence, the objects that each shows, and the size of a frame."""

    frames: tuple[int, ...]
    objects: tuple[tuple[SceneObject, ...], ...]
    pixels: int

    @property
    def nbytes(self) -> int:
        return 300 * (len(self.frames) + sum(map(len, self.objects)))


class MovingObjects(CachedFiles[_Catalogue]):
    """Sequences whose objects are laid over one another.

    Only annotated frames are used, of sequences with enough of them. Where the objects of a
    sequence are is read once, at its first use, and kept; frames are decoded as they are needed.

    Raises:
        DatasetError: No sequence is left.
    """

    def __init__(self, sequences: Iterable[DatasetSequence]) -> None:
        self.sequences = tuple(s for s in sequences if len(s.annotations) >= _LEAST_RUN)
        if not self.sequences:
            raise DatasetError(
                f"no sequence has {_LEAST_RUN} frames with masks: there is no motion to take"
            )
        super().__init__(self.sequences, _catalogue, 16 << 20)

    def sprite(
        self,
        index: int,
        rng: np.random.Generator,
        times: Floats,
        *,
        erode_probability: float,
        feather: tuple[float, float],
    ) -> Sprite | None:
        """Draw an object of a sequence, with the motion it has there.

        ``times [T]`` are in annotated frames of the sequence, which is played to and fro where too
        few show the object whole; `erode_probability` and `feather` as in `SyntheticConfig`. None
        where no object is seen whole for long enough.
        """
        catalogue = self[index]
        runs = _runs(catalogue)
        if not runs:
            return None
        lengths = np.array([len(run) for _, run in runs], dtype=np.float64)
        label, run = runs[int(rng.choice(len(runs), p=lengths / lengths.sum()))]
        chosen = [run[i] for i in _to_and_fro(rng, times, len(run))]
        first = _object(catalogue, chosen[0], label)
        erode = int(first.area > 3000 and rng.random() < erode_probability)
        softness = float(rng.uniform(*feather))
        made: dict[int, Array] = {}
        frames, anchors, middles = [], [], []
        for place in chosen:
            item = _object(catalogue, place, label)
            if place not in made:
                image, labels = self._decode(index, catalogue.frames[place])
                made[place] = cut(Still(image, labels, ()), item, erode=erode, feather=softness)
            x0, y0, x1, y1 = item.box
            middle = np.array([(x0 + x1 - 1) / 2, (y0 + y1 - 1) / 2])
            frames.append(made[place])
            middles.append(middle)
            anchors.append(middle - (x0 - CUT_MARGIN, y0 - CUT_MARGIN))
        path = np.array(middles) - middles[0]
        return Sprite.of(
            tuple(frames), anchors=np.array(anchors), path=path, liveliness=0.35, bends=False
        )

    def footage(
        self,
        index: int,
        rng: np.random.Generator,
        times: Floats,
        size: tuple[int, int],
        *,
        max_objects: int,
        min_area: float,
    ) -> Footage | None:
        """Draw a stretch of a sequence, cropped and perhaps mirrored or reversed.

        ``times [T]`` are in annotated frames of the sequence and `size` is (height, width); of the
        objects that the first frame shows, `max_objects` stay labelled. None where it shows none
        of at least `min_area`, a share of the frame.
        """
        catalogue = self[index]
        chosen = [catalogue.frames[i] for i in _to_and_fro(rng, times, len(catalogue.frames))]
        flip = bool(rng.random() < _CROP.flip_probability)
        if not catalogue.objects[catalogue.frames.index(chosen[0])]:
            return None
        image, first = self._decode(index, chosen[0])
        matrix = draw_crop(rng, first, size, scale=_CROP.scale, stretch=_CROP.stretch, flip=flip)
        shown = shown_ids(crop_labels(first, matrix, size), min_area)
        if not shown:
            return None
        table = closed_up(sorted(shown[i] for i in rng.permutation(len(shown))[:max_objects]))
        made: dict[int, tuple[Array, Array, Array]] = {}
        for number in chosen:
            if number in made:
                continue
            if number != chosen[0]:
                image, labels = self._decode(index, number)
            else:
                labels = first
            cropped = crop_labels(labels, matrix, size)
            made[number] = (
                crop_image(image, matrix, size),
                np.asarray(cv2.LUT(cropped, table), dtype=np.uint8),
                np.where(cropped > 0, np.uint8(255), np.uint8(0)),
            )
        return Footage(*zip(*(made[number] for number in chosen), strict=True))

    def _decode(self, index: int, number: int) -> tuple[Array, Array]:
        """Picture and labels of a frame, of one size."""
        sequence = self.sequences[index]
        labels = _labels(sequence, number)
        image = read_picture(sequence.frames[number], max_side=MAX_SIDE)
        if image.shape[:2] != labels.shape:
            size = (labels.shape[1], labels.shape[0])
            image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA))
        return image, labels


def _catalogue(sequence: DatasetSequence) -> _Catalogue:
    frames = sequence.annotated_indices
    maps = [_labels(sequence, number) for number in frames]
    return _Catalogue(frames, tuple(map(scene_objects, maps)), maps[0].size)


def _labels(sequence: DatasetSequence, number: int) -> Array:
    labels = read_annotation(sequence, number)
    factor = MAX_SIDE / max(labels.shape)
    if factor < 1:
        size = (round(labels.shape[1] * factor), round(labels.shape[0] * factor))
        labels = np.asarray(cv2.resize(labels, size, interpolation=cv2.INTER_NEAREST))
    return labels


def _runs(catalogue: _Catalogue) -> list[tuple[int, list[int]]]:
    """Stretches of neighbouring frames that show an object whole: its label, and which."""
    open_runs: dict[int, list[int]] = {}
    found = []
    for place, items in enumerate(catalogue.objects):
        usable = (item for item in items if is_usable(item, catalogue.pixels, whole=True))
        labels = [item.label for item in usable]
        ended = [label for label in open_runs if label not in labels]
        found += [(label, open_runs.pop(label)) for label in ended]
        for label in labels:
            open_runs.setdefault(label, []).append(place)
    found += open_runs.items()
    return [(label, run) for label, run in found if len(run) >= _LEAST_RUN]


def _object(catalogue: _Catalogue, place: int, label: int) -> SceneObject:
    return next(item for item in catalogue.objects[place] if item.label == label)


def _to_and_fro(rng: np.random.Generator, times: Floats, length: int) -> Integers:
    """Places in [0, length) at the times from a random start, forwards or backwards."""
    last = length - 1
    start = int(rng.integers(length))
    direction = -1 if rng.random() < 0.5 else 1
    steps = start + direction * np.round(times).astype(np.int64)
    return np.zeros_like(steps) if last == 0 else folded(steps, last)
