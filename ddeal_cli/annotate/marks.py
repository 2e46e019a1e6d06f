"""What a person does to a frame: boxes, clicks, scribbles, strokes of a brush."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from ddeal_core.errors import InputError

Point = tuple[int, int]
Tool = Literal["brush", "eraser", "inside", "outside"]

_MOST_POINTS = 20_000
_MOST_RADIUS = 1_000


@dataclass(frozen=True, slots=True)
class BoxMark:
    """The object lies in this rectangle, in pixels of the frame."""

    object_id: int
    x: int
    y: int
    width: int
    height: int

    def within(self, size: tuple[int, int]) -> BoxMark:
        """The part of it in a frame of (height, width), 2 pixels wide and high at least."""
        left, top = max(0, self.x), max(0, self.y)
        right = min(size[1], self.x + self.width)
        bottom = min(size[0], self.y + self.height)
        if right - left < 2 or bottom - top < 2:
            raise InputError("the box is too small: draw it around the whole object")
        return BoxMark(self.object_id, left, top, right - left, bottom - top)


@dataclass(frozen=True, slots=True)
class Click:
    """A point on the object, or one that is not on it."""

    object_id: int
    point: Point
    inside: bool

    def check(self, size: tuple[int, int]) -> None:
        """Raise InputError unless the point lies in a frame of (height, width)."""
        x, y = self.point
        if not (0 <= x < size[1] and 0 <= y < size[0]):
            raise InputError(f"the point {x}, {y} is outside the frame")


@dataclass(frozen=True, slots=True)
class Stroke:
    """A line drawn with a round tip of `radius` pixels; its points may lie outside the frame.

    ``brush`` and ``eraser`` change the mask as they are; ``inside`` and ``outside`` are scribbles,
    from which the mask is worked out.
    """

    object_id: int
    tool: Tool
    radius: float
    points: tuple[Point, ...]

    def __post_init__(self) -> None:
        if not self.points or len(self.points) > _MOST_POINTS:
            raise InputError(f"a stroke has 1 to {_MOST_POINTS} points, not {len(self.points)}")
        if not 0 < self.radius <= _MOST_RADIUS:
            raise InputError(f"a stroke's radius is above 0, to {_MOST_RADIUS}: {self.radius}")

    def covered(self, size: tuple[int, int]) -> NDArray[np.bool_]:
        """HxW: the pixels under the line."""
        canvas = np.zeros(size, np.uint8)
        # clipped to where OpenCV can count; farther away is outside all the same
        far = 1 << 14
        points = np.clip(np.array(self.points, np.int64), -far, far).astype(np.int32)
        if self.radius < 1:
            cv2.polylines(canvas, [points], False, 1)
        else:
            cv2.polylines(canvas, [points], False, 1, thickness=max(1, round(2 * self.radius)))
            for x, y in (points[0], points[-1]):
                cv2.circle(canvas, (int(x), int(y)), round(self.radius), 1, -1)
        return canvas > 0


Mark = BoxMark | Click | Stroke
