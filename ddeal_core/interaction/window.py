"""A part of a frame at the size at which it is looked at."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ddeal_core.interaction.hint_maps import STRIDE, mark
from ddeal_core.interaction.hints import NOT_OBJECT, OBJECT, Hints

_LONG_SIDE = 200  # pixels of a region: the graph cut takes most of the time, and more did no better
_MOST_ASPECT = 2.0  # of a crop
_ROOM = 8  # pixels of surroundings at the least
_GRID = 16  # steps, over a crop's side, to which its corners are rounded outwards

Box = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class _Window(ABC):
    """A rectangle of the frame, and the picture of another size made of it."""

    left: int
    top: int
    right: int  # column after the last
    bottom: int  # row after the last
    frame_size: tuple[int, int]  # (height, width)

    @property
    @abstractmethod
    def size(self) -> tuple[int, int]:
        """(height, width) of the picture."""

    def picture(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """HxWx3 uint8 of the window's size."""
        return np.ascontiguousarray(self._resized(image))

    def values(self, frame: NDArray[np.float32]) -> NDArray[np.float32]:
        """A map of the frame at the window's size: means over its pixels where it is smaller."""
        return np.asarray(self._resized(frame), np.float32)

    def enlarge(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """A map of the window at the frame's size; 0 outside the window."""
        out = np.zeros(self.frame_size, np.float32)
        size = (self.right - self.left, self.bottom - self.top)
        how = cv2.INTER_AREA if size[0] < values.shape[1] else cv2.INTER_LINEAR
        part = cv2.resize(values, size, interpolation=how)
        out[self.top : self.bottom, self.left : self.right] = part
        return out

    def _resized(self, frame: NDArray[np.uint8] | NDArray[np.float32]) -> NDArray[Any]:
        part = frame[self.top : self.bottom, self.left : self.right]
        height, width = self.size
        if part.shape[:2] == (height, width):
            return part
        shrinks = height < part.shape[0] or width < part.shape[1]
        how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        return np.asarray(cv2.resize(part, (width, height), interpolation=how))


@dataclass(frozen=True, slots=True)
class Region(_Window):
    """The small picture on which GrabCut works; `scale` is its side over the frame's, at most 1."""

    scale: float

    @classmethod
    def around(cls, box: Box, margin: float, frame_size: tuple[int, int]) -> Region:
        """Take a box (left, top, right, bottom) with a margin, as far as the frame goes.

        The margin is a share of the box's long side.
        """
        left, top, right, bottom = box
        room = max(_ROOM, round(margin * max(right - left, bottom - top)))
        left, top = max(0, left - room), max(0, top - room)
        right, bottom = min(frame_size[1], right + room), min(frame_size[0], bottom + room)
        scale = min(1.0, _LONG_SIDE / max(right - left, bottom - top))
        return cls(left, top, right, bottom, frame_size, scale)

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the picture."""
        sides = (self.bottom - self.top, self.right - self.left)
        height, width = (max(1, round(side * self.scale)) for side in sides)
        return height, width

    def box(self, box: Box) -> Box:
        """Left, top, right and bottom of a box of the frame in the picture; at least one pixel."""
        down, across = self.size
        left = min(round((box[0] - self.left) * self.scale), across - 1)
        top = min(round((box[1] - self.top) * self.scale), down - 1)
        right = max(left + 1, round((box[2] - self.left) * self.scale))
        bottom = max(top + 1, round((box[3] - self.top) * self.scale))
        return left, top, right, bottom

    def marks(self, marks: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Marks of the frame in the small picture, in which none gets lost: see `marked`."""
        shares = [self.values((marks == kind).astype(np.float32)) for kind in (OBJECT, NOT_OBJECT)]
        small = np.zeros(self.size, np.uint8)
        small[shares[1] > 0] = NOT_OBJECT
        small[(shares[0] > 0) & (shares[0] >= shares[1])] = OBJECT
        return small


@dataclass(frozen=True, slots=True)
class Crop(_Window):
    """What the network for first masks looks at; its sides are multiples of `STRIDE`."""

    side: int  # pixels: the root of the area of the picture

    @classmethod
    def around(cls, box: Box, margin: float, frame_size: tuple[int, int], side: int) -> Crop:
        """Take a box (left, top, right, bottom) with a margin, as far as the frame goes.

        The margin is a share of the box's sides, on every side. The corners lie on a grid, so that
        boxes that differ little have the same crop.
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
            side,
        )

    @classmethod
    def whole(cls, frame_size: tuple[int, int], side: int) -> Crop:
        """Take all of the frame."""
        return cls(0, 0, frame_size[1], frame_size[0], frame_size, side)

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the picture."""
        aspect = (self.right - self.left) / (self.bottom - self.top)
        root = math.sqrt(min(max(aspect, 1 / _MOST_ASPECT), _MOST_ASPECT))
        height, width = (
            max(STRIDE, round(side / STRIDE) * STRIDE)
            for side in (self.side / root, self.side * root)
        )
        return height, width

    @property
    def scale(self) -> tuple[float, float]:
        """Pixels of the crop a pixel of the frame, across and down."""
        height, width = self.size
        return width / (self.right - self.left), height / (self.bottom - self.top)

    @property
    def area(self) -> int:
        """Pixels of the frame."""
        return (self.right - self.left) * (self.bottom - self.top)

    def box(self, box: Box) -> Box:
        """Left, top, right and bottom of a box of the frame, in pixels of the crop."""
        x, y = self.scale
        left, right = (round((side - self.left) * x) for side in box[::2])
        top, bottom = (round((side - self.top) * y) for side in box[1::2])
        return left, top, max(left + 1, right), max(top + 1, bottom)

    def marks(self, hints: Mapping[int, Hints], number: int) -> NDArray[np.uint8]:
        """Clicks and strokes about one object; what is on another object is not on this one.

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

    def _touched(self, places: NDArray[np.bool_]) -> NDArray[np.bool_]:
        return self.values(places.astype(np.float32)) > 0
