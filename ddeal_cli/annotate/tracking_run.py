"""Bringing the results up to date, where they are not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ddeal_cli.annotate.project import Project
from ddeal_cli.annotate.result_store import GivenMasks
from ddeal_core.errors import InputError
from ddeal_core.media.sources.opening import open_source
from ddeal_core.runs.given_masks import references
from ddeal_core.runs.stages import prefetched
from ddeal_core.tracking.doubt import DoubtMeter
from ddeal_core.tracking.segmenter import Segmenter
from ddeal_core.tracking.tracker import Tracker
from ddeal_core.tracking.tracker_state import TrackerState

_WAITING = 4  # decoded frames that wait for the network

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


class RunRange:
    """What a run will do.

    Attributes:
        given: The masks, as they were when the run was asked for.
        stale: One value a frame: whether its result will be new.
    """

    def __init__(self, project: Project) -> None:
        """Look at what is to be done.

        Raises:
            InputError: No object is marked, or all results are fresh.
        """
        self.given: GivenMasks = project.given
        if not self.given.frames:
            raise InputError("mark an object first: a box around it, a click on it, or a stroke")
        self.stale = ~project.results.fresh(self.given)
        if not self.stale.any():
            raise InputError("all results are up to date: correct a frame to run again around it")


class TrackingRun:
    """Runs the network over the parts of a video whose results are not fresh.

    A run over the whole video gives what ``ddeal segment`` gives for the same masks, to the byte.
    Where a mask was mended, only the frames between the masks before and after it are segmented
    again: the rest stays as the person saw it, though its objects have one more reference now.

    Args:
        segmenter: The network.
    """

    def __init__(self, segmenter: Segmenter) -> None:
        self.segmenter = segmenter
        self._snapshots = Snapshots()

    def steps(self, project: Project, what: RunRange) -> Iterator[int]:
        """Renew what is stale.

        Args:
            project: Whose results are renewed.
            what: Which.

        Yields:
            The number of each frame that was segmented; those that are not stale are on the way.

        Raises:
            MediaError: A frame cannot be read.
            OutputError: A result cannot be kept.
        """
        with_references = self.segmenter.tracker()
        for index, labels in references(what.given.labels()).items():
            with_references.add_reference(project.frames.read(index), labels)
        for first, stop in spans(what.stale):
            yield from self._stretch(project, what, with_references.fork(), first, stop)

    def _stretch(
        self, project: Project, what: RunRange, tracker: Tracker, first: int, stop: int
    ) -> Iterator[int]:
        meter = DoubtMeter()
        begin, state = self._snapshots.nearest(max(first, what.given.frames[0]), what.given)
        if state is not None:
            tracker.restore(state)
        with (
            open_source(project.frames.source.path, start=begin) as source,
            prefetched(iter(source), capacity=_WAITING) as frames,
        ):
            for frame in frames:
                self._snapshots.offer(frame.index, tracker, what.given)
                result = tracker.step(frame.image, what.given.at(frame.index))
                if frame.index >= first:
                    project.results.put(
                        frame.index, result, what.given, meter.add(frame.index, result)
                    )
                yield frame.index
                if frame.index + 1 >= stop:
                    return


def spans(flags: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Ranges (first, before last) of what is true."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]
