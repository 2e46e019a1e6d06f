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
from ddeal_cli.bench.model import make_segmenter, network_size
from ddeal_cli.bench.plain.network import PlainNetwork
from ddeal_cli.bench.timing import Tell, paced, summarize_pass, synchronise
from ddeal_core.media.outputs.writers import open_writer
from ddeal_core.media.sources.opening import open_source
from ddeal_core.runs.pipeline import segment_video
from ddeal_core.tracking.result import Result
from ddeal_core.tracking.segmenter import Segmenter
from ddeal_core.weights.files import Checkpoint

OUTPUTS = {"masks": "masks", "mp4": "overlay.mp4", "mov": "cutout.mov", "webm": "cutout.webm"}
"""What the whole command can be made to write."""


def time_model(segmenter: Segmenter, clip: BenchClip, effort: Effort, tell: Tell) -> dict[str, Any]:
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
    return summarize_pass(seconds, effort)


def time_command(
    segmenter: Segmenter,
    clip: BenchClip,
    effort: Effort,
    tell: Tell,
    *,
    frames: int,
    output: str = "masks",
) -> dict[str, Any]:
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
    return summarize_pass(np.diff(stamps).tolist(), effort)


def time_against(
    weights: Checkpoint, case: Case, clip: BenchClip, effort: Effort, tell: Tell, *, frames: int
) -> dict[str, Any]:
    """Time the network and the plain one in turns: what else the machine does slows both alike.

    Both are given frames that are scaled to the network's size beforehand.

    Returns:
        A record of plain JSON types: times of both, and the largest difference of probabilities.
    """
    size = network_size(make_segmenter(weights, case), clip.size)
    scaled = clip.resized(size)
    segmenter = make_segmenter(weights, case, resolution="native")
    plain = PlainNetwork(weights.state, weights.config, device=segmenter.device)
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
    ours_summed = summarize_pass(our_seconds, effort)
    plain_summed = summarize_pass(plain_seconds, effort)
    return {
        "network": "plain",
        "size": list(size[::-1]),
        "ratio": plain_summed["frame_seconds"]["mean"] / ours_summed["frame_seconds"]["mean"],
        "largest_difference": difference,
        "ours": ours_summed,
        "plain": plain_summed,
    }


def _results(segmenter: Segmenter, clip: BenchClip, count: int) -> Generator[Result]:
    yield from segmenter.track(clip.frames(count), clip.mask)
