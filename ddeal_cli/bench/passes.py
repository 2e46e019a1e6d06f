"""The ways in which a case is timed: the model alone, the whole command, against the plain one."""

import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch

from ddeal_cli.bench.case import Case, Effort
from ddeal_cli.bench.clip import BenchClip
from ddeal_cli.bench.device import synchronise
from ddeal_cli.bench.model import Model, network_size
from ddeal_cli.bench.plain.network import PlainNetwork
from ddeal_cli.bench.samples import Samples
from ddeal_core.media.outputs.writers import open_writer
from ddeal_core.media.sources.opening import open_source
from ddeal_core.runs.pipeline import segment_video
from ddeal_core.tracking.result import Result
from ddeal_core.tracking.segmenter import Segmenter

__all__ = ["OUTPUTS", "AgainstPlain", "Tell", "Times", "time_against", "time_command", "time_model"]

Tell = Callable[[str, int], None]
"""Told what is going on, and how many frames that did."""

OUTPUTS = {
    "masks": "masks",
    "mp4": "overlay.mp4",
    "mov": "cutout.mov",
    "webm": "cutout.webm",
}
"""What the whole command can be made to write."""


@dataclass(frozen=True, slots=True)
class Times:
    """Times of one pass, in seconds.

    Attributes:
        first: The frame on which the mask is given.
        warm_up: The frames after it that are not measured, compilation included.
        compilation: What of `warm_up` is more than as many steady frames take.
        frame: Measured frames, each until its result is in main memory.
    """

    first: float
    warm_up: float
    compilation: float
    frame: Samples

    @classmethod
    def of(cls, seconds: list[float], warm_up: int) -> "Times":
        """From the times of all frames, the first one on."""
        frame = Samples.of(seconds[1 + warm_up :])
        spent = sum(seconds[1 : 1 + warm_up])
        return cls(seconds[0], spent, max(0.0, spent - warm_up * frame.median), frame)


@dataclass(frozen=True, slots=True)
class AgainstPlain:
    """The network and the plain one on the same frames, in turns.

    Attributes:
        ours: Times of the network.
        plain: Times of the plain one.
        difference: Largest difference of probabilities on any measured frame.
        size: Height and width of the frames, scaled beforehand.
    """

    ours: Times
    plain: Times
    difference: float
    size: tuple[int, int]

    @property
    def ratio(self) -> float:
        """How many times faster: frames a second over the plain one's."""
        return self.plain.frame.mean / self.ours.frame.mean


def time_model(
    segmenter: Segmenter,
    clip: BenchClip,
    effort: Effort,
    tell: Tell,
    *,
    frames: int | None = None,
) -> Times:
    """Time the model alone: from frames in memory to labels in memory."""
    planned = frames or effort.frames
    seconds: list[float] = []
    begun = time.perf_counter()
    total = effort.before + planned
    with closing(_results(segmenter, clip, total)) as results:
        while len(seconds) < total:
            started = time.perf_counter()
            next(results)
            synchronise(segmenter.device)
            seconds.append(time.perf_counter() - started)
            tell("model", 1)
            measured = len(seconds) - effort.before
            if measured <= 0:
                begun = time.perf_counter()
            if measured >= min(3, planned) and time.perf_counter() - begun > effort.limit:
                break
    tell("model", total - len(seconds))
    return Times.of(seconds, effort.before - 1)


def time_command(
    segmenter: Segmenter,
    clip: BenchClip,
    effort: Effort,
    tell: Tell,
    *,
    frames: int,
    output: str = "masks",
) -> Times:
    """Time the whole command from a file to written results, without loading the network.

    The clock starts when the network is done with the last frame of the warm-up, and stops when
    the output is closed: none of the measured frames was computed before. The percentiles are of
    the times between two frames that the network is done with.
    """
    total = effort.before + frames
    with TemporaryDirectory(prefix="ddeal-bench-") as name:
        folder = Path(name)
        video = clip.on_disk(folder, total)
        stamps = [time.perf_counter()]

        def computed() -> bool:
            stamps.append(time.perf_counter())
            return False

        with open_source(video, end=total) as source:
            writer = open_writer(folder / OUTPUTS[output], source=source)
            steps = segment_video(segmenter, source, clip.mask, [writer], stop=computed)
            with closing(steps):
                for _ in steps:
                    tell("whole command", 1)
        stamps[-1] = time.perf_counter()  # the output is closed
    return Times.of(np.diff(stamps).tolist(), effort.before - 1)


def time_against(
    model: Model, case: Case, clip: BenchClip, effort: Effort, tell: Tell, *, frames: int
) -> AgainstPlain:
    """Time the network and the plain one in turns, so that both meet the same weather.

    Both are given frames that are scaled to the network's size already.
    """
    size = network_size(model.segmenter(case), clip.size)
    scaled = clip.resized(size)
    segmenter = model.segmenter(case, resolution="native")
    plain = PlainNetwork(model.state, model.config, device=segmenter.device)
    total = effort.before + frames
    times: tuple[list[float], list[float]] = ([], [])
    difference = 0.0
    begun = time.perf_counter()
    theirs = plain.track(scaled.frames(total), {0: scaled.mask})
    for done, ours in enumerate(_timed(_results(segmenter, scaled, total), segmenter.device)):
        started = time.perf_counter()
        other = next(theirs)
        synchronise(segmenter.device)
        times[0].append(ours[0])
        times[1].append(time.perf_counter() - started)
        difference = max(difference, float(np.abs(ours[1].probabilities - other.merged).max()))
        tell("against the plain network", 1)
        measured = done + 1 - effort.before
        if measured <= 0:
            begun = time.perf_counter()
        if measured >= min(3, frames) and time.perf_counter() - begun > effort.limit:
            break
    tell("against the plain network", total - len(times[0]))
    warm = effort.before - 1
    return AgainstPlain(Times.of(times[0], warm), Times.of(times[1], warm), difference, size)


def _results(segmenter: Segmenter, clip: BenchClip, count: int) -> Generator[Result]:
    yield from segmenter.track(clip.frames(count), clip.mask)


def _timed(results: Iterator[Result], device: torch.device) -> Iterator[tuple[float, Result]]:
    """Results, each with the seconds that it took."""
    while True:
        started = time.perf_counter()
        result = next(results, None)
        synchronise(device)
        if result is None:
            return
        yield time.perf_counter() - started, result
