"""Objects with alpha: pictures of one object each, or of all its sides."""

from pathlib import Path

import cv2
import numpy as np

from ddeal_core.datasets.arrays import Array
from ddeal_core.datasets.cached_files import CachedFiles
from ddeal_core.datasets.pictures import MAX_SIDE, image_files, read_rgba
from ddeal_core.errors import DatasetError

_MARGIN = 2  # clear pixels all round
_THING_SIDE = 400  # pixels: pictures of a turntable are reduced to this longer side


def open_cutouts(root: Path) -> CachedFiles[Array]:
    """Open a folder of images with alpha: ``[h, w, 4]`` uint8 each, alpha not multiplied in.

    Raises:
        DatasetError: The folder is missing or has no images.
    """
    paths = image_files(root)
    if not paths:
        raise DatasetError(f"{root} has no images; cut-outs are PNG files with alpha")
    return CachedFiles(paths, _read_cutout, 64 << 20)


def open_turntables(root: Path) -> CachedFiles[Array]:
    """Open ``<root>/<thing>/NN.webp``: RGBA pictures of a thing's sides, in the order of its turn.

    A thing is ``[sides, h, w, 4]`` uint8, alpha not multiplied in, clear at the border.

    Raises:
        DatasetError: No folder has two pictures or more.
    """
    things = [sides for sides in _side_files(root) if len(sides) > 1]
    if not things:
        raise DatasetError(f"{root} has no folder with two sides of a thing or more")
    return CachedFiles(things, _read_turntable, 64 << 20)


def holds_turntables(root: Path) -> bool:
    """Whether a folder holds folders of pictures, rather than pictures."""
    return root.is_dir() and not image_files(root) and any(_side_files(root))


def _side_files(root: Path) -> list[tuple[Path, ...]]:
    if not root.is_dir():
        raise DatasetError(f"{root} is no folder")
    folders = sorted(p for p in root.iterdir() if p.is_dir() and not p.name.startswith("."))
    return [image_files(folder) for folder in folders]


def _read_cutout(path: Path) -> Array:
    rgba = read_rgba(path, max_side=MAX_SIDE)
    x, y, w, h = cv2.boundingRect(np.ascontiguousarray(rgba[..., 3]))
    if w == 0:
        return np.zeros((5, 5, 4), np.uint8)
    return _centred(rgba[y : y + h, x : x + w], h + 2 * _MARGIN, w + 2 * _MARGIN)


def _read_turntable(paths: tuple[Path, ...]) -> Array:
    sides = [read_rgba(path, max_side=_THING_SIDE) for path in paths]
    height = max(side.shape[0] for side in sides)
    width = max(side.shape[1] for side in sides)
    sides = [_centred(side, height, width) for side in sides]
    # One box for all: cropped one by one, the thing would lose its axis.
    x, y, w, h = cv2.boundingRect(np.max([side[..., 3] for side in sides], axis=0))
    if w == 0:
        raise DatasetError(f"{paths[0].parent}: no side shows anything")
    shown = [side[y : y + h, x : x + w] for side in sides]
    return np.stack([_centred(side, h + 2 * _MARGIN, w + 2 * _MARGIN) for side in shown])


def _centred(side: Array, height: int, width: int) -> Array:
    top, left = (height - side.shape[0]) // 2, (width - side.shape[1]) // 2
    canvas = np.zeros((height, width, 4), np.uint8)
    canvas[top : top + side.shape[0], left : left + side.shape[1]] = side
    return canvas
