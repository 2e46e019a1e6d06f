"""The ways in which a case is timed: the model alone, the whole command, against the plain one."""

import time
from collections.abc import Generator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from ddeal_cli.bench.case import Case, Effort
from ddeal_cli.bench.clip import BenchClip
from ddeal_cli.bench.model import Model, network_size
from ddeal_cli.bench.plain.network import PlainNetwork
from ddeal_cli.bench.timing import Tell, Times, paced, synchronise
from ddeal_core.media.outputs.writers import open_writer
from ddeal_core.media.sources.opening import open_source
from ddeal_core.runs.pipeline import segment_video
from ddeal_core.tracking.result import Result
from ddeal_core.tracking.segmenter import Segmenter

__all__ = ["OUTPUTS", "time_against", "time_command", "time_model"]

OUTPUTS = {"masks": "masks", "mp4": "overlay.mp4", "mov": "cutout.mov", "webm": "cutout.webm"}
"""What the whole command can be made to write."""


def time_model(segmenter: Segmenter, clip: BenchClip, effort: Effort, tell: Tell) -> Times:
    """Time the model alone: from frames in memory to labels in memory."""
    seconds: list[float] = []
    total = effort.before + effort.frames
    with closing(_results(segmenter, clip, total)) as results:
        for _ in paced(effort, effort.frames):
            started = time.perf_counter()
            next(results)
            synchronise(segmenter.device)
            seconds.append(time.perf_counter() - started)
            tell("model", 1)
    tell("model", total - len(seconds))
    return Times.of(seconds, effort)


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
    return Times.of(np.diff(stamps).tolist(), effort)


def time_against(
    model: Model, case: Case, clip: BenchClip, effort: Effort, tell: Tell, *, frames: int
) -> dict[str, Any]:
    """Time the network and the plain one in turns, so that both meet the same weather.

    Both are given frames that are scaled to the network's size beforehand.

    Returns:
        A record of plain JSON types: times of both, and the largest difference of probabilities.
    """
    size = network_size(model.segmenter(case), clip.size)
    scaled = clip.resized(size)
    segmenter = model.segmenter(case, resolution="native")
    plain = PlainNetwork(model.state, model.config, device=segmenter.device)
    total = effort.before + frames
    our_seconds: list[float] = []
    plain_seconds: list[float] = []
    difference = 0.0
    theirs = plain.track(scaled.frames(total), {0: scaled.mask})
    with closing(_results(segmenter, scaled, total)) as ours:
        for _ in paced(effort, frames):
            started = time.perf_counter()
            mine = next(ours)
            synchronise(segmenter.device)
            between = time.perf_counter()
            other = next(theirs)
            synchronise(segmenter.device)
            our_seconds.append(between - started)
            plain_seconds.append(time.perf_counter() - between)
            difference = max(difference, float(np.abs(mine.probabilities - other.merged).max()))
            tell("against the plain network", 1)
    tell("against the plain network", total - len(our_seconds))
    times, plain_times = Times.of(our_seconds, effort), Times.of(plain_seconds, effort)
    return {
        "network": "plain",
        "size": list(size[::-1]),
        "ratio": plain_times.frame.mean / times.frame.mean,
        "largest_difference": difference,
        "ours": times.to_dict(),
        "plain": plain_times.to_dict(),
    }


def _results(segmenter: Segmenter, clip: BenchClip, count: int) -> Generator[Result]:
    yield from segmenter.track(clip.frames(count), clip.mask)
