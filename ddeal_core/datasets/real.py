"""Training clips from annotated video, sampled as pure functions of a seed and a number."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np

from ddeal_core.datasets.arrays import Array, Floats
from ddeal_core.datasets.clip import IGNORE, Clip, ClipSize, closed_up, shows_objects
from ddeal_core.datasets.cropping import (
    crop_image,
    crop_labels,
    draw_crop,
    shown_ids,
    zoomed,
)
from ddeal_core.datasets.degradation import Degradation, DegradationConfig
from ddeal_core.datasets.layouts import DatasetSequence
from ddeal_core.datasets.motion import folded
from ddeal_core.datasets.pictures import read_picture
from ddeal_core.errors import DatasetError, MaskError
from ddeal_core.media.masks.label_images import read_labels
from ddeal_core.settings import ASCENDING, Count, Range, Seed, Share, check_settings, check_value

_ATTEMPTS = 250
"""Many, for data most of whose frames show nothing: an attempt that fails is cheap."""
_MOST_ZOOM = 0.5
"""Least factor on a crop's side over a clip; a smaller crop would be a blur."""
Scale = Annotated[float, Range(0, 1, above=True)]


@dataclass(frozen=True)
class RealConfig:
    """How clips are sampled from annotated video."""

    reverse_probability: Share = 0.5  # clips played backwards
    flip_probability: Share = 0.5  # clips mirrored left to right
    # Range of the side of the crop as a share of the largest one of the frame's shape that fits.
    scale: Annotated[tuple[Scale, Scale], ASCENDING] = (0.5, 1.0)
    # Standard deviation of the logarithm of the crop's aspect.
    stretch: Annotated[float, Range(0, 10)] = 0.08
    # Standard deviation of the logarithm of how much the crop's side changes over a clip, as if the
    # camera zoomed: objects that come near or go away are rare in video.
    zoom: Annotated[float, Range(0, 10)] = 0.0
    # Most objects of a clip: of more, so many are drawn, and the others become background.
    max_objects: Annotated[int, Range(1, 254)] = 5
    # Least size of a labelled object in the first frame, share of the frame.
    min_area: Share = 0.001
    colour_probability: Share = 0.6  # clips with a colour, contrast and brightness change
    colour_strength: Annotated[float, Range(0, 10)] = 0.1  # its standard deviation
    grey_probability: Share = 0.02  # clips without colour

    def __post_init__(self) -> None:
        check_settings(self)


