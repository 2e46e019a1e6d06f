"""Following objects back from their masks, which is going forward through the frames in reverse.

Results are written in the order of the video, so those of the way back are found first, and wait
on the disk until their turn has come.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ddeal_core.media.sources.backwards import backwards
from ddeal_core.media.sources.frame_source import FrameSource
from ddeal_core.runs.journal import Pass
from ddeal_core.runs.request import Direction
from ddeal_core.runs.stages import ahead
from ddeal_core.tracking.look_ahead import encoded
from ddeal_core.tracking.segmenter import Segmenter

__all__ = ["WayBack"]

Masks = Mapping[int, NDArray[np.integer]]

_WAITING = 4  # frames that are decoded in advance


@dataclass(frozen=True, slots=True)
class WayBack:
    """What is followed backward, and from where.

    Attributes:
        masks: Label maps by frame.
        begins: By object, the frame from which on going forward has it; others are followed back
            from the last mask.
    """

    masks: Masks
    begins: Mapping[int, int]

    @classmethod
    def of(cls, masks: Masks, direction: Direction, start: int) -> WayBack | None:
        """Choose what to follow backward; None where nothing is to be.

        Going "backward" all masks count, from the last to the first. Going "both" ways, each
        object is followed back from its first mask.

        Args:
            masks: All of them, in order.
            direction: Which way.
            start: First frame of the video's range.
        """
        if direction == "backward":
            return cls(masks, {})
        if direction == "forward":
            return None
        first: dict[int, NDArray[np.integer]] = {}
        begins: dict[int, int] = {}
        for index, labels in masks.items():
            fresh = [int(i) for i in np.unique(labels) if i and int(i) not in begins]
            begins.update(dict.fromkeys(fresh, index))
            if fresh and index > start:
                first[index] = np.where(np.isin(labels, fresh), labels, 0)
        return cls(first, begins) if first else None

    def follow(
        self,
        segmenter: Segmenter,
        source: FrameSource,
        kept: Pass,
        on_frame: Callable[[int, int], None],
    ) -> None:
        """Find the results, or those that are not kept yet.

        Args:
            segmenter: Network, device and resolution.
            source: The video.
            kept: Where results go; what is there is gone on from.
            on_frame: Called after each new frame with how many are done, and how many there are.

        Raises:
            MediaError: A frame cannot be read.
            OutputError: There is no room for the results.
        """
        stop = max(self.masks) + 1
        total, done = stop - source.start, kept.done
        if done == total:
            return
        tracker = segmenter.tracker()
        kept.restore(tracker)
        with ahead(backwards(source, stop - done), capacity=_WAITING) as frames:
            pairs = encoded(tracker, frames, lambda f: f.image, count=segmenter.look_ahead)
            for frame, encoding in pairs:
                done += 1
                result = kept.step(tracker, frame.image, self.masks.get(frame.index), encoding)
                ids = (i for i in result.object_ids if frame.index < self.begins.get(i, stop))
                kept.log.add(frame.index, result, tuple(ids))
                if done % segmenter.look_ahead == 0:  # batches begin where they would have begun
                    kept.reached(done, tracker.snapshot())
                on_frame(done, total)
        kept.reached(total, tracker.snapshot())
        kept.save()
