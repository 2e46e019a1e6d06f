"""Things photographed or rendered from all round: a folder of sides in order for each."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ddeal_core.datasets.decoded_cache import DecodedCache
from ddeal_core.datasets.pictures import image_files, read_rgba
from ddeal_core.errors import DatasetError

__all__ = ["TurntableFolder", "holds_turntables"]

Array = NDArray[np.uint8]


class TurntableFolder:
    """``<root>/<thing>/NN.webp``: RGBA pictures of a thing's sides, in the order of its turn.

    Args:
        root: The folder.
        max_side: Larger pictures are reduced to this side.
        cache_bytes: Bound of decoded things that are kept.

    Attributes:
        things: The files of each thing, by number.

    Raises:
        DatasetError: No folder has two pictures or more.
    """

    def __init__(
        self, root: str | Path, *, max_side: int = 400, cache_bytes: int = 64 << 20
    ) -> None:
        self.things = tuple(files for files in _side_files(Path(root)) if len(files) > 1)
        if not self.things:
            raise DatasetError(f"{root} has no folder with two sides of a thing or more")
        self._max_side = max_side
        self._cache: DecodedCache[Array] = DecodedCache(cache_bytes)

    def __len__(self) -> int:
        return len(self.things)

    def sides(self, index: int) -> Array:
        """Decode a thing: ``[sides, h, w, 4]`` uint8, alpha not multiplied in, clear at the border.

        Raises:
            DatasetError: A file cannot be read.
        """
        return self._cache.get(index, lambda: self._read(index))

    def _read(self, index: int) -> Array:
        sides = [read_rgba(path, max_side=self._max_side) for path in self.things[index]]
        height = max(side.shape[0] for side in sides)
        width = max(side.shape[1] for side in sides)
        sides = [_centred(side, height, width) for side in sides]
        # One box for all: cropped one by one, the thing would lose its axis.
        covered = np.max([side[..., 3] for side in sides], axis=0)
        x, y, w, h = cv2.boundingRect(covered)
        if w == 0:
            raise DatasetError(f"{self.things[index][0].parent}: no side shows anything")
        return np.stack([_centred(side[y : y + h, x : x + w], h + 4, w + 4) for side in sides])


def holds_turntables(root: Path) -> bool:
    """Whether a folder holds folders of pictures, rather than pictures."""
    return root.is_dir() and not image_files(root) and any(_side_files(root))


def _side_files(root: Path) -> list[tuple[Path, ...]]:
    if not root.is_dir():
        raise DatasetError(f"{root} is no folder")
    folders = sorted(p for p in root.iterdir() if p.is_dir() and not p.name.startswith("."))
    return [image_files(folder) for folder in folders]


def _centred(side: Array, height: int, width: int) -> Array:
    top, left = (height - side.shape[0]) // 2, (width - side.shape[1]) // 2
    canvas = np.zeros((height, width, 4), np.uint8)
    canvas[top : top + side.shape[0], left : left + side.shape[1]] = side
    return canvas
