"""What a person has marked so far, with undo and redo."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from ddeal_cli.annotate.frame_marks import FrameMarks
from ddeal_cli.annotate.object_list import AnnotatedObject

_KEPT = 201


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
