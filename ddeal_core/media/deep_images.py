"""PNG and TIFF files of 16 bits, which Pillow shows with 8."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile

from ddeal_core.errors import MediaError
from ddeal_core.media.frame import DeepPicture
from ddeal_core.media.picture_files import opened_picture, stored_orientation

__all__ = ["DeepImage", "has_16_bits"]


def has_16_bits(image: Image.Image) -> bool:
    """Whether an opened PNG or TIFF is grey or RGB of 16 bits; nothing is decoded."""
    if not isinstance(image, PngImageFile | TiffImageFile) or not image.tile:
        return False
    args = image.tile[0][3]
    coded = str(args[0] if isinstance(args, tuple) else args)
    return coded.startswith(("RGB", "I;16", "LA;16")) and ";16" in coded and "S" not in coded


@dataclass(frozen=True, slots=True)
class DeepImage(DeepPicture):
    """The file, read again with all its bits when they are wanted."""

    path: Path

    def rgb(self, *, hdr: bool = False) -> NDArray[np.uint16]:
        """See `DeepPicture`; alpha is dropped.

        Raises:
            MediaError: It is gone, or is not what it was.
        """
        del hdr
        with opened_picture(self.path) as image:  # checks what may be decoded
            if not has_16_bits(image):
                raise MediaError(f"{self.path} was replaced while it was in use")
            size, orientation = stored_orientation(image)
            if image.format == "TIFF":  # which OpenCV turns itself, whatever the flag
                size, orientation = (size[::-1] if orientation >= 5 else size), 1
            data = np.fromfile(self.path, np.uint8)
            how = cv2.IMREAD_ANYDEPTH | cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
            values = cv2.imdecode(data, how)
            if values is None or values.dtype != np.uint16 or values.shape[1::-1] != size:
                raise MediaError(f"{self.path} cannot be decoded with 16 bits")
        return _upright(values[..., ::-1], orientation)


def _upright(image: NDArray[Any], orientation: int) -> NDArray[np.uint16]:
    """Turn and mirror as EXIF says, 1 to 8."""
    if orientation >= 5:
        image = image.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    if orientation in (3, 4, 7, 8):
        image = image[::-1]
    return np.ascontiguousarray(image)
