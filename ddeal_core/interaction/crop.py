"""The part of a frame that the network for first masks looks at."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ddeal_core.interaction.hint_maps import STRIDE, mark
from ddeal_core.interaction.hints import NOT_OBJECT, OBJECT, Hints

__all__ = ["Crop"]

_SIDE = 288  # pixels: the root of a crop's area as the network sees it
_MOST_ASPECT = 2.0
_ROOM = 8  # pixels of surroundings at the least
_GRID = 16  # steps, over a crop's side, to which its corners are rounded outwards


@dataclass(frozen=True, slots=True)
class Crop:
    """A rectangle of the frame, and the size at which it is looked at.

    Attributes:
        left: First column.
        top: First row.
        right: Column after the last.
        bottom: Row after the last.
        frame_size: (height, width) of the frame.
    """

    left: int
    top: int
    right: int
    bottom: int
    frame_size: tuple[int, int]

    @classmethod
    def around(
        cls, box: tuple[int, int, int, int], margin: float, frame_size: tuple[int, int]
    ) -> Crop:
        """Take a box with a margin, as far as the frame goes.

        Its corners lie on a grid, so that boxes that differ little have the same crop.

        Args:
            box: Left, top, right and bottom in pixels of the frame.
            margin: On every side, as a share of the box's sides.
            frame_size: (height, width).
        """
        left, top, right, bottom = box
        # Room is made towards a square: a thin thing is recognised by what is around it.
        across, down = right - left, bottom - top
        least = max(across, down) / _MOST_ASPECT
        more_x = max(_ROOM, margin * across, (least - across) / 2)
        more_y = max(_ROOM, margin * down, (least - down) / 2)
        step = max(1, 2 ** round(math.log2(max(across, down) / _GRID)))
        return cls(
            max(0, math.floor((left - more_x) / step) * step),
            max(0, math.floor((top - more_y) / step) * step),
            min(frame_size[1], math.ceil((right + more_x) / step) * step),
            min(frame_size[0], math.ceil((bottom + more_y) / step) * step),
            frame_size,
        )

    @classmethod
    def whole(cls, frame_size: tuple[int, int]) -> Crop:
        """Take all of the frame."""
        return cls(0, 0, frame_size[1], frame_size[0], frame_size)

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) in pixels of the crop, multiples of `STRIDE`."""
        aspect = (self.right - self.left) / (self.bottom - self.top)
        root = math.sqrt(min(max(aspect, 1 / _MOST_ASPECT), _MOST_ASPECT))
        return _multiple(_SIDE / root), _multiple(_SIDE * root)

    @property
    def scale(self) -> tuple[float, float]:
        """Pixels of the crop a pixel of the frame, across and down."""
        height, width = self.size
        return width / (self.right - self.left), height / (self.bottom - self.top)

    @property
    def area(self) -> int:
        """Pixels of the frame."""
        return (self.right - self.left) * (self.bottom - self.top)

    def picture(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """HxWx3 uint8 of the crop's size."""
        return np.asarray(self._resized(image), np.uint8)

    def values(self, frame: NDArray[np.float32]) -> NDArray[np.float32]:
        """A map of the frame, at the crop's size."""
        return np.asarray(self._resized(frame), np.float32)

    def box(self, box: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
        """Left, top, right and bottom of a box of the frame, in pixels of the crop."""
        x, y = self.scale
        left, top, right, bottom = box
        return (
            round((left - self.left) * x),
            round((top - self.top) * y),
            max(round((left - self.left) * x) + 1, round((right - self.left) * x)),
            max(round((top - self.top) * y) + 1, round((bottom - self.top) * y)),
        )

    def marks(self, hints: Mapping[int, Hints], number: int) -> NDArray[np.uint8]:
        """Clicks and strokes about one object; what is on another object is not on this one.

        Returns:
            HxW uint8 of the crop's size: 0 unknown, 1 on the object, 2 not on it.
        """
        marks = np.zeros(self.size, np.uint8)
        own = hints[number]
        others = [hint for other, hint in hints.items() if other != number]
        for hint in others:
            if hint.scribble is not None:
                marks[self._touched(hint.scribble == OBJECT)] = NOT_OBJECT
        if own.scribble is not None:
            for kind in (NOT_OBJECT, OBJECT):
                marks[self._touched(own.scribble == kind)] = kind
        for points, kind in (
            *((hint.inside, NOT_OBJECT) for hint in others),
            (own.outside, NOT_OBJECT),
            (own.inside, OBJECT),
        ):
            for x, y in points:
                at = (x + 0.5 - self.left) * self.scale[0], (y + 0.5 - self.top) * self.scale[1]
                mark(marks, (int(at[0]), int(at[1])), kind)
        return marks

    def enlarge(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """A map of the crop at the frame's size; 0 outside the crop."""
        out = np.zeros(self.frame_size, np.float32)
        size = (self.right - self.left, self.bottom - self.top)
        shrinks = size[0] < values.shape[1]
        out[self.top : self.bottom, self.left : self.right] = cv2.resize(
            values, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        )
        return out

    def _touched(self, places: NDArray[np.bool_]) -> NDArray[np.bool_]:
        return self.values(places.astype(np.float32)) > 0

    def _resized(self, frame: NDArray[np.uint8] | NDArray[np.float32]) -> NDArray[np.generic]:
        part = frame[self.top : self.bottom, self.left : self.right]
        shrinks = min(self.scale) < 1
        return cv2.resize(
            part, self.size[::-1], interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        )


def _multiple(side: float) -> int:
    return max(STRIDE, round(side / STRIDE) * STRIDE)
