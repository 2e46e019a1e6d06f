"""Run for long and see that nothing grows: memory, threads, open files.

    python -m reliability.soak --frames 10000 --clips 100 --picture soak.png

First one long video with all kinds of outputs, then many short ones one after another.
"""

import argparse
import json
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

from ddeal_core.media import open_outputs, open_source
from ddeal_core.network import Ddeal
from ddeal_core.runs.pipeline import segment_video
from ddeal_core.tracking import Segmenter
from reliability.samples import TINY, make_clip

__all__ = ["Reading", "growth", "main", "many_short", "one_long"]

_OUTPUTS = ("masks", "overlay.mp4", "cut.webm", "all.json")


@dataclass(frozen=True, slots=True)
class Reading:
    """What the process held at one moment.

    Attributes:
        done: Frames or clips so far.
        resident: Bytes of memory.
        threads: Of Python and of libraries.
        files: Open handles.
    """

    done: int
    resident: int
    threads: int
    files: int

    @classmethod
    def now(cls, done: int) -> "Reading":
        """Read it from /proc, or as far as the system tells."""
        try:
            pages = int(Path("/proc/self/statm").read_text().split()[1])
            resident = pages * os.sysconf("SC_PAGE_SIZE")
            threads = len(list(Path("/proc/self/task").iterdir()))
            files = len(list(Path("/proc/self/fd").iterdir()))
        except OSError:
            return cls(done, 0, threading.active_count(), 0)
        return cls(done, resident, threads, files)


def one_long(
    folder: Path, frames: int, *, every: int, watch: Callable[[Reading], None] | None = None
) -> list[Reading]:
    """Segment one video of so many frames into four outputs."""
    clip = make_clip(folder / "long.mp4", frames, sound=True)
    readings: list[Reading] = []

    def note(done: int) -> None:
        if done % every == 0:
            readings.append(Reading.now(done))
            if watch is not None:
                watch(readings[-1])

    _segment(_segmenter(), clip, folder / "long", note)
    return readings


def many_short(
    folder: Path,
    clips: int,
    *,
    frames: int = 12,
    watch: Callable[[Reading], None] | None = None,
) -> list[Reading]:
    """Segment a short video so many times, one after the other, in one process."""
    clip = make_clip(folder / "short.mp4", frames, sound=True)
    segmenter = _segmenter()
    readings: list[Reading] = []
    for number in range(clips):
        _segment(segmenter, clip, folder / "short", lambda _: None)
        readings.append(Reading.now(number + 1))
        if watch is not None:
            watch(readings[-1])
    return readings


def growth(readings: list[Reading]) -> float:
    """Bytes of memory gained for each frame or clip, by a straight line through the later half.

    The first half fills caches, and the network's memory of past frames.
    """
    later = readings[len(readings) // 2 :]
    done = np.array([reading.done for reading in later], np.float64)
    resident = np.array([reading.resident for reading in later], np.float64)
    return float(np.polyfit(done, resident, 1)[0])


def _segmenter() -> Segmenter:
    torch.manual_seed(0)
    return Segmenter(Ddeal(TINY))


def _segment(segmenter: Segmenter, clip: Path, folder: Path, note: Callable[[int], None]) -> None:
    with open_source(clip) as source:
        labels = np.zeros(source.info.size, np.uint8)
        labels[4:14, 2:12], labels[20:28, 30:40] = 1, 2
        writers = open_outputs([folder / name for name in _OUTPUTS], source=source, overwrite=True)
        for progress in segment_video(segmenter, source, labels, writers):
            note(progress.done)


def _draw(series: dict[str, list[Reading]], path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.2), layout="constrained")
    for axes, (title, readings) in zip(
        figure.subplots(1, len(series), squeeze=False)[0], series.items(), strict=True
    ):
        axes.plot([r.done for r in readings], [r.resident / 1e6 for r in readings])
        axes.set(title=title, ylabel="resident, MB", ylim=(0, None))
        axes.grid(alpha=0.3)
    figure.savefig(path, dpi=100)


def main(arguments: list[str] | None = None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--frames", type=int, default=10_000, help="of the long video")
    parser.add_argument("--clips", type=int, default=100, help="short videos")
    parser.add_argument("--picture", type=Path, help="PNG with the memory over time")
    parser.add_argument("--output", type=Path, help="JSON with all readings")
    given = parser.parse_args(arguments)
    series: dict[str, list[Reading]] = {}

    def watch(reading: Reading) -> None:
        print(
            f"{reading.done:>7} done, {reading.resident / 1e6:7.1f} MB, {reading.threads} threads, "
            f"{reading.files} files",
            flush=True,
        )

    with tempfile.TemporaryDirectory() as scratch:
        began = time.monotonic()
        every = max(1, given.frames // 50)
        series["frames of one video"] = one_long(
            Path(scratch), given.frames, every=every, watch=watch
        )
        series["videos of 12 frames"] = many_short(Path(scratch), given.clips)
        seconds = time.monotonic() - began
    for title, readings in series.items():
        first, last = readings[len(readings) // 2], readings[-1]
        print(
            f"{last.done} {title}: {growth(readings) / 1e3:+.3f} kB each over the later half; "
            f"{last.resident / 1e6:.1f} MB, {last.threads} threads ({first.threads} half-way), "
            f"{last.files} open files ({first.files} half-way)"
        )
    print(f"{seconds:.0f} s in all")
    if given.output is not None:
        content = {title: [asdict(r) for r in readings] for title, readings in series.items()}
        given.output.write_text(json.dumps(content) + "\n", encoding="utf-8")
    if given.picture is not None:
        _draw(series, given.picture)
    return 0


if __name__ == "__main__":
    sys.exit(main())
