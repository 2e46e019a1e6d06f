"""What a person has made so far, objects and marks, with undo and redo."""

from __future__ import annotations

import colorsys
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from ddeal_cli.annotate.frame_marks import FrameMarks
from ddeal_core.errors import InputError
from ddeal_core.media.masks.mask_images import MAX_OBJECT_ID

_KEPT = 201

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


@dataclass(frozen=True, slots=True)
class Annotation:
    """Objects in the order in which they were added, and the marks of every frame that has any."""

    objects: tuple[AnnotatedObject, ...] = ()
    frames: Mapping[int, FrameMarks] = field(default_factory=lambda: MappingProxyType({}))

    def with_frame(self, index: int, marks: FrameMarks | None) -> Annotation:
        """With other marks on a frame, or with none."""
        frames = {i: each for i, each in self.frames.items() if i != index}
        if marks is not None:
            frames[index] = marks
        return replace(self, frames=MappingProxyType(dict(sorted(frames.items()))))

    def with_objects(self, objects: tuple[AnnotatedObject, ...]) -> Annotation:
        """With other objects."""
        return replace(self, objects=objects)

    @property
    def given(self) -> dict[int, FrameMarks]:
        """Marks of the frames on which the network is given something, in order."""
        return {index: marks for index, marks in self.frames.items() if marks.given}


class History:
    """Annotations one after the other, and the place of the current one.

    `changes` counts how often it has changed, there and back.
    """

    def __init__(self, begin: Annotation) -> None:
        self._all, self._place = [begin], 0
        self.changes = 0

    @property
    def now(self) -> Annotation:
        """As it stands."""
        return self._all[self._place]

    @property
    def can_undo(self) -> bool:
        """Whether there is a step to take back."""
        return self._place > 0

    @property
    def can_redo(self) -> bool:
        """Whether a step was taken back."""
        return self._place + 1 < len(self._all)

    def put(self, annotation: Annotation) -> None:
        """Take a step; those that were taken back are forgotten."""
        self._all = [*self._all[: self._place + 1], annotation][-_KEPT:]
        self._place = len(self._all) - 1
        self.changes += 1

    def undo(self) -> None:
        """Take the last step back, if there is one."""
        if self.can_undo:
            self._place -= 1
            self.changes += 1

    def redo(self) -> None:
        """Take a step again that was taken back, if there is one."""
        if self.can_redo:
            self._place += 1
            self.changes += 1
