"""How time and memory grow with objects, with size, and with length."""

import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

from ddeal_cli.bench.case import Case, Effort
from ddeal_cli.bench.clip import BenchClip, LoopedSource
from ddeal_cli.bench.device import peak_memory, reset_peak, resident_bytes
from ddeal_cli.bench.grid import case_record, threads, times_record
from ddeal_cli.bench.model import load_model, network_size
from ddeal_cli.bench.passes import Tell, time_model
from ddeal_cli.bench.samples import Samples
from ddeal_core.media.outputs.writers import open_writer
from ddeal_core.runs.pipeline import segment_video

__all__ = ["LENGTHS", "Axis", "grow", "grow_length", "marks_up_to"]

Axis = Literal["objects", "size", "length"]

LENGTHS = (100, 200, 500, 1000, 2000, 5000)


def grow(
    cases: Sequence[Case], effort: Effort, *, tell: Tell = lambda _, __: None
) -> Iterator[dict[str, Any]]:
    """Measure the model alone on cases that differ in objects or in size.

    Yields:
        One record a case, as plain JSON types.
    """
    for case in cases:
        with threads(case.threads):
            clip = BenchClip.sample(case.size, case.objects)
            model = load_model(case.subject, clip)
            segmenter = model.segmenter(case)
            was_reset = reset_peak(segmenter.device)
            times = time_model(
                segmenter, clip, effort.settled(model.config, look_ahead=case.look_ahead), tell
            )
            yield {
                **case_record(case, clip, network_size(segmenter, clip.size)),
                "model": times_record(times),
                "memory": asdict(peak_memory(segmenter.device, was_reset=was_reset)),
            }


def marks_up_to(frames: int) -> list[int]:
    """The lengths at which one looks, the last one included."""
    return [*(mark for mark in LENGTHS if mark < frames), frames]


def grow_length(
    case: Case,
    frames: int,
    *,
    clip: BenchClip | None = None,
    limit: float = float("inf"),
    tell: Tell = lambda _, __: None,
) -> Iterator[dict[str, Any]]:
    """Run the whole command on looped frames in memory, writing masks, and look now and then.

    Args:
        case: What to run.
        frames: How many.
        clip: The user's; the sample clip if None.
        limit: Seconds after which it ends early, at least at the first mark.
        tell: Told of each frame.

    Yields:
        At each mark the times between frames since the last one, and the memory held.
    """
    with threads(case.threads), TemporaryDirectory(prefix="ddeal-bench-") as folder:
        played = clip or BenchClip.sample(case.size, case.objects)
        segmenter = load_model(case.subject, played).segmenter(case)
        seen = network_size(segmenter, played.size)
        source = LoopedSource(played, frames)
        writer = open_writer(Path(folder) / "masks", source=source)
        was_reset = reset_peak(segmenter.device)
        marks = marks_up_to(frames)
        seconds: list[float] = []
        begun = before = time.perf_counter()
        with closing(segment_video(segmenter, source, played.mask, [writer])) as steps:
            for step in steps:
                now = time.perf_counter()
                seconds.append(now - before)
                tell("length", 1)
                late = now - begun > limit and len(seconds) > 1
                if step.done == marks[0] or late:
                    record = case_record(replace(case, size=played.size), played, seen)
                    yield {
                        **record,
                        "frames": step.done,
                        "frame_seconds": asdict(Samples.of(seconds)),
                        "resident_bytes": resident_bytes(),
                        "memory": asdict(peak_memory(segmenter.device, was_reset=was_reset)),
                    }
                    if late:
                        break
                    del marks[0]
                    seconds = []
                before = time.perf_counter()
