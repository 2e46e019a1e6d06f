"""Cases measured one after the other: the record of ``ddeal bench``."""

import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from ddeal_cli.bench.case import Case, Effort
from ddeal_cli.bench.clip import BenchClip, LoopedSource
from ddeal_cli.bench.model import load_model, make_segmenter, network_size
from ddeal_cli.bench.passes import time_against, time_command, time_model
from ddeal_cli.bench.peaks import measure_peaks
from ddeal_cli.bench.stages import time_stages
from ddeal_cli.bench.timing import PeakMemory, Tell, resident_bytes, summarize
from ddeal_core.errors import InputError
from ddeal_core.media.outputs.writers import open_writer
from ddeal_core.runs.pipeline import segment_video

PASSES = 3
"""Of each case: the model, its stages, the whole command; one more against the plain network."""

_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
_LENGTHS = (100, 200, 500, 1000, 2000, 5000)


def measure_grid(
    cases: Sequence[Case],
    effort: Effort,
    *,
    clip: BenchClip | None = None,
    model_only: bool = False,
    against: bool = False,
    output: str = "masks",
    tell: Tell = lambda _, __: None,
) -> Iterator[dict[str, Any]]:
    """Measure cases on the user's clip, or on the sample clip in each case's size.

    `model_only` leaves out all but the model's times and memory, for cases that grow.

    Yields:
        One record a case, as plain JSON types.

    Raises:
        InputError: The user's video is too short.
    """
    if clip is not None:
        # The frame with the mask, those of the warm-up, one to measure, one to count operations on.
        needed = 2 + effort.before
        if len(clip.images) < needed:
            raise InputError(
                f"{clip.name} has {len(clip.images)} frames; {needed} are needed at least "
                f"when {effort.before - 1} are for warming up"
            )
    for case in cases:
        with _threads(case.threads):
            played = clip or BenchClip.sample(case.size, case.objects)
            if model_only:
                yield _measure_model(case, played, effort, tell)
            else:
                yield _measure(case, played, effort, against=against, output=output, tell=tell)


def _measure_model(case: Case, clip: BenchClip, effort: Effort, tell: Tell) -> dict[str, Any]:
    weights = load_model(case.subject, clip)
    effort = effort.settled(weights.config, look_ahead=case.look_ahead)
    segmenter = make_segmenter(weights, case)
    peak = PeakMemory(segmenter.device)
    return {
        **_describe(case, clip, network_size(segmenter, clip.size)),
        "model": time_model(segmenter, clip, effort, tell),
        "memory": peak.to_dict(),
    }


def _measure(
    case: Case, clip: BenchClip, effort: Effort, *, against: bool, output: str, tell: Tell
) -> dict[str, Any]:
    tell("measuring the device's peaks", 0)
    peaks = measure_peaks(torch.device(case.device), _DTYPES[case.precision], case.threads)
    weights = load_model(case.subject, clip)
    effort = effort.settled(
        weights.config, look_ahead=case.look_ahead, at_most=clip.spare(effort.frames)
    )
    segmenter = make_segmenter(weights, case)
    peak = PeakMemory(segmenter.device)
    times = time_model(segmenter, clip, effort, tell)
    memory = peak.to_dict()
    frames = effort.affordable(times["frame_seconds"]["mean"])
    if clip.video is not None:
        frames = min(frames, len(clip.images) - 1 - effort.before)
    command = time_command(segmenter, clip, effort, tell, frames=frames, output=output)
    del segmenter  # and its memory
    stepwise = make_segmenter(weights, case, stepwise=True)
    stages = time_stages(stepwise, clip, effort, peaks, tell, frames=frames, output=output)
    tell("stages", 2 * (effort.frames - frames))
    plain = None
    if against:
        plain = time_against(weights, case, clip, effort, tell, frames=frames)
        tell("against the plain network", effort.frames - frames)
    return {
        **_describe(case, clip, network_size(stepwise, clip.size)),
        "warm_up_frames": effort.before - 1,
        "peaks": peaks,
        "model": times,
        "memory": memory,
        "stages": stages,
        "command": {"output": output, **command},
        "against": plain,
    }


def measure_length(
    case: Case, frames: int, *, clip: BenchClip | None, limit: float, tell: Tell
) -> Iterator[dict[str, Any]]:
    """Run the whole command on looped frames in memory, writing masks, and look now and then.

    Ends after `limit` seconds, at least at the first mark.

    Yields:
        At each mark the times between frames since the last one, and the memory held.
    """
    with _threads(case.threads), TemporaryDirectory(prefix="ddeal-bench-") as folder:
        played = clip or BenchClip.sample(case.size, case.objects)
        segmenter = make_segmenter(load_model(case.subject, played), case)
        seen = network_size(segmenter, played.size)
        source = LoopedSource(played, frames)
        writer = open_writer(Path(folder) / "masks", source=source)
        peak = PeakMemory(segmenter.device)
        marks = {*(length for length in _LENGTHS if length < frames), frames}
        seconds: list[float] = []
        begun = before = time.perf_counter()
        with closing(segment_video(segmenter, source, played.mask, [writer])) as steps:
            for step in steps:
                now = time.perf_counter()
                seconds.append(now - before)
                tell("length", 1)
                late = now - begun > limit and len(seconds) > 1
                if step.done in marks or late:
                    yield {
                        **_describe(replace(case, size=played.size), played, seen),
                        "frames": step.done,
                        "frame_seconds": summarize(seconds),
                        "resident_bytes": resident_bytes(),
                        "memory": peak.to_dict(),
                    }
                    if late:
                        break
                    seconds = []
                before = time.perf_counter()


def _describe(case: Case, clip: BenchClip, seen: tuple[int, int]) -> dict[str, Any]:
    """What was measured; sizes are width and height."""
    return {
        "label": case.label,
        "network": case.subject.name,
        "random_weights": case.subject.weights is None,
        "footage": clip.name,
        "size": list(clip.size[::-1]),
        "network_size": list(seen[::-1]),
        "objects": case.objects,
        "precision": case.precision,
        "device": case.device,
        "threads": case.threads,
        "look_ahead": case.look_ahead,
        "cuda_graphs": case.cuda_graphs,
    }


@contextmanager
def _threads(count: int) -> Iterator[None]:
    """Let torch use so many threads on the CPU."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
