"""Damping of the chatter of edges over time.

A mask keeps a share of what it was on the frame before, pixel by pixel, where the picture around
is still and the mask around changes little. Where something moves, or much of the mask changes,
nothing of the past is kept: fast things have neither lag nor ghosts. It looks at the past alone.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ddeal_core.media.matting.edges import BoundingBox, Float

_KEPT = 0.8  # share of the past where all is still
_STILL, _MOVING = 2.0, 6.0  # mean difference of grey (of 255) around a pixel: noise, motion
_MUCH = 0.15  # mean change of the mask around from which on nothing is kept
_PICTURE, _MASK = 9, 15  # pixels to a side of what counts as around, at 480 lines


class Steadier:
    """Steadies the masks of one video, fed in order."""

    def __init__(self) -> None:
        self._grey: NDArray[np.uint8] | None = None
        self._before: dict[int, Float] = {}
        self._there: NDArray[np.bool_] | None = None

    def steadied(
        self,
        image: NDArray[np.uint8],
        planes: Float,
        object_ids: tuple[int, ...],
        there: NDArray[np.bool_],
    ) -> tuple[Float, BoundingBox | None]:
        """Steady the masks of the next frame.

        Args:
            image: ``[H, W, 3]`` uint8 RGB.
            planes: Probability or opacity of each object, ``[K, H, W]`` float32.
            object_ids: The K ids.
            there: Where any object is the most probable, ``[H, W]``.

        Returns:
            ``[K, H, W]`` float32, and where they may have changed; None where they have not.
        """
        grey = np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8)
        last, self._grey = self._grey, grey
        seen = there if self._there is None else there | self._there
        scale = max(1.0, min(grey.shape) / 480)
        box = BoundingBox.around(seen, round(_MASK * scale))
        self._there, past = there, self._before
        out = planes
        if last is None or not past:
            box = None
        if box is not None and last is not None:
            out = planes.copy()
            motion = _mean(cv2.absdiff(grey[box], last[box]).astype(np.float32), _PICTURE * scale)
            kept = np.clip((_MOVING - motion) / (_MOVING - _STILL), 0, 1) * np.float32(_KEPT)
            change = np.zeros_like(motion)
            parts = [(k, past[i][box]) for k, i in enumerate(object_ids) if i in past]
            for k, then in parts:
                different = np.abs(planes[k][box] - then)
                np.maximum(change, _mean(different, _MASK * scale), out=change)
            kept *= np.clip(1 - change / np.float32(_MUCH), 0, 1)
            for k, then in parts:
                out[k][box] += kept * (then - planes[k][box])
        self._before = dict(zip(object_ids, out, strict=True))
        return out, box


def _mean(values: Float, side: float) -> Float:
    width = 2 * round(side / 2) + 1
    return np.asarray(cv2.blur(values, (width, width), borderType=cv2.BORDER_REFLECT), np.float32)
