"""How time and memory grow with objects, with size, and with length."""

import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ddeal_cli.bench.case import Case, Effort
from ddeal_cli.bench.clip import BenchClip, LoopedSource
from ddeal_cli.bench.grid import case_record, threads
from ddeal_cli.bench.model import load_model, network_size
from ddeal_cli.bench.passes import time_model
from ddeal_cli.bench.timing import PeakMemory, Samples, Tell, resident_bytes
from ddeal_core.media.outputs.writers import open_writer
from ddeal_core.runs.pipeline import segment_video

__all__ = ["grow", "grow_length"]

_LENGTHS = (100, 200, 500, 1000, 2000, 5000)


def grow(cases: Sequence[Case], effort: Effort, *, tell: Tell) -> Iterator[dict[str, Any]]:
    """Measure the model alone on cases that differ in objects or in size; a record each."""
    for case in cases:
        with threads(case.threads):
            clip = BenchClip.sample(case.size, case.objects)
            model = load_model(case.subject, clip)
            segmenter = model.segmenter(case)
            peak = PeakMemory(segmenter.device)
            settled = effort.settled(model.config, look_ahead=case.look_ahead)
            times = time_model(segmenter, clip, settled, tell)
            yield {
                **case_record(case, clip, network_size(segmenter, clip.size)),
                "model": times.to_dict(),
                "memory": peak.to_dict(),
            }


def grow_length(
    case: Case, frames: int, *, clip: BenchClip | None, limit: float, tell: Tell
) -> Iterator[dict[str, Any]]:
    """Run the whole command on looped frames in memory, writing masks, and look now and then.

    Ends after `limit` seconds, at least at the first mark.

    Yields:
        At each mark the times between frames since the last one, and the memory held.
    """
    with threads(case.threads), TemporaryDirectory(prefix="ddeal-bench-") as folder:
        played = clip or BenchClip.sample(case.size, case.objects)
        segmenter = load_model(case.subject, played).segmenter(case)
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
                        **case_record(replace(case, size=played.size), played, seen),
                        "frames": step.done,
                        "frame_seconds": asdict(Samples.of(seconds)),
                        "resident_bytes": resident_bytes(),
                        "memory": peak.to_dict(),
                    }
                    if late:
                        break
                    seconds = []
                before = time.perf_counter()
