"""The worst frames of a score as pictures: the truth's outline over what was predicted."""

import base64
import io
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ddeal_core.datasets.layouts import DatasetSequence
from ddeal_core.errors import DatasetError, MaskError
from ddeal_core.evaluation.scores import DatasetScore
from ddeal_core.media.masks.label_images import read_foreground, read_labels
from ddeal_core.media.sources.image_source import read_image

_WIDTH, _HEIGHT = 560, 315
_PREDICTED = (255, 122, 26)
_OTHERS = (95, 140, 245)
_QUALITY = 86
_MOST_OF_ONE_OBJECT = 3


@dataclass(frozen=True)
class FramePictures:
    """A frame, what is in it, and what was predicted."""

    image: NDArray[np.uint8]  # [H, W, 3] RGB
    truth: NDArray[np.uint8]  # [H, W] labels
    prediction: NDArray[np.uint8]  # [H, W] labels

    def __post_init__(self) -> None:
        shape = self.image.shape
        if len(shape) != 3 or shape[2] != 3:
            raise MaskError(f"a picture of the report is HxWx3, not {shape}")
        if self.truth.shape != shape[:2] or self.prediction.shape != shape[:2]:
            raise MaskError(
                f"a picture of the report is {shape[:2]}, its truth {self.truth.shape} and its "
                f"prediction {self.prediction.shape}; they must have one size"
            )


PictureLoader = Callable[[str, str], FramePictures]
"""From the name of a sequence and the stem of a frame to its pictures."""


@dataclass(frozen=True, slots=True)
class WorstFrame:
    """An object in a frame where it is found badly."""

    sequence: str
    object_id: int
    frame: str
    j: float
    f: float


def pictures_on_disk(
    sequences: Iterable[DatasetSequence], results: str | Path, *, foreground: bool = False
) -> PictureLoader:
    """Make a loader that reads a dataset and ``results/<sequence>/<frame>.png``.

    An image that is not of its annotation's size is resized. Results of a single sequence may lie
    in the folder itself; with `foreground` whatever is not zero is object 1, as by ``davis2016``.
    The loader raises DatasetError, MaskError or MediaError for a file that is missing or damaged.
    """
    folder, by_name = Path(results), {sequence.name: sequence for sequence in sequences}
    read = read_foreground if foreground else read_labels

    def load(sequence: str, frame: str) -> FramePictures:
        found = by_name.get(sequence)
        paths = {} if found is None else {path.stem: path for path in found.frames}
        if found is None or frame not in paths or frame not in found.annotations:
            raise DatasetError(f"no image or annotation of {sequence!r}, frame {frame!r}")
        truth = read(found.annotations[frame])
        image = read_image(paths[frame])
        if image.shape[:2] != truth.shape:
            size = truth.shape[::-1]
            image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
        loose = len(by_name) == 1 and not (folder / sequence).is_dir()
        own = folder if loose else folder / sequence
        return FramePictures(image, truth, read(own / f"{frame}.png"))

    return load


def worst(score: DatasetScore, *, count: int) -> tuple[WorstFrame, ...]:
    """Choose the frames with the lowest mean of J and F, without many of one moment.

    Of one object at most three, an eighth of its frames apart; none that is perfect.
    """
    ranked = sorted(
        ((j + f) / 2, place, index)
        for place, o in enumerate(score.objects)
        for index, (j, f) in enumerate(zip(o.j, o.f, strict=True))
        if j + f < 2
    )
    objects = score.objects
    taken: dict[int, list[int]] = {}
    chosen: list[WorstFrame] = []
    for _, place, index in ranked:
        if len(chosen) == count:
            break
        o, before = objects[place], taken.setdefault(place, [])
        apart = max(1, len(o.frames) // 8)
        if len(before) == _MOST_OF_ONE_OBJECT or any(abs(index - i) < apart for i in before):
            continue
        before.append(index)
        chosen.append(WorstFrame(o.sequence, o.object_id, o.frames[index], o.j[index], o.f[index]))
    return tuple(chosen)


def picture(frame: FramePictures, object_id: int) -> tuple[str, float]:
    """Draw an object: predicted area tinted, the truth's outline white on black.

    The picture is cut around both, with room about them, at 16:9 where the frame allows: a
    ``data:`` URI of a JPEG, and how many times larger than the whole frame would be it is shown.
    """
    height, width = frame.truth.shape
    truth, found = frame.truth == object_id, frame.prediction == object_id
    others = (frame.prediction > 0) & (frame.prediction < 255) & ~found
    top, left, rows, columns = _window(truth | found)
    cut = np.s_[top : top + rows, left : left + columns]
    scale = min(_WIDTH / columns, _HEIGHT / rows)
    size = (max(1, round(columns * scale)), max(1, round(rows * scale)))
    image = _resized(frame.image[cut].astype(np.float32), size)
    grey = image.mean(axis=2, keepdims=True)
    image = 0.55 * image + 0.45 * grey  # paler, so that the tint stands out
    for mask, colour, opacity in ((others, _OTHERS, 0.3), (found, _PREDICTED, 0.55)):
        weight = opacity * _resized(mask[cut].astype(np.float32), size)[..., np.newaxis]
        image = image * (1 - weight) + np.asarray(colour, np.float32) * weight
    canvas = np.ascontiguousarray(np.clip(np.rint(image), 0, 255).astype(np.uint8))
    outline = (_resized(truth[cut].astype(np.float32), size) >= 0.5).astype(np.uint8)
    contours, _ = cv2.findContours(outline, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(canvas, contours, -1, (0, 0, 0), 4, cv2.LINE_AA)
    cv2.drawContours(canvas, contours, -1, (255, 255, 255), 2, cv2.LINE_AA)
    file = io.BytesIO()
    Image.fromarray(canvas).save(file, "JPEG", quality=_QUALITY, subsampling=0)
    zoom = scale / min(_WIDTH / width, _HEIGHT / height)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode("ascii"), zoom


def _window(shown: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    """Return top, left, height and width of what to show around a mask."""
    height, width = shown.shape
    ys, xs = np.flatnonzero(shown.any(axis=1)), np.flatnonzero(shown.any(axis=0))
    if not len(ys):
        return 0, 0, height, width
    rows, columns = int(ys[-1] - ys[0] + 1) * 1.5, int(xs[-1] - xs[0] + 1) * 1.5
    # A third of the frame at least: closer up, one cannot tell where it is.
    columns = max(columns, rows * _WIDTH / _HEIGHT, width / 3)
    rows = max(rows, columns * _HEIGHT / _WIDTH)
    rows, columns = min(height, round(rows)), min(width, round(columns))
    top = min(max(0, int(ys[0] + ys[-1] + 1 - rows) // 2), height - rows)
    left = min(max(0, int(xs[0] + xs[-1] + 1 - columns) // 2), width - columns)
    return top, left, rows, columns


def _resized(array: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    shrinks = size[0] < array.shape[1]
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    resized = cv2.resize(np.ascontiguousarray(array), size, interpolation=how)
    return np.asarray(resized, np.float32)
