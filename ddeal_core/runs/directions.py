"""Which way objects are followed through a video: on from their masks, back, or both.

Going back is going forward through the frames in reverse order. Results still come, and are
written, in the order of the video: those of the way back are found first, and wait on disk.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray

from ddeal_core.errors import InputError
from ddeal_core.media.sources.backwards import backwards, last_frame
from ddeal_core.media.sources.frame_source import FrameSource
from ddeal_core.runs.spool import Spool
from ddeal_core.runs.stages import ahead
from ddeal_core.tracking.look_ahead import encoded
from ddeal_core.tracking.merging import merge, to_labels
from ddeal_core.tracking.result import Result
from ddeal_core.tracking.segmenter import Segmenter

__all__ = ["Direction", "Earlier", "anchor", "check_direction", "followed_back"]

Direction = Literal["forward", "backward", "both"]
Masks = Mapping[int, NDArray[np.integer]]

_WAITING = 4
_EPS = 1e-6


def check_direction(direction: Direction, source: FrameSource) -> None:
    """Hold a direction against the video.

    Raises:
        InputError: There is no such direction, the source is live and only goes forward, or it
            shall pass over damaged frames, which is a way of going forward.
    """
    if direction not in get_args(Direction):
        raise InputError(f"a direction is forward, backward or both, not {direction!r}")
    if direction != "forward" and source.is_live:
        raise InputError(
            f"{source.path} comes once, so objects can only be followed forward in it: record it "
            "to a file first"
        )
    if direction != "forward" and source.on_error != "stop":
        raise InputError(
            f"damaged frames are passed over (on-error {source.on_error}) going forward only: "
            "follow the objects forward, or mend the video first"
        )


def anchor(direction: Direction, source: FrameSource) -> int:
    """Frame that a mask belongs to which does not say: the first, or going back the last.

    Raises:
        InputError: See `check_direction`.
        MediaError: The frames had to be counted, and one cannot be read.
    """
    check_direction(direction, source)
    return last_frame(source) if direction == "backward" else source.start


@dataclass(frozen=True, slots=True)
class Earlier:
    """What was found on the way back.

    Attributes:
        spool: By the frame's index.
    """

    spool: Spool

    def joined(self, index: int, result: Result) -> Result:
        """Add the objects that were found in a frame going back.

        Where both ways found objects, each pixel goes to the most probable one, by the rule that
        merges objects everywhere (`merge`). Otherwise the one result is passed on as it is.

        Args:
            index: Of the frame, in the whole video.
            result: What going forward found in it.
        """
        back = self.spool.get(index)
        if back is None or not back.object_ids:
            return result
        if not result.object_ids:
            back.index = result.index
            return back
        ids = result.object_ids + back.object_ids
        shares = np.concatenate([result.probabilities[1:], back.probabilities[1:]])
        odds = torch.from_numpy(shares).clamp(_EPS, 1 - _EPS).logit()
        merged = merge(odds[None])
        table = np.array([0, *ids], np.uint8)
        return Result(
            index=result.index,
            object_ids=ids,
            labels=table[to_labels(merged)[0].numpy()],
            enlarge=lambda count: merged[0, :count],
            read_cues=lambda: result.cues,
        )


@contextmanager
def followed_back(
    segmenter: Segmenter,
    source: FrameSource,
    given: Masks,
    direction: Direction,
    *,
    on_frame: Callable[[int, int], None] | None = None,
) -> Iterator[tuple[dict[int, NDArray[np.integer]], Earlier | None]]:
    """Follow objects back from their masks, and keep what was found until the block ends.

    - "backward": all masks count, from the last to the first; frames after the last are empty.
    - "both": each object is followed back from its first mask. From there on it is followed
      forward, and corrected by its later masks, as if it went forward only.

    Args:
        segmenter: Network, device and resolution.
        source: The video.
        given: Masks by frame.
        direction: See above; "forward" does nothing.
        on_frame: Called after each frame with how many are done, and how many there are.

    Yields:
        The masks that are left for the way forward, and what was found.

    Raises:
        MediaError: A frame cannot be read.
        OutputError: There is no room for the results.
    """
    masks = dict(given) if direction == "backward" else {}
    begins: dict[int, int] = {}  # where going forward takes over from going back
    if direction == "both":
        masks, begins = _first_masks(given, source.start)
    if not masks:
        yield dict(given), None
        return
    with Spool() as spool:
        tracker = segmenter.tracker()
        stop = max(masks) + 1
        with ahead(backwards(source, stop), capacity=_WAITING) as frames:
            pairs = encoded(tracker, frames, lambda f: f.image, count=segmenter.look_ahead)
            for done, (frame, encoding) in enumerate(pairs, start=1):
                result = tracker.step(frame.image, masks.get(frame.index), encoding)
                ids = tuple(i for i in result.object_ids if frame.index < begins.get(i, stop))
                if ids:
                    spool.add(frame.index, result, ids)
                if on_frame is not None:
                    on_frame(done, stop - source.start)
        yield {} if direction == "backward" else dict(given), Earlier(spool)


def _first_masks(given: Masks, start: int) -> tuple[dict[int, NDArray[np.integer]], dict[int, int]]:
    """The first mask of each object that does not begin on the first frame.

    Returns:
        Label maps of those objects by frame, and the frame of each object.
    """
    masks: dict[int, NDArray[np.integer]] = {}
    begins: dict[int, int] = {}
    for index, labels in sorted(given.items()):
        fresh = [int(i) for i in np.unique(labels) if i and int(i) not in begins]
        begins.update(dict.fromkeys(fresh, index))
        if fresh and index > start:
            masks[index] = np.where(np.isin(labels, fresh), labels, 0)
    return masks, begins
