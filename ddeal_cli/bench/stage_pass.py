"""One stage after the other, timed and counted, and held against the device's peaks."""

import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ddeal_cli.bench.case import Effort
from ddeal_cli.bench.clip import BenchClip
from ddeal_cli.bench.counting import Counts, OperationCounter
from ddeal_cli.bench.passes import OUTPUTS
from ddeal_cli.bench.stages import OTHER, STAGES, StageClock, watch
from ddeal_cli.bench.timing import Tell, summarize, synchronise
from ddeal_core.media.frame import Frame
from ddeal_core.media.matting.cutout import Cutout
from ddeal_core.media.outputs.writers import open_writer
from ddeal_core.media.sources.frame_source import FrameSource
from ddeal_core.media.sources.opening import open_source
from ddeal_core.tracking.result import Result
from ddeal_core.tracking.segmenter import Segmenter


def time_stages(
    segmenter: Segmenter,
    clip: BenchClip,
    effort: Effort,
    peaks: dict[str, Any],
    tell: Tell,
    *,
    frames: int,
    output: str = "masks",
) -> list[dict[str, Any]]:
    """Time each stage while nothing else runs; then count one more frame.

    The device is waited for wherever a stage begins or ends, which itself costs a little: their
    sum may exceed the time of a frame that runs undisturbed.

    Returns:
        A record a stage, as plain JSON types: see `_stage`.
    """
    clock = StageClock(lambda: synchronise(segmenter.device))
    counter = OperationCounter(lambda: clock.stage)
    laps: list[dict[str, float]] = []
    total = effort.before + frames
    waiting: deque[Frame] = deque()
    with TemporaryDirectory(prefix="ddeal-bench-") as name:
        folder = Path(name)
        video = clip.on_disk(folder, total + 1)
        with (
            open_source(video, end=total + 1) as source,
            open_writer(folder / OUTPUTS[output], source=source) as writer,
            watch(segmenter._network, clock),
        ):
            results = segmenter.track(_decoded(source, clock, waiting), clip.mask)
            for index in range(total):
                started = time.perf_counter()
                result = next(results, None)
                if result is None:  # a video of the user's that is shorter than it said
                    break
                with clock.within("write"):
                    frame = waiting.popleft()
                    writer.write(frame, _cutout(frame, result))
                whole = time.perf_counter() - started
                lap = clock.lap()
                if index >= effort.before:
                    laps.append({OTHER: max(0.0, whole - sum(lap.values())), **lap})
                tell("stages", 1)
            with counter:
                next(results, None)
            tell("stages", total - index)
    return [_stage(name, laps, counter.counts.get(name), peaks) for name in (*STAGES, OTHER)]


def _cutout(frame: Frame, result: Result) -> Cutout:
    return Cutout.of(frame.image, result.labels, lambda: result.probabilities, result.object_ids)


def _decoded(
    source: FrameSource, clock: StageClock, waiting: deque[Frame]
) -> Iterator[NDArray[np.uint8]]:
    frames = iter(source)
    while True:
        with clock.within("decode"):
            frame = next(frames, None)
        if frame is None:
            return
        waiting.append(frame)
        yield frame.image


def _stage(
    name: str, laps: list[dict[str, float]], counts: Counts | None, peaks: dict[str, Any]
) -> dict[str, Any]:
    """What a stage costs a frame, and its place under the roofline.

    The roofline is the time that the operations or the bytes need at the measured peak, whichever
    is longer. Caches can make the bytes cheaper, and the fraction exceed 1.
    """
    counts = counts or Counts()
    seconds = summarize([lap.get(name, 0.0) for lap in laps])
    mean = max(seconds["mean"], 1e-12)
    computing = counts.operations / peaks["operations_per_second"]
    moving = counts.bytes / peaks["bytes_per_second"]
    counted = bool(counts.bytes)
    return {
        "name": name,
        "seconds": seconds,
        "operations": counts.operations,
        "bytes": counts.bytes,
        "operations_per_second": counts.operations / mean,
        "bytes_per_second": counts.bytes / mean,
        "fraction_of_peak_operations": computing / mean,
        "fraction_of_peak_bytes": moving / mean,
        "fraction_of_roofline": max(computing, moving) / mean if counted else None,
        "bound": ("operations" if computing >= moving else "memory") if counted else None,
    }
