"""Places in a video from which tracking can be taken up again."""

from __future__ import annotations

from dataclasses import dataclass, fields, is_dataclass

from torch import Tensor

from ddeal_cli.annotate.result_store import GivenMasks
from ddeal_core.tracking.tracker import Tracker
from ddeal_core.tracking.tracker_state import TrackerState

_MOST = 12
_ROOM = 384 << 20  # bytes


@dataclass(frozen=True, slots=True)
class _Snapshot:
    before: int  # the next frame to step
    given: str  # stands for the masks around the frame before
    state: TrackerState


class Snapshots:
    """What a tracker knew at some frames, evenly spread over what was run, of bounded memory."""

    def __init__(self) -> None:
        self._kept: list[_Snapshot] = []
        self._interval = 4

    def nearest(self, index: int, given: GivenMasks) -> tuple[int, TrackerState | None]:
        """Where to begin, so as to arrive at a frame in the state that the masks lead to.

        Args:
            index: The first frame whose result is wanted; not before the first mask.
            given: The masks.

        Returns:
            The frame to step next, at or before `index`, and what is known before it; None where
            all begins anew.
        """
        first = given.last_restart(index)
        self._kept = [
            each for each in self._kept if each.given == given.nearest_to(each.before - 1)
        ]
        for each in reversed(self._kept):
            if first < each.before <= index:
                return each.before, each.state
        return first, None

    def offer(self, before: int, tracker: Tracker, given: GivenMasks) -> None:
        """Keep the state before a frame if it is time to."""
        if before % self._interval or any(each.before == before for each in self._kept):
            return
        self._kept.append(_Snapshot(before, given.nearest_to(before - 1), tracker.snapshot()))
        self._kept.sort(key=lambda each: each.before)
        most = max(2, min(_MOST, _ROOM // max(1, _bytes_of(tracker.state))))
        while len(self._kept) > most:
            self._interval *= 2
            thinned = [each for each in self._kept if each.before % self._interval == 0]
            self._kept = thinned or self._kept[-1:]


def _bytes_of(value: object) -> int:
    if isinstance(value, Tensor):
        return value.numel() * value.element_size()
    if isinstance(value, tuple):
        return sum(_bytes_of(each) for each in value)
    if is_dataclass(value):
        return sum(_bytes_of(getattr(value, field.name)) for field in fields(value))
    return 0
