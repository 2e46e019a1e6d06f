"""Photographs with masks, and the objects that are cut out of them."""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from ddeal_core.datasets.arrays import Array
from ddeal_core.datasets.cached_files import CachedFiles
from ddeal_core.datasets.clip import IGNORE, shows_objects
from ddeal_core.datasets.pictures import MAX_SIDE, image_files, read_picture
from ddeal_core.errors import DatasetError, MediaError
from ddeal_core.media.picture_files import opened_picture

MIN_PIXELS = 500
"""Smaller objects are too coarse to be cut out."""
CUT_MARGIN = 3
"""Pixels that `cut` leaves all round the box of an object."""


# Blurred coverage to alpha: 0 up to 0.41, 1 from full coverage on.
_EDGE = np.clip(np.arange(256) * 1.7 - 178.5, 0, 255).astype(np.uint8)


@dataclass(frozen=True)
class SceneObject:
    """One object of a still, with its value in the label map."""

    label: int
    area: int  # pixels
    box: tuple[int, int, int, int]  # x0, y0, x1, y1; the ends are exclusive
    # Share of its box that lies on the border of the image: 0 for an object that is seen whole,
    # about 0.25 where one full side is cut off.
    cut_off: float


@dataclass(frozen=True, eq=False)
class Still:
    """An image with a label map and what is known of its objects."""

    image: Array  # [H, W, 3] uint8 RGB
    labels: Array  # [H, W] uint8; 0 background, 255 ignore
    objects: tuple[SceneObject, ...]  # by label

    @classmethod
    def of(cls, image: Array, labels: Array) -> "Still":
        """Measure the objects of a label map."""
        return cls(image, labels, scene_objects(labels))

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return self.image.nbytes + self.labels.nbytes


Stills = CachedFiles[Still]
"""Photographs with masks; the `image` of each item is its picture's file."""


class StillFiles(NamedTuple):
    """Where a still is on disk."""

    image: Path
    mask: Path


def open_stills(root: Path, *, cache_bytes: int = 128 << 20) -> Stills:
    """Open ``<root>/images/<name>.jpg`` with ``<root>/masks/<name>.png``.

    Masks are palette or grey PNG files whose values are the ids (255: unsure). A mask with
    0 and 255 alone is one object.

    Raises:
        DatasetError: A folder is missing or no image has a mask.
    """
    for name in ("images", "masks"):
        if not (root / name).is_dir():
            raise DatasetError(
                f"{root / name} is missing; stills need images/<name>.jpg and masks/<name>.png"
            )
    masks = {p.stem: p for p in image_files(root / "masks")}
    pairs = [StillFiles(p, masks[p.stem]) for p in image_files(root / "images") if p.stem in masks]
    if not pairs:
        raise DatasetError(f"{root}: no image has a mask of the same name")
    return Stills(pairs, _read_still, cache_bytes)


def _read_still(files: StillFiles) -> Still:
    image, labels = read_picture(files.image, max_side=MAX_SIDE), _read_labels(files.mask)
    if labels.shape != image.shape[:2]:
        size = (image.shape[1], image.shape[0])
        labels = np.asarray(cv2.resize(labels, size, interpolation=cv2.INTER_NEAREST))
    return Still.of(image, labels)


def cut(still: Still, item: SceneObject, *, erode: int = 0, feather: float = 0.7) -> Array:
    """Cut one object of ``still.objects`` out.

    The edge is taken from inside the mask: alpha falls from 1 to 0 within the object, so that
    no colour of its old surroundings comes along.

    Args:
        still: The still.
        item: The object.
        erode: Pixels to take off the mask first, for masks that are drawn too wide.
        feather: Standard deviation of the edge's softness in pixels.

    Returns:
        ``[h, w, 4]`` uint8, alpha not multiplied in: the object's box and 3 pixels all round.
    """
    pad = CUT_MARGIN
    x0, y0, x1, y1 = item.box
    mask = (still.labels[y0:y1, x0:x1] == item.label).astype(np.uint8) * np.uint8(255)
    mask = cv2.copyMakeBorder(mask, pad, pad, pad, pad, cv2.BORDER_CONSTANT, value=0)
    image = cv2.copyMakeBorder(still.image[y0:y1, x0:x1], pad, pad, pad, pad, cv2.BORDER_REPLICATE)
    if erode:
        mask = cv2.erode(mask, np.ones((3, 3), np.uint8), iterations=erode)
    soft = cv2.GaussianBlur(mask, (0, 0), feather) if feather > 0 else mask
    alpha = cv2.min(cv2.LUT(soft, _EDGE), mask)
    return np.asarray(cv2.merge([*cv2.split(image), alpha]), dtype=np.uint8)


def _read_labels(path: Path) -> Array:
    try:
        with opened_picture(path) as picture:
            grey = picture if picture.mode in ("P", "L", "1") else picture.convert("L")
            labels = np.array(grey, dtype=np.uint8)
    except MediaError as error:
        raise DatasetError(f"{path} cannot be read as a mask ({error})") from None
    if not shows_objects(labels):
        labels = (labels > 0).astype(np.uint8)
    return labels


def is_usable(item: SceneObject, pixels: int, *, whole: bool) -> bool:
    """Whether an object of a picture of so many pixels is worth showing.

    With ``whole``, the border of the picture must not cut it off.
    """
    return max(MIN_PIXELS, 0.004 * pixels) <= item.area <= 0.75 * pixels and (
        not whole or item.cut_off <= 0.06
    )


def usable_objects(still: Still, *, whole: bool) -> tuple[SceneObject, ...]:
    """Objects of a still that are worth showing, as `is_usable` has it."""
    return tuple(i for i in still.objects if is_usable(i, still.labels.size, whole=whole))


def scene_objects(labels: Array) -> tuple[SceneObject, ...]:
    """Measure the objects of a label map, in the order of their labels."""
    counts = np.bincount(labels.ravel(), minlength=256)
    found = []
    for label in np.flatnonzero(counts):
        if label in (0, IGNORE):
            continue
        mask = (labels == label).astype(np.uint8)
        x, y, w, h = cv2.boundingRect(mask)
        edge = sum(
            int(cv2.countNonZero(np.ascontiguousarray(line)))
            for line in (mask[0], mask[-1], mask[:, 0], mask[:, -1])
        )
        found.append(
            SceneObject(int(label), int(counts[label]), (x, y, x + w, y + h), edge / (2 * (w + h)))
        )
    return tuple(found)
