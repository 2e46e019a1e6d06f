"""The motion gate: an object goes on near where it was, so look-alikes far from it are not it.

Beyond the paper; off in its presets. Appearance alone cannot tell two of a kind apart. Motion can:
from one frame to the next an object does not jump. A piece of a prediction that is far from all of
the object's last mask is taken for background, if another piece is near and weighs more.
"""

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ddeal_core.tracking.merging import to_labels

_THERE = 0.5  # share of a cell from which on the object was there


def apply_motion_gate(merged: Tensor, shares: Tensor, reach: float) -> Tensor:
    """Take pieces away that no motion explains.

    An object's pieces (8-connected areas where it is the most probable one) stay if they come
    within reach of its last mask. A piece that does not stays all the same where no piece does (the
    object was hidden, or jumped after all), or where it is larger than all near ones together.

    Args:
        merged: Probabilities, background first, ``[1, 1 + K, H, W]``.
        shares: How much of each cell each object took up in the frame before,
            ``[1, K, H/s, W/s]``.
        reach: How far an object may move, as a share of the short side.

    Returns:
        ``[1, 1 + K, H, W]``. Where a piece is taken away, the object has probability 0, and the
        others share what is left. The same tensor where none is.
    """
    if reach <= 0:
        return merged
    labels = to_labels(merged)[0].cpu().numpy()
    before = (shares[0] >= _THERE).cpu().numpy()
    cells = reach * min(before.shape[1:])
    gone = np.zeros((len(before), *labels.shape), bool)
    for k, there in enumerate(before):
        if there.any():
            _mark_jumps(labels == k + 1, there, cells, gone[k])
    if not gone.any():
        return merged
    kept = merged.clone()
    kept[:, 1:].masked_fill_(torch.from_numpy(gone)[None].to(merged.device), 0)
    return kept / kept.sum(dim=1, keepdim=True)


def _mark_jumps(
    mask: NDArray[np.bool_], there: NDArray[np.bool_], cells: float, gone: NDArray[np.bool_]
) -> None:
    left, top, width, height = cv2.boundingRect(mask.view(np.uint8))
    if not width:
        return
    box = slice(top, top + height), slice(left, left + width)
    inside = np.ascontiguousarray(mask[box])
    count, pieces, measures, _ = cv2.connectedComponentsWithStats(
        inside.view(np.uint8), connectivity=8
    )
    if count <= 2:  # the background and one piece, which has nothing to be measured by
        return
    away = cv2.distanceTransform((~there).view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    stride = mask.shape[0] // there.shape[0]
    within = (away <= cells).repeat(stride, 0).repeat(stride, 1)
    near = np.zeros(count, bool)
    near[np.unique(pieces[within[box] & inside])] = True
    if not near.any():
        return
    areas = measures[:, cv2.CC_STAT_AREA]
    near |= areas > areas[near].sum()
    near[0] = True
    if not near.all():
        gone[box] = ~near[pieces]
