"""The objects of a project: ids, names, colours."""

from __future__ import annotations

import colorsys
import re
from collections.abc import Collection
from dataclasses import dataclass, replace

from ddeal_core.errors import InputError
from ddeal_core.media.masks.mask_images import MAX_OBJECT_ID

_LONGEST_NAME = 60
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]+")

# apart from each other on any picture, and for people who see colours in another way
_FIRST_COLOURS = (
    "#ff5a5f", "#2ec4ff", "#ffd23f", "#7ae582", "#c77dff", "#ff9f1c", "#4d7cfe", "#ff70a6",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class AnnotatedObject:
    """One object: its id, 1 to 254, in masks, and what a person calls it."""

    id: int
    name: str

    @property
    def colour(self) -> str:
        """A bright colour on the page, as in CSS."""
        if self.id <= len(_FIRST_COLOURS):
            return _FIRST_COLOURS[self.id - 1]
        hue = self.id * 0.6180339887 % 1  # golden angle: neighbours differ
        red, green, blue = colorsys.hls_to_rgb(hue, 0.62, 0.85)
        return f"#{round(red * 255):02x}{round(green * 255):02x}{round(blue * 255):02x}"


def checked_name(text: str) -> str:
    """A name as it may be shown: one line, without control characters."""
    name = _CONTROLS.sub(" ", text).strip()
    if not name:
        raise InputError("an object's name has at least one letter")
    if len(name) > _LONGEST_NAME:
        raise InputError(f"an object's name has at most {_LONGEST_NAME} letters")
    return name


def added(
    objects: tuple[AnnotatedObject, ...], name: str | None = None, *, used: Collection[int] = ()
) -> tuple[AnnotatedObject, ...]:
    """With one more object, of the lowest free id.

    `used` are ids of objects that were deleted: taken only when no other is left, lest results of
    the one pass for the other's.
    """
    taken = {each.id for each in objects}
    free = [i for i in range(1, MAX_OBJECT_ID + 1) if i not in taken]
    if not free:
        raise InputError(f"there are {MAX_OBJECT_ID} objects already, as many as a mask can hold")
    chosen = next((i for i in free if i not in used), free[0])
    new = AnnotatedObject(chosen, f"object {chosen}" if name is None else checked_name(name))
    return (*objects, new)


def renamed(
    objects: tuple[AnnotatedObject, ...], object_id: int, name: str
) -> tuple[AnnotatedObject, ...]:
    """With another name for one object."""
    good = checked_name(name)
    return tuple(replace(each, name=good) if each.id == object_id else each for each in objects)
