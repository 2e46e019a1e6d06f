"""What a person says about one object of a frame: a box, points, strokes."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ddeal_core.errors import InputError, MaskError

OBJECT, NOT_OBJECT = 1, 2  # in maps of marks; 0 is unknown
_DISC = 3 / 100  # radius of a point's mark, as a share of the short side of the box or the frame


@dataclass(frozen=True, slots=True, eq=False)
class Hints:
    """Hints about one object, in pixels of the frame as displayed; fractions are rounded.

    Attributes:
        box: x, y, width and height around the object. What lies beyond the frame is cut off; it
            grows to hold the points and strokes on the object.
        inside: (x, y) points on the object.
        outside: (x, y) points not on it.
        scribble: HxW uint8 strokes: 0 unknown, 1 on the object, 2 not on it.

    Raises:
        InputError: A box or a point is no such numbers, the box has no area, or a scribble holds
            other values.
    """

    box: tuple[int, int, int, int] | None = None
    inside: tuple[tuple[int, int], ...] = ()
    outside: tuple[tuple[int, int], ...] = ()
    scribble: NDArray[np.uint8] | None = None

    def __post_init__(self) -> None:
        if self.box is not None:
            object.__setattr__(self, "box", _whole(self.box, 4))
        for name in ("inside", "outside"):
            points = tuple(_whole(point, 2) for point in getattr(self, name))
            object.__setattr__(self, name, points)
        if self.box is not None and (self.box[2] < 1 or self.box[3] < 1):
            raise InputError(
                f"a box is x, y, width and height of at least 1 pixel, not {_joined(self.box)}"
            )
        strokes = self.scribble
        if strokes is not None:
            if strokes.ndim != 2 or strokes.dtype != np.uint8:
                raise InputError(f"a scribble is HxW uint8, not {strokes.shape} {strokes.dtype}")
            if strokes.size and strokes.max() > NOT_OBJECT:
                raise InputError(
                    "a scribble holds 0 (unknown), 1 (object) and 2 (not the object), "
                    f"not {strokes.max()}"
                )

    @property
    def is_empty(self) -> bool:
        """Whether nothing is said."""
        return self.box is None and not self.inside and not self.outside and self.scribble is None

    @property
    def on_object(self) -> bool:
        """Whether a point or a stroke lies on the object."""
        return bool(self.inside) or (
            self.scribble is not None and bool((self.scribble == OBJECT).any())
        )


def check_hints(
    hints: Mapping[int, Hints], size: tuple[int, int], *, known: Collection[int] = ()
) -> None:
    """Hold all hints, by object id, against a frame of `size` (height, width).

    Objects that are `known` have a mask, and need neither box nor point.

    Raises:
        InputError: There are none; a box, a point or a scribble does not fit the frame; an object
            has neither a box nor a point on it; or a point is on two objects.
        MaskError: An id is not 1 to 254.
    """
    if not hints:
        raise InputError("no hint is given: give at least a box or a point for one object")
    height, width = size
    owners: dict[tuple[int, int], int] = {}
    for number, hint in hints.items():
        if not 1 <= number <= 254:
            raise MaskError(f"object ids are 1 to 254, not {number}")
        if hint.box is None and not hint.on_object and number not in known:
            raise InputError(
                f"object {number} has no box and no point on it: give one of them, "
                "what is not the object does not say where it is"
            )
        if hint.box is not None:
            x, y, across, down = hint.box
            if x >= width or y >= height or x + across <= 0 or y + down <= 0:
                raise InputError(
                    f"the box {_joined(hint.box)} of object {number} lies outside the frame, "
                    f"which is {width}x{height}"
                )
        for x, y in (*hint.inside, *hint.outside):
            if not (0 <= x < width and 0 <= y < height):
                raise InputError(
                    f"the point {x},{y} of object {number} lies outside the frame, "
                    f"which is {width}x{height}"
                )
        if hint.scribble is not None and hint.scribble.shape != size:
            raise InputError(
                f"the scribble of object {number} is {_joined(hint.scribble.shape[::-1], 'x')}, "
                f"the frame {width}x{height}: give one of the frame's size"
            )
        for point in hint.inside:
            owner = owners.setdefault(point, number)
            if owner != number:
                raise InputError(
                    f"the point {point[0]},{point[1]} is given as on object {owner} and on object "
                    f"{number}: a pixel belongs to one object"
                )
        twice = sorted(set(hint.inside) & set(hint.outside))
        if twice:
            x, y = twice[0]
            raise InputError(f"the point {x},{y} is given as on object {number} and as not on it")


def check_image(
    image: NDArray[np.uint8], hints: Mapping[int, Hints], labels: NDArray[np.uint8] | None
) -> NDArray[np.uint8]:
    """Hold a frame (HxWx3 uint8 RGB), hints by object id and a mask to mend (HxW uint8) together.

    Returns:
        The mask to mend, empty where there is none.

    Raises:
        InputError: It is no frame; or see `check_hints`.
        MaskError: The mask is of another kind or size; or see `check_hints`.
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
        raise InputError(f"a frame is HxWx3 uint8 RGB, not {image.dtype} of shape {image.shape}")
    size = (image.shape[0], image.shape[1])
    old = np.zeros(size, np.uint8) if labels is None else labels
    if old.shape != size or old.dtype != np.uint8:
        raise MaskError(f"the mask is {size} uint8 like the frame, not {old.shape} {old.dtype}")
    check_hints(hints, size, known=np.unique(old).tolist())
    return old


