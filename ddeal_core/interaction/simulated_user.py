"""A user who knows the true mask, for training and for measuring."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ddeal_core.interaction.hints import NOT_OBJECT, OBJECT

_NOTHING = 1.0  # pixels: an error that is nowhere deeper is not worth a click


def next_click(
    found: NDArray[np.bool_],
    truth: NDArray[np.bool_],
    valid: NDArray[np.bool_] | None = None,
    rng: np.random.Generator | None = None,
) -> tuple[tuple[int, int], int] | None:
    """Click into the middle of the largest error, as the measures of the field do.

    The middle is the pixel that lies deepest in what is missing or in what is too much; with `rng`
    it is any of the deeper half of the error's places. All maps are HxW; `valid` is where the truth
    is known, None for everywhere.

    Returns:
        (x, y) and whether it is on the object (1) or not (2); None where nothing is wrong.
    """
    known = np.ones_like(truth) if valid is None else valid
    depths = {
        kind: cv2.distanceTransform(
            np.pad(wrong & known, 1).view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE
        )[1:-1, 1:-1]
        for kind, wrong in ((OBJECT, truth & ~found), (NOT_OBJECT, found & ~truth))
    }
    kind = max(depths, key=lambda which: float(depths[which].max()))
    depth = depths[kind]
    deepest = float(depth.max())
    if deepest < _NOTHING:
        return None
    if rng is None:
        place = int(depth.argmax())
    else:
        places = np.flatnonzero(depth >= 0.5 * deepest)
        place = int(places[rng.integers(len(places))])
    return (place % truth.shape[1], place // truth.shape[1]), kind
