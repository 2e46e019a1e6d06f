"""Bringing the results up to date: from the first frame that is not, to the end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import numpy as np

from ddeal_cli.annotate.project import Project
from ddeal_cli.annotate.result_store import GivenMasks
from ddeal_cli.annotate.snapshots import Snapshots
from ddeal_core.errors import InputError
from ddeal_core.media.sources.opening import open_source
from ddeal_core.runs.stages import ahead
from ddeal_core.tracking.doubt import DoubtMeter
from ddeal_core.tracking.segmenter import Segmenter

__all__ = ["RunRange", "TrackingRun"]

_WAITING = 4  # decoded frames that wait for the network


class RunRange:
    """What a run will do.

    Attributes:
        given: The masks, as they were when the run was asked for.
        first: First frame whose result will be new.
        stop: The frame to stop before: later results are fresh, or the video ends.
    """

    def __init__(self, project: Project) -> None:
        """Look at what is to be done.

        Raises:
            InputError: No object is marked, or all results are fresh.
        """
        self.given: GivenMasks = project.given
        if not self.given.frames:
            raise InputError("mark an object first: a box around it, a click on it, or a stroke")
        stale = np.flatnonzero(~project.results.fresh(self.given))
        if not stale.size:
            raise InputError("all results are up to date: correct a frame to run again from there")
        self.first = int(stale[0])
        self.stop = int(stale[-1]) + 1


class TrackingRun:
    """Runs the network over the part of a video whose results are not fresh.

    What comes out is what ``ddeal segment`` gives for the same masks, to the byte: a run that
    begins in the middle takes up the tracker as it was there.

    Args:
        segmenter: The network.
    """

    def __init__(self, segmenter: Segmenter) -> None:
        self.segmenter = segmenter
        self._snapshots = Snapshots(segmenter)

    def steps(self, project: Project, what: RunRange) -> Iterator[int]:
        """Work through a range.

        Args:
            project: Whose results are renewed.
            what: The range.

        Yields:
            The number of each frame that was segmented; below `what.first` only the way there.

        Raises:
            MediaError: A frame cannot be read.
            OutputError: A result cannot be kept.
        """
        meter = DoubtMeter()
        begin, tracker = self._snapshots.nearest(what.first, what.given)
        with (
            open_source(project.frames.source.path, start=begin) as source,
            ahead(iter(source), capacity=_WAITING) as frames,
        ):
            for frame in frames:
                self._snapshots.offer(frame.index, tracker, what.given)
                result = tracker.step(frame.image, what.given.at(frame.index))
                if frame.index >= what.first:
                    project.results.put(
                        frame.index, result, what.given, meter.add(frame.index, result)
                    )
                yield frame.index
                if frame.index + 1 >= what.stop:
                    return

    def run(self, project: Project, what: RunRange) -> None:
        """Work through a range at once; see `steps`."""
        with closing(self.steps(project, what)) as steps:  # type: ignore[type-var]
            for _ in steps:
                pass
