"""What a person has said so far, and the way back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from ddeal_cli.annotate.frame_marks import FrameMarks
from ddeal_cli.annotate.object_list import AnnotatedObject

__all__ = ["History", "Statement"]

_KEPT = 200


@dataclass(frozen=True, slots=True)
class Statement:
    """Objects in the order in which they were added, and the marks of every frame that has any."""

    objects: tuple[AnnotatedObject, ...] = ()
    frames: Mapping[int, FrameMarks] = field(default_factory=lambda: MappingProxyType({}))

    def with_frame(self, index: int, marks: FrameMarks | None) -> Statement:
        """With other marks on a frame, or with none."""
        frames = {i: each for i, each in self.frames.items() if i != index}
        if marks is not None:
            frames[index] = marks
        return replace(self, frames=MappingProxyType(dict(sorted(frames.items()))))

    def with_objects(self, objects: tuple[AnnotatedObject, ...]) -> Statement:
        """With other objects."""
        return replace(self, objects=objects)

    @property
    def given(self) -> dict[int, FrameMarks]:
        """Marks of the frames on which the network is given something, in order."""
        return {index: marks for index, marks in self.frames.items() if marks.given}


class History:
    """The statement as it stands, with those before it and those taken back.

    `changes` counts how often it has changed, there and back.
    """

    def __init__(self, begin: Statement) -> None:
        self._past: list[Statement] = []
        self._now = begin
        self._taken_back: list[Statement] = []
        self.changes = 0

    @property
    def now(self) -> Statement:
        """As it stands."""
        return self._now

    @property
    def can_undo(self) -> bool:
        """Whether there is a step to take back."""
        return bool(self._past)

    @property
    def can_redo(self) -> bool:
        """Whether a step was taken back."""
        return bool(self._taken_back)

    def put(self, statement: Statement) -> None:
        """Take a step."""
        self.changes += 1
        self._past.append(self._now)
        del self._past[:-_KEPT]
        self._now = statement
        self._taken_back.clear()

    def undo(self) -> None:
        """Take the last step back, if there is one."""
        if self._past:
            self.changes += 1
            self._taken_back.append(self._now)
            self._now = self._past.pop()

    def redo(self) -> None:
        """Take a step again that was taken back, if there is one."""
        if self._taken_back:
            self.changes += 1
            self._past.append(self._now)
            self._now = self._taken_back.pop()
