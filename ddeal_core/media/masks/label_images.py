"""The one reader of label images: the numbers in a file, and nothing made of them.

Palette files give their indices (255 too), never their colours. For masks of any kind that a user
may have, see `read_mask`.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ddeal_core.errors import MaskError, MediaError
from ddeal_core.media.picture_files import opened_picture

Labels = NDArray[np.uint8]
"""A label map ``[H, W]``."""


def ids_in(labels: NDArray[np.uint8], *, ignore: int | None = None) -> tuple[int, ...]:
    """Return the ids of label maps of any shape, rising, without 0 and without `ignore`."""
    present = np.flatnonzero(np.bincount(labels.ravel(), minlength=1)).tolist()
    return tuple(i for i in present if i and i != ignore)


def read_labels(path: Path, *, highest: int | None = None) -> NDArray[np.uint8]:
    """Read a label map.

    Args:
        path: A palette, grey or 1-bit image.
        highest: The highest id that a grey image may hold; a palette image may hold any.

    Returns:
        ``[H, W]`` uint8, the values as stored.

    Raises:
        MaskError: The file cannot be read, has colour channels or 16 bits, or is grey with
            values that are no ids.
    """
    array, mode = _decode(path)
    if mode not in ("P", "L", "1"):
        raise MaskError(
            f"{path} is a {mode} image where object ids are wanted; "
            "save masks as indexed (palette) PNG, pixel value = object id"
        )
    labels = array.astype(np.uint8, copy=False)
    if mode == "L" and highest is not None and labels.max() > highest:
        odd = sorted({int(v) for v in np.unique(labels) if v > highest})
        shown = ", ".join(str(v) for v in odd[:4]) + (", ..." if len(odd) > 4 else "")
        raise MaskError(
            f"{path} is a grey image with values ({shown}) that are not object ids 0..{highest}; "
            "save masks as indexed (palette) PNG, or score 0/255 masks by davis2016"
        )
    return labels


def read_foreground(path: Path) -> NDArray[np.uint8]:
    """Read a mask of one object: whatever is not zero (index, grey or colour) is foreground.

    Returns:
        ``[H, W]`` uint8, 0 or 1.

    Raises:
        MaskError: The file cannot be read.
    """
    array, mode = _decode(path)
    if mode in ("LA", "RGBA", "La", "RGBa"):
        array = array[..., :-1]  # transparency says nothing about the object
    if array.ndim == 3:
        array = np.asarray(array.any(axis=2))
    foreground: NDArray[np.uint8] = np.not_equal(array, 0).astype(np.uint8)
    return foreground


def _decode(path: Path) -> tuple[NDArray[Any], str]:
    try:
        with opened_picture(path) as image:
            return np.array(image), image.mode
    except MediaError as error:
        raise MaskError(f"cannot read mask {path} ({error}); write it again") from None