class RealClips:
    """An endless list of clips from annotated sequences.

    Clip ``index`` depends on the arguments and ``index`` alone. Its first frame is annotated;
    frames without an annotation carry 255 everywhere. Objects that the first frame does not
    show are background; the ids of the others are closed up to 1 to n.

    Args:
        sequences: Those without annotations are left out.
        size: (height, width) of the frames, pixels.
        frames: Frames a clip, T.
        seed: First half of every clip's seed.
        max_gap: Largest distance of neighbouring frames. A sequence that is annotated here
            and there only is sampled at its annotated frames, whatever their distance.
        config: Augmentation.

    Raises:
        ConfigError: A number is out of range.
        DatasetError: No sequence has an annotation.
    """

    def __init__(
        self,
        sequences: Iterable[DatasetSequence],
        *,
        size: tuple[int, int],
        frames: int,
        seed: int = 0,
        max_gap: int = 3,
        config: RealConfig | None = None,
    ) -> None:
        check_value("size", size, ClipSize)
        check_value("frames", frames, Count)
        check_value("max_gap", max_gap, Count)
        check_value("seed", seed, Seed)
        self.sequences = tuple(s for s in sequences if s.annotations)
        if not self.sequences:
            raise DatasetError("no sequence has annotations; training needs masks")
        # A long sequence has more to show, but not in proportion to its length.
        weight = np.sqrt([len(s.annotations) for s in self.sequences])
        self._weight = weight / weight.sum()
        self.size, self.frames, self.seed, self.max_gap = size, frames, seed, max_gap
        self.config = config or RealConfig()
        self._degradation = replace(
            DegradationConfig.none(),
            colour_probability=self.config.colour_probability,
            colour_strength=self.config.colour_strength,
            grey_probability=self.config.grey_probability,
        )

    def clip(self, index: int) -> Clip:
        """Sample clip ``index`` (0 or more).

        Raises:
            DatasetError: A file cannot be read, or chance never met a frame with an object.
        """
        rng = np.random.default_rng([self.seed, index])
        for _ in range(_ATTEMPTS):
            sequence = self.sequences[int(rng.choice(len(self.sequences), p=self._weight))]
            numbers = self._frame_numbers(rng, sequence)
            first = read_annotation(sequence, numbers[0])
            if not shows_objects(first):
                continue
            clip = self._sample(rng, sequence, numbers, first)
            if clip is not None:
                return clip
        raise DatasetError(
            f"sequence {sequence.name!r} and {_ATTEMPTS - 1} others drawn for clip {index} showed "
            "no object in an annotated frame; check their masks"
        )

    def _frame_numbers(self, rng: np.random.Generator, sequence: DatasetSequence) -> list[int]:
        """Frames to take, the first of them annotated; played to and fro where too few."""
        known = np.array(sequence.annotated_indices)
        total = len(sequence.frames)
        sparse = _has_gaps(sequence) or len(known) < 0.5 * total
        pool = known if sparse and len(known) > 1 else np.arange(total)
        start = int(rng.choice(known))
        place = int(np.searchsorted(pool, start))
        gap_limit = 1 if sparse else self.max_gap
        gaps = rng.integers(1, gap_limit + 1, size=self.frames)
        gaps[0] = 0
        direction = -1 if rng.random() < self.config.reverse_probability else 1
        offsets = direction * np.cumsum(gaps)
        last = len(pool) - 1
        if last == 0:
            return [int(pool[0])] * self.frames
        return [int(pool[i]) for i in folded(place + offsets, last)]

    def _sample(
        self, rng: np.random.Generator, sequence: DatasetSequence, numbers: list[int], first: Array
    ) -> Clip | None:
        height, width = self.size
        config = self.config
        flip = bool(rng.random() < config.flip_probability)
        matrix = draw_crop(
            rng, first, self.size, scale=config.scale, stretch=config.stretch, flip=flip
        )
        shown = shown_ids(crop_labels(first, matrix, self.size), config.min_area)
        if not shown:
            return None
        if len(shown) > config.max_objects:
            picked = rng.permutation(len(shown))[: config.max_objects]
            shown = sorted(shown[i] for i in picked)
        table = closed_up(shown)
        crops = self._zoom(rng, matrix, first, table) if config.zoom else [matrix] * self.frames
        times = np.arange(self.frames, dtype=np.float64)
        degrade = Degradation(self._degradation, rng, times, self.size)
        images = np.empty((self.frames, height, width, 3), np.uint8)
        labels = np.full((self.frames, height, width), IGNORE, np.uint8)
        for t, number in enumerate(numbers):
            path = sequence.frames[number]
            image = read_picture(path, max_side=1 << 16)
            if image.shape[:2] != first.shape:
                size = (first.shape[1], first.shape[0])
                image = np.asarray(cv2.resize(image, size), dtype=np.uint8)
            images[t] = degrade(crop_image(image, crops[t], self.size), t)
            if path.stem in sequence.annotations:
                known = first if number == numbers[0] else read_annotation(sequence, number)
                if known.shape != first.shape:
                    raise DatasetError(
                        f"{sequence.annotations[path.stem]} is {known.shape[1]} x "
                        f"{known.shape[0]}, the sequence's first mask is "
                        f"{first.shape[1]} x {first.shape[0]}"
                    )
                labels[t] = cv2.LUT(crop_labels(known, crops[t], self.size), table)
        return Clip(images, labels)

    def _zoom(
        self, rng: np.random.Generator, matrix: Floats, first: Array, table: Array
    ) -> list[Floats]:
        """The crop of each frame, as a camera makes them that zooms on the clip's objects."""
        chosen = cv2.LUT(crop_labels(first, matrix, self.size), table)
        rows, columns = np.nonzero((chosen > 0) & (chosen < IGNORE))
        fixed = matrix @ (columns.mean(), rows.mean(), 1.0)
        sides = np.abs(matrix.diagonal()) * self.size[::-1]
        most = float((np.array(first.shape[::-1]) / sides).min())
        last = float(np.clip(np.exp(rng.normal() * self.config.zoom), _MOST_ZOOM, max(1.0, most)))
        factors = last ** (np.arange(self.frames) / max(1, self.frames - 1))
        return [zoomed(matrix, float(f), fixed, first.shape, self.size) for f in factors]


def sampled_frames(sequence: DatasetSequence) -> list[int]:
    """Which frames `RealClips` needs to sample a sequence as it does now.

    One that is annotated here and there is sampled at its annotated frames alone. Between two of
    these that are no neighbours, one frame stays: it keeps them apart, so that the sequence is
    still seen to be one of this kind. One whose few annotated frames are neighbours keeps all
    frames, without which it would not be seen to be sparse.
    """
    known = sequence.annotated_indices
    if not _has_gaps(sequence):
        return list(range(len(sequence.frames)))
    kept = [known[0]]
    for before, index in pairwise(known):
        kept += [index] if index == before + 1 else [before + 1, index]
    return kept


def _has_gaps(sequence: DatasetSequence) -> bool:
    """Whether most annotated frames have no annotated neighbour."""
    known = sequence.annotated_indices
    return len(known) > 1 and float(np.median(np.diff(known))) > 1


def read_ids(path: Path) -> Array:
    """Read an annotation as it is: ``[H, W]`` uint8 ids, 255 included.

    Raises:
        DatasetError: It is no palette or grey image, or cannot be read.
    """
    try:
        return read_labels(path)
    except MaskError as error:
        raise DatasetError(error) from None


def read_annotation(sequence: DatasetSequence, number: int) -> Array:
    """Read the annotation of frame ``number``: ``[H, W]`` uint8 ids, 255 for unsure pixels.

    Raises:
        DatasetError: It cannot be read.
    """
    labels = read_ids(sequence.annotations[sequence.frames[number].stem])
    if not shows_objects(labels):  # DAVIS 2016 writes its one object as 255
        labels = (labels > 0).astype(np.uint8)
    return labels
