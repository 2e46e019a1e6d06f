"""A part of a frame at the size at which it is cut."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ddeal_core.interaction.hints import NOT_OBJECT, OBJECT

__all__ = ["Region"]

_LONG_SIDE = 200  # pixels: the graph cut takes most of the time, and more did no better
_ROOM = 8  # pixels of surroundings at the least


@dataclass(frozen=True, slots=True)
class Region:
    """A rectangle of the frame, and the smaller picture made of it.

    Attributes:
        left: First column.
        top: First row.
        right: Column after the last.
        bottom: Row after the last.
        scale: Side of the smaller picture's pixels over the frame's, at most 1.
        frame_size: (height, width) of the frame.
    """

    left: int
    top: int
    right: int
    bottom: int
    scale: float
    frame_size: tuple[int, int]

    @classmethod
    def around(
        cls, box: tuple[int, int, int, int], margin: float, frame_size: tuple[int, int]
    ) -> Region:
        """Take a box with a margin, as a share of its long side, as far as the frame goes."""
        x, y, width, height = box
        room = max(_ROOM, round(margin * max(width, height)))
        left, top = max(0, x - room), max(0, y - room)
        right = min(frame_size[1], x + width + room)
        bottom = min(frame_size[0], y + height + room)
        scale = min(1.0, _LONG_SIDE / max(right - left, bottom - top))
        return cls(left, top, right, bottom, scale, frame_size)

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width) of the smaller picture."""
        return (
            max(1, round((self.bottom - self.top) * self.scale)),
            max(1, round((self.right - self.left) * self.scale)),
        )

    def box(self, box: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
        """Left, top, right and bottom of a box in the smaller picture; at least one pixel."""
        x, y, width, height = box
        down, across = self.shape
        left = min(round((x - self.left) * self.scale), across - 1)
        top = min(round((y - self.top) * self.scale), down - 1)
        right = max(left + 1, round((x + width - self.left) * self.scale))
        bottom = max(top + 1, round((y + height - self.top) * self.scale))
        return left, top, right, bottom

    def picture(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The smaller picture of a frame."""
        return np.ascontiguousarray(self._shrunk(image))

    def shrink(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Means of a map of the frame over the smaller picture's pixels."""
        return np.asarray(self._shrunk(values), np.float32)

    def marks(self, marks: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Marks in the smaller picture, in which none gets lost: see `marked`."""
        shares = [self.shrink((marks == kind).astype(np.float32)) for kind in (OBJECT, NOT_OBJECT)]
        small = np.zeros(self.shape, np.uint8)
        small[shares[1] > 0] = NOT_OBJECT
        small[(shares[0] > 0) & (shares[0] >= shares[1])] = OBJECT
        return small

    def enlarge(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """A map of the smaller picture at the frame's size; 0 outside the region."""
        out = np.zeros(self.frame_size, np.float32)
        size = (self.right - self.left, self.bottom - self.top)
        out[self.top : self.bottom, self.left : self.right] = cv2.resize(
            values, size, interpolation=cv2.INTER_LINEAR
        )
        return out

    def _shrunk(self, values: NDArray[np.uint8] | NDArray[np.float32]) -> NDArray[Any]:
        part = values[self.top : self.bottom, self.left : self.right]
        if part.shape[:2] == self.shape:
            return part
        return np.asarray(cv2.resize(part, self.shape[::-1], interpolation=cv2.INTER_AREA))
