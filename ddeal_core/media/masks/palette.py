"""The 256 colours of label maps in PASCAL VOC and DAVIS."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray


@cache
def davis_palette() -> NDArray[np.uint8]:
    """Compute the palette by its bit rule.

    Bits 0, 1, 2 of the id are the highest bit of red, green, blue; bits 3, 4, 5 the next one,
    and so on: id 1 is (128, 0, 0), id 2 (0, 128, 0), id 255 (224, 224, 192).

    Returns:
        256x3 uint8, read-only; row i is the RGB colour of id i.
    """
    ids = np.arange(256, dtype=np.uint16)
    palette = np.zeros((256, 3), np.uint16)
    for level in range(8):
        for channel in range(3):
            bit = (ids >> (3 * level + channel)) & 1
            palette[:, channel] |= bit << (7 - level)
    colours = palette.astype(np.uint8)
    colours.setflags(write=False)
    return colours
