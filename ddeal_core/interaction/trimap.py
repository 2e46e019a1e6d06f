"""What GrabCut is told of each pixel of a region: object or not, surely or perhaps."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ddeal_core.interaction.hints import NOT_OBJECT, OBJECT
from ddeal_core.interaction.window import Region

CORE = 0.5  # diameters of the ellipse that is surely the object, as a share of the box
_DOUBT = 0.12  # of the region's short side: so far a mark beside the object reaches into the core
_BAND = 0.08  # to either side of a mask's outline, as a share of the root of its area
_ALIKE = 10  # in each channel of 8-bit L*a*b*: colours that a mark speaks for too
_REACH = 0.4  # of the region's short side: how far


def from_box(region: Region, box: tuple[int, int, int, int]) -> NDArray[np.uint8]:
    """Surely not the object outside the box, surely the object in its core."""
    left, top, right, bottom = region.box(box)
    trimap = np.full(region.size, cv2.GC_BGD, np.uint8)
    trimap[top:bottom, left:right] = cv2.GC_PR_FGD
    if not (trimap == cv2.GC_BGD).any():  # the box is the frame: its corners are the surroundings
        trimap[:] = cv2.GC_PR_BGD
        trimap[ellipse(trimap.shape, (left, top, right, bottom), 1.0)] = cv2.GC_PR_FGD
    core = ellipse(trimap.shape, (left, top, right, bottom), CORE)
    trimap[core & (trimap != cv2.GC_BGD)] = cv2.GC_FGD
    return trimap


def from_mask(
    region: Region, old: NDArray[np.bool_], marks: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    """Unsure near the old outline, and further off near marks."""
    rough = (region.values(old.astype(np.float32)) >= 0.5).astype(np.uint8)
    small = region.marks(marks)
    band = max(3.0, _BAND * np.sqrt(rough.sum()))
    within = cv2.distanceTransform(rough, cv2.DIST_L2, 3)
    beyond = cv2.distanceTransform(1 - rough, cv2.DIST_L2, 3)
    marked_at = cv2.distanceTransform((small == 0).astype(np.uint8), cv2.DIST_L2, 3)
    unsure = marked_at <= 5 * band
    trimap = np.full(region.size, cv2.GC_BGD, np.uint8)
    trimap[(beyond <= band) | unsure] = cv2.GC_PR_BGD
    trimap[rough > 0] = cv2.GC_PR_FGD
    trimap[(within > min(band, 0.8 * within.max())) & ~unsure] = cv2.GC_FGD
    return trimap


def ellipse(
    shape: tuple[int, ...], box: tuple[int, int, int, int], share: float
) -> NDArray[np.bool_]:
    """Draw an ellipse in the middle of a box (left, top, right, bottom) of a map.

    Its diameters are a share of the box's sides.
    """
    left, top, right, bottom = box
    drawn = np.zeros(shape, np.uint8)
    centre = ((left + right - 1) / 2, (top + bottom - 1) / 2)
    axes = (max(1.0, (right - left) * share), max(1.0, (bottom - top) * share))
    cv2.ellipse(drawn, (centre, axes, 0), 1, -1)
    return drawn > 0


def near_marks(region: Region, marks: NDArray[np.uint8], reach: int) -> NDArray[np.uint8]:
    """Perhaps the object near marks on it, perhaps not it further off."""
    small = region.marks(marks)
    away = cv2.distanceTransform((small != OBJECT).astype(np.uint8), cv2.DIST_L2, 3)
    near = away <= reach * region.scale
    return np.where(near, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)


def with_marks(
    trimap: NDArray[np.uint8], sure: NDArray[np.uint8], picture: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    """Put marks into a new trimap; what hangs together with one in colour is perhaps like it."""
    out = trimap.copy()
    off = sure == NOT_OBJECT
    if off.any():
        away = cv2.distanceTransform((~off).astype(np.uint8), cv2.DIST_L2, 3)
        near = away < _DOUBT * min(sure.shape)
        out[near & (out == cv2.GC_FGD)] = cv2.GC_PR_FGD  # the core is not sure there
        alike = _alike(picture, off) & (away < _REACH * min(sure.shape))
        if not (alike & (sure == OBJECT)).any():
            out[alike & (out == cv2.GC_PR_FGD)] = cv2.GC_PR_BGD
    out[sure == OBJECT] = cv2.GC_FGD
    out[off] = cv2.GC_BGD
    return out


def _alike(picture: NDArray[np.uint8], marks: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """What hangs together with a mark and has the colour of the mark's middle."""
    smooth = cv2.cvtColor(cv2.medianBlur(picture, 5), cv2.COLOR_RGB2LAB)
    filled = np.zeros((marks.shape[0] + 2, marks.shape[1] + 2), np.uint8)
    _, numbers = cv2.connectedComponents(marks.view(np.uint8))
    flags = 4 | cv2.FLOODFILL_MASK_ONLY | cv2.FLOODFILL_FIXED_RANGE | (1 << 8)
    for number in range(1, int(numbers.max()) + 1):
        rows, columns = np.nonzero(numbers == number)
        middle = len(rows) // 2
        seed = (int(columns[middle]), int(rows[middle]))
        cv2.floodFill(smooth, filled, seed, (0, 0, 0), (_ALIKE,) * 3, (_ALIKE,) * 3, flags)
    return filled[1:-1, 1:-1] > 0
