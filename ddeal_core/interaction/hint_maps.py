"""What is said about an object, as maps for the network."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ddeal_core.interaction.hints import NOT_OBJECT, OBJECT

HINT_MAPS = 5
"""In a box, beside a box, on the object, not on it, and the mask so far."""
STRIDE = 32
"""Sides of a crop are multiples of it."""
DISC = 4
"""Radius of a click's disc, in pixels of the crop."""


def mark(marks: NDArray[np.uint8], point: tuple[int, int], kind: int) -> None:
    """Draw a click at (x, y) into marks of a crop: 1 on the object, 2 not on it."""
    cv2.circle(marks, point, DISC, kind, -1)


def hint_maps(
    marks: NDArray[np.uint8],
    box: tuple[int, int, int, int] | None,
    previous: NDArray[np.float32] | None,
) -> NDArray[np.float32]:
    """Put hints in the order in which the network takes them: ``[5, H, W]`` float32.

    Marks are HxW uint8 of clicks and strokes: 0 unknown, 1 on the object, 2 not on it; the box is
    left, top, right and bottom in pixels of the crop; `previous`, HxW, is how sure it is that a
    pixel is the object's.
    """
    maps = np.zeros((HINT_MAPS, *marks.shape), np.float32)
    if box is not None:
        left, top, right, bottom = box
        maps[1] = 1
        maps[0, max(0, top) : max(0, bottom), max(0, left) : max(0, right)] = 1
        maps[1] -= maps[0]
    maps[2], maps[3] = marks == OBJECT, marks == NOT_OBJECT
    if previous is not None:
        maps[4] = previous
    return maps
