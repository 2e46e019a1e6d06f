"""Objects with alpha: a folder of pictures, one object each."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ddeal_core.datasets.decoded_cache import DecodedCache
from ddeal_core.datasets.pictures import MAX_SIDE, image_files, read_rgba
from ddeal_core.errors import DatasetError

__all__ = ["CutoutFolder"]

Array = NDArray[np.uint8]


class CutoutFolder:
    """A folder of PNG or WebP images with alpha, one object each.

    Args:
        root: The folder.
        max_side: Larger images are reduced to this side.
        cache_bytes: Bound of decoded cut-outs that are kept.

    Raises:
        DatasetError: The folder is missing or has no images.
    """

    def __init__(
        self, root: str | Path, *, max_side: int = MAX_SIDE, cache_bytes: int = 64 << 20
    ) -> None:
        self.root = Path(root)
        self._paths = image_files(self.root)
        if not self._paths:
            raise DatasetError(f"{self.root} has no images; cut-outs are PNG files with alpha")
        self._max_side = max_side
        self._cache: DecodedCache[Array] = DecodedCache(cache_bytes)

    def __len__(self) -> int:
        return len(self._paths)

    def cutout(self, index: int) -> Array:
        """Decode one: ``[h, w, 4]`` uint8, alpha not multiplied in, two clear pixels all round.

        Raises:
            DatasetError: The file cannot be read.
        """
        return self._cache.get(index, lambda: self._read(index))

    def _read(self, index: int) -> Array:
        return _with_margin(read_rgba(self._paths[index], max_side=self._max_side))


def _with_margin(rgba: Array) -> Array:
    """Crop to the covered part and leave two clear pixels all round."""
    x, y, w, h = cv2.boundingRect(np.ascontiguousarray(rgba[..., 3]))
    if w == 0:
        return np.zeros((5, 5, 4), np.uint8)
    crop = np.ascontiguousarray(rgba[y : y + h, x : x + w])
    return np.asarray(cv2.copyMakeBorder(crop, 2, 2, 2, 2, cv2.BORDER_CONSTANT, value=0))
