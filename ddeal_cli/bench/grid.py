"""Cases measured one after the other: the record of ``ddeal bench``."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

import torch

from ddeal_cli.bench.case import Case, Effort
from ddeal_cli.bench.clip import BenchClip
from ddeal_cli.bench.model import load_model, network_size
from ddeal_cli.bench.passes import time_against, time_command, time_model
from ddeal_cli.bench.peaks import measure_peaks
from ddeal_cli.bench.stage_pass import time_stages
from ddeal_cli.bench.timing import PeakMemory, Tell
from ddeal_core.errors import InputError

__all__ = ["PASSES", "case_record", "measure_grid", "threads"]

PASSES = 3
"""Of each case: the model, its stages, the whole command; one more against the plain network."""

_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def measure_grid(
    cases: Sequence[Case],
    effort: Effort,
    *,
    clip: BenchClip | None = None,
    against: bool = False,
    output: str = "masks",
    tell: Tell = lambda _, __: None,
) -> Iterator[dict[str, Any]]:
    """Measure cases on the user's clip, or on the sample clip in each case's size.

    Yields:
        One record a case, as plain JSON types.

    Raises:
        InputError: The user's video is too short.
    """
    if clip is not None:
        # A file gives the frames that it has: given, for warming up, measured, one to count on.
        needed = 2 + effort.before
        if len(clip.images) < needed:
            raise InputError(
                f"{clip.name} has {len(clip.images)} frames; {needed} are needed at least "
                f"when {effort.before - 1} are for warming up"
            )
    for case in cases:
        with threads(case.threads):
            played = clip or BenchClip.sample(case.size, case.objects)
            yield _measure(case, played, effort, against=against, output=output, tell=tell)


def _measure(
    case: Case, clip: BenchClip, effort: Effort, *, against: bool, output: str, tell: Tell
) -> dict[str, Any]:
    tell("measuring the device's peaks", 0)
    peaks = measure_peaks(torch.device(case.device), _DTYPES[case.precision], case.threads)
    model = load_model(case.subject, clip)
    effort = effort.settled(
        model.config, look_ahead=case.look_ahead, at_most=clip.spare(effort.frames)
    )
    segmenter = model.segmenter(case)
    peak = PeakMemory(segmenter.device)
    times = time_model(segmenter, clip, effort, tell)
    memory = peak.to_dict()
    frames = effort.affordable(times.frame.mean)
    if clip.video is not None:
        frames = min(frames, len(clip.images) - 1 - effort.before)
    command = time_command(segmenter, clip, effort, tell, frames=frames, output=output)
    del segmenter  # and its memory
    stepwise = model.segmenter(case, stepwise=True)
    stages = time_stages(stepwise, clip, effort, peaks, tell, frames=frames, output=output)
    tell("stages", 2 * (effort.frames - frames))
    plain = None
    if against:
        plain = time_against(model, case, clip, effort, tell, frames=frames)
        tell("against the plain network", effort.frames - frames)
    return {
        **case_record(case, clip, network_size(stepwise, clip.size)),
        "warm_up_frames": effort.before - 1,
        "peaks": asdict(peaks),
        "model": times.to_dict(),
        "memory": memory,
        "stages": stages,
        "command": {"output": output, **command.to_dict()},
        "against": plain,
    }


def case_record(case: Case, clip: BenchClip, seen: tuple[int, int]) -> dict[str, Any]:
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
def threads(count: int) -> Iterator[None]:
    """Let torch use so many threads on the CPU."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
