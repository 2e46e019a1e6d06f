"""Strokes that somebody painted over a frame, as an image file."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ddeal_core.errors import InputError, MaskError, MediaError
from ddeal_core.media.masks.mask_kinds import from_colours
from ddeal_core.media.picture_files import opened_picture

_WHITE = 250
_GREY = 24  # colours with less between their channels are soft edges of white strokes


def read_strokes(path: str | os.PathLike[str], *, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Read an image of strokes.

    - White strokes (255 in grey and indexed images) are on no object.
    - Grey and palette: other values are the object's id. Colours: those of the DAVIS palette are
      ids; others are objects 1, 2, ... in order of reading (top to bottom, left to right).
    - Black (0) and whatever is transparent says nothing.

    Args:
        path: The image file; not JPEG, whose colours are not exact.
        size: (height, width) of the frame, which it must have.

    Returns:
        HxW uint8: 0 unknown, 255 on no object, else the object's id.

    Raises:
        MaskError: Missing, no image, of another size, without strokes, or with colours that
            cannot be told apart.
    """
    where = Path(path)
    if not where.exists():
        raise MaskError(f"there is no image of strokes {where}")
    try:
        with opened_picture(where, named=f"the strokes {where}") as image:
            if image.format in ("JPEG", "MPO"):
                raise MaskError("colours of a JPEG are not exact: save it as PNG")
            image.load()
            strokes = _ids(image)
    except MediaError as error:
        raise MaskError(error) from None
    except InputError as error:
        raise MaskError(f"the strokes {where}: {error}") from None
    if strokes.shape != size:
        raise MaskError(
            f"the strokes {where} are {strokes.shape[1]}x{strokes.shape[0]}, the frame "
            f"{size[1]}x{size[0]}: paint them over the frame itself"
        )
    if not strokes.any():
        raise MaskError(f"{where} has no stroke in it: everything is black or transparent")
    return strokes


def _ids(image: Image.Image) -> NDArray[np.uint8]:
    if image.mode in ("L", "P") and "transparency" not in image.info:
        return np.array(image, np.uint8)
    rgba = np.array(image.convert("RGBA"))
    rgb = rgba[..., :3].copy()
    rgb[rgba[..., 3] < 128] = 0
    white = (rgb >= _WHITE).all(axis=2)
    spread = rgb.max(axis=2).astype(np.int16) - rgb.min(axis=2)
    rgb[spread < _GREY] = 0
    ids = np.zeros(white.shape, np.uint8)
    if rgb.any():
        rgb = np.ascontiguousarray(np.pad(rgb, ((0, 1), (0, 0), (0, 0))))  # black is background
        ids = from_colours(rgb, lossy=False).labels[:-1].copy()
    ids[white] = 255
    return ids