def marked(
    hints: Mapping[int, Hints], number: int, size: tuple[int, int], *, radius: int | None = None
) -> NDArray[np.uint8]:
    """Draw what is sure about object `number`; what is on another object is not on this one.

    The `radius` of a point's disc is in pixels; None is one that grows with the box or the frame.

    Returns:
        HxW uint8: 0 unknown, 1 on the object, 2 not on it.
    """
    own = hints[number]
    marks = np.zeros(size, np.uint8)
    if radius is None:
        short = min(size) if own.box is None else min(own.box[2], own.box[3], *size)
        radius = max(1, round(short * _DISC))
    for other, hint in hints.items():
        if other != number:
            if hint.scribble is not None:
                marks[hint.scribble == OBJECT] = NOT_OBJECT
            for point in hint.inside:
                cv2.circle(marks, point, radius, NOT_OBJECT, -1)
    if own.scribble is not None:
        np.copyto(marks, own.scribble, where=own.scribble > 0)
    # the pixel itself last: discs that touch must not paint over each other's centres
    for reach in (radius, 0):
        for points, value in ((own.outside, NOT_OBJECT), (own.inside, OBJECT)):
            for point in points:
                cv2.circle(marks, point, reach, value, -1)
    return marks


def bounds(mask: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    """Left, top, right and bottom (exclusive) of a mask that is not empty."""
    x, y, width, height = cv2.boundingRect(mask.view(np.uint8))
    return x, y, x + width, y + height


def grown_box(hint: Hints, marks: NDArray[np.uint8]) -> tuple[int, int, int, int] | None:
    """Left, top, right and bottom of a hint's box in the frame, made to hold what is marked."""
    if hint.box is None:
        return None
    x, y, across, down = hint.box
    left, top = max(0, x), max(0, y)
    right, bottom = min(marks.shape[1], x + across), min(marks.shape[0], y + down)
    if (marks == OBJECT).any():
        marked_at = bounds(marks == OBJECT)
        left, top = min(left, marked_at[0]), min(top, marked_at[1])
        right, bottom = max(right, marked_at[2]), max(bottom, marked_at[3])
    return left, top, right, bottom


def _whole(numbers: Sequence[float], count: int) -> tuple[int, ...]:
    try:
        whole = tuple(round(float(number)) for number in numbers)
    except (TypeError, ValueError, OverflowError):  # also of NaN and infinity
        whole = ()
    if len(whole) != count:
        raise InputError(f"a box is four numbers, and a point two, not {numbers!r}")
    return whole


def _joined(numbers: tuple[int, ...], between: str = ",") -> str:
    return between.join(str(number) for number in numbers)
