"""A video, its objects, the marks on its frames, and the results so far."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ddeal_cli.annotate.frame_marks import FrameMarks
from ddeal_cli.annotate.history import AnnotatedObject, Annotation, History, added, renamed
from ddeal_cli.annotate.marks import Mark, Stroke
from ddeal_cli.annotate.result_store import GivenMasks, ResultStore
from ddeal_core.errors import InputError
from ddeal_core.media.masks.label_images import Labels
from ddeal_core.media.sources.frame_reader import FrameReader

if TYPE_CHECKING:
    from ddeal_core.interaction.mask_finder import Picture


class Project:
    """What one person works on; methods may be called from any thread.

    Args:
        frames: The video; closed with the project.
        masks: Label maps to begin with, by frame.
        names: Of objects, by id.
        on_change: Called after every change, from the thread that made it.

    Attributes:
        history: Objects and marks, now and before.
        results: Of the frames, so far.

    Raises:
        InputError: A mask is for a frame that is not there, or of another size.
    """

    def __init__(
        self,
        frames: FrameReader,
        *,
        masks: Mapping[int, Labels] | None = None,
        names: Mapping[int, str] | None = None,
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        self.frames = frames
        self.on_change = on_change
        self._lock = threading.RLock()
        self.history = History(_beginning(frames, masks or {}, names or {}))
        self._used = {each.id for each in self.history.now.objects}
        self._given: tuple[Annotation, GivenMasks] | None = None
        self._marked: tuple[int, Picture] | None = None
        self.results = ResultStore(len(frames), frames.size)

    @property
    def annotation(self) -> Annotation:
        """Objects and marks as they stand."""
        return self.history.now

    @property
    def given(self) -> GivenMasks:
        """The masks that the network would be given now."""
        with self._lock:
            now = self.history.now
            if self._given is None or self._given[0] is not now:
                self._given = (now, GivenMasks(now.given))
            return self._given[1]

    def mark(self, index: int, mark: Mark) -> None:
        """Mark something on a frame.

        Raises:
            InputError: There is no such frame or object, or the mark cannot be used.
            MediaError: The frame cannot be read.
        """
        by_hand = isinstance(mark, Stroke) and mark.tool in ("brush", "eraser")
        image = np.zeros((*self.frames.size, 3), np.uint8) if by_hand else self._picture(index)
        with self._lock:
            self._check(index, mark.object_id)
            now = self.history.now
            before = now.frames.get(index) or FrameMarks(self.frames.size)
            found = self.results.labels(index)
            seen = np.zeros(self.frames.size, np.uint8) if found is None else found
            self.history.put(now.with_frame(index, before.marked(mark, image, seen)))
        self.on_change()

    def clear(self, index: int, object_id: int | None = None) -> None:
        """Forget the marks of one object on a frame, or of all.

        Raises:
            InputError: There is no such frame or object.
        """
        image = self._picture(index)
        with self._lock:
            now = self.history.now
            before = now.frames.get(index)
            if before is None or (object_id is not None and object_id not in before.objects):
                return
            after = None if object_id is None else before.without(object_id, image)
            self.history.put(now.with_frame(index, after))
        self.on_change()

    def add_object(self, name: str | None = None) -> AnnotatedObject:
        """Add an object.

        Raises:
            InputError: There are too many, or the name is none.
        """
        with self._lock:
            now = self.history.now
            objects = added(now.objects, name, used=self._used)
            self._used.add(objects[-1].id)
            self.history.put(now.with_objects(objects))
        self.on_change()
        return objects[-1]

    def rename_object(self, object_id: int, name: str) -> None:
        """Give an object another name.

        Raises:
            InputError: There is no such object, or the name is none.
        """
        with self._lock:
            self._check(0, object_id)
            now = self.history.now
            self.history.put(now.with_objects(renamed(now.objects, object_id, name)))
        self.on_change()

    def delete_object(self, object_id: int) -> None:
        """Remove an object and its marks on all frames.

        Raises:
            InputError: There is no such object.
        """
        with self._lock:
            self._check(0, object_id)
            after = self.history.now
            for index, marks in list(after.frames.items()):
                if object_id in marks.objects:
                    after = after.with_frame(index, marks.without(object_id))
            kept = tuple(each for each in after.objects if each.id != object_id)
            self.history.put(after.with_objects(kept))
        self.on_change()

    def undo(self) -> None:
        """Take the last step back."""
        with self._lock:
            self.history.undo()
        self.on_change()

    def redo(self) -> None:
        """Take a step again that was taken back."""
        with self._lock:
            self.history.redo()
        self.on_change()

    def shown(self, index: int) -> Labels:
        """What is to be seen on a frame: the result, and over it what is marked.

        Raises:
            InputError: There is no such frame.
        """
        if not 0 <= index < len(self.frames):
            raise InputError(f"there is no frame {index}: they go to {len(self.frames) - 1}")
        found = self.results.labels(index)
        labels = np.zeros(self.frames.size, np.uint8) if found is None else found
        now = self.history.now
        marks = now.frames.get(index)
        if marks is not None:
            labels[np.isin(labels, marks.objects)] = 0
            mask = marks.mask.labels()
            labels = np.where(mask > 0, mask, labels)
        known = [each.id for each in now.objects]
        labels[~np.isin(labels, known)] = 0
        return labels

    def fresh(self) -> NDArray[np.bool_]:
        """One value a frame: whether its result follows from the masks that are given."""
        return self.results.fresh(self.given)

    def close(self) -> None:
        """Let go of the video and remove the results."""
        self.frames.close()
        self.results.close()

    def _picture(self, index: int) -> Picture:
        """A frame to be marked; that of the last mark is kept, with what was seen of it.

        Raises:
            InputError: There is no such frame.
            MediaError: It cannot be read.
        """
        from ddeal_core.interaction.mask_finder import Picture

        with self._lock:
            if self._marked is None or self._marked[0] != index:
                self._marked = (index, Picture(self.frames.read(index)))
            return self._marked[1]

    def _check(self, index: int, object_id: int) -> None:
        if not 0 <= index < len(self.frames):
            raise InputError(f"there is no frame {index}: they go to {len(self.frames) - 1}")
        if all(each.id != object_id for each in self.history.now.objects):
            raise InputError(f"there is no object {object_id}: add one first")


def _beginning(
    frames: FrameReader, masks: Mapping[int, Labels], names: Mapping[int, str]
) -> Annotation:
    annotation = Annotation()
    ids: set[int] = set(names)
    for index, labels in sorted(masks.items()):
        if not 0 <= index < len(frames):
            raise InputError(
                f"a mask is given for frame {index}, but {frames.source.path} ends after frame "
                f"{len(frames) - 1} (frames are counted from 0)"
            )
        if labels.shape != frames.size:
            raise InputError(f"the mask for frame {index} has another size than the video")
        marks = FrameMarks.of_mask(labels)
        ids.update(marks.objects)
        annotation = annotation.with_frame(index, marks)
    objects = tuple(AnnotatedObject(i, names.get(i, f"object {i}")) for i in sorted(ids))
    return annotation.with_objects(objects)
