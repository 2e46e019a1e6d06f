"""Following objects back from their masks, which is going forward through the frames in reverse.

Results are written in the order of the video, so the backward pass comes first, and its results
wait on the disk until their turn has come.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ddeal_core.choices import Direction
from ddeal_core.errors import MaskError
from ddeal_core.media.masks.label_images import ids_in
from ddeal_core.media.sources.backwards import backwards
from ddeal_core.media.sources.frame_source import FrameSource
from ddeal_core.runs.journal import Pass
from ddeal_core.runs.stages import prefetched
from ddeal_core.tracking.look_ahead import encoded
from ddeal_core.tracking.tracker import Tracker

LabelsByFrame = Mapping[int, NDArray[np.uint8]]

_WAITING = 4  # frames that are decoded in advance


@dataclass(frozen=True, slots=True)
class BackwardTracking:
    """What is followed backward, and from where.

    Attributes:
        masks: Label maps by frame.
        begins: By object, the first frame that the forward pass answers for: results of going
            back count before it. Of an object that is not in it, they count on all frames.
        keys: By object, the frames with a mask of it, where it is followed between them alone.
    """

    masks: LabelsByFrame
    begins: Mapping[int, int]
    keys: Mapping[int, Sequence[int]] = field(default_factory=dict)

    @classmethod
    def of(cls, masks: LabelsByFrame, direction: Direction, start: int) -> BackwardTracking | None:
        """Choose what to follow in another direction than "forward"; None where nothing is to be.

        Going "backward" all masks count, from the last to the first. Going "both" ways, each
        object is followed back from its first mask, unless that is on the range's `start`.
        """
        if direction == "backward":
            return cls(masks, {})
        if direction == "between":
            return cls._between(masks)
        first: dict[int, NDArray[np.uint8]] = {}
        begins: dict[int, int] = {}
        for index, labels in masks.items():
            fresh = [i for i in ids_in(labels) if i not in begins]
            begins.update(dict.fromkeys(fresh, index))
            if fresh and index > start:
                first[index] = np.where(np.isin(labels, fresh), labels, 0)
        return cls(first, begins) if first else None

    @classmethod
    def _between(cls, masks: LabelsByFrame) -> BackwardTracking:
        keys: dict[int, list[int]] = {}
        for index, labels in masks.items():
            for number in ids_in(labels):
                keys.setdefault(number, []).append(index)
        keys = {number: frames for number, frames in keys.items() if len(frames) > 1}
        if not keys:
            raise MaskError("no object has masks on two frames to be followed between")
        back = {i: np.where(np.isin(m, list(keys)), m, 0) for i, m in masks.items()}
        begins = {number: frames[-1] for number, frames in keys.items()}
        return cls({i: labels for i, labels in back.items() if labels.any()}, begins, keys)

    def shares(self, index: int) -> dict[int, float]:
        """By object that is between two masks on a frame, how near the later one is, 0 to 1."""
        shares: dict[int, float] = {}
        for number, frames in self.keys.items():
            place = bisect_right(frames, index)
            if 0 < place < len(frames) and frames[place - 1] < index:
                before, after = frames[place - 1 : place + 1]
                shares[number] = (index - before) / (after - before)
        return shares

    def follow(
        self,
        tracker: Tracker,
        source: FrameSource,
        kept: Pass,
        on_frame: Callable[[int, int], None],
        *,
        look_ahead: int,
    ) -> None:
        """Find the results, or those that are not kept yet.

        Args:
            tracker: With its references.
            source: The video.
            kept: Where results go; what is there is gone on from.
            on_frame: Called after each new frame with how many are done, and how many there are.
            look_ahead: Frames of a batch.
        """
        stop = max(self.masks) + 1
        first = min(frames[0] for frames in self.keys.values()) + 1 if self.keys else source.start
        total, done = stop - first, kept.done
        if done == total:
            return
        kept.restore(tracker)
        with prefetched(backwards(source, stop - done), capacity=_WAITING) as frames:
            pairs = encoded(tracker, frames, lambda f: f.image, count=look_ahead)
            for frame, encoding in pairs:
                done += 1
                with kept.first_step_proves():
                    result = tracker.step(frame.image, self.masks.get(frame.index), encoding)
                ids = (i for i in result.object_ids if frame.index < self.begins.get(i, stop))
                kept.log.add(frame.index, result, tuple(ids))
                if done % look_ahead == 0:  # batches begin where they would have begun
                    kept.reached(done, tracker.snapshot())
                on_frame(done, total)
                if done == total:
                    break
        kept.reached(total, tracker.snapshot())
        kept.save()
