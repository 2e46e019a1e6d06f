"""The stages that a frame passes through: told apart by a clock, counted, held against the peaks.

The network and the tracker know nothing of the clock. While `watch` is on, the functions that
`places` names are wrapped: each charges its time to its stage, less what it calls of others.
"""

import importlib
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import wraps
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray

from ddeal_cli.bench.case import Effort
from ddeal_cli.bench.clip import BenchClip
from ddeal_cli.bench.counting import Counts, OperationCounter
from ddeal_cli.bench.passes import OUTPUTS
from ddeal_cli.bench.timing import Tell, summarize, synchronise
from ddeal_core.media.frame import Frame
from ddeal_core.media.outputs.writers import open_writer
from ddeal_core.media.sources.frame_source import FrameSource
from ddeal_core.media.sources.opening import open_source
from ddeal_core.network.ddeal import Ddeal
from ddeal_core.tracking.segmenter import Segmenter

STAGES = (
    "decode",
    "upload",
    "backbone",
    "matching",
    "appearance",
    "propagation",
    "fusion",
    "up-sampling",
    "merge",
    "download",
    "write",
)
"""In the order in which a frame passes them."""

OTHER = "other"
"""What no stage claims: padding, pooling of masks, the loop itself."""

_OF_NETWORK = (
    ("backbone", "backbone", ("forward",)),
    ("backbone", "", ("project",)),  # all projections of its output as one product
    ("matching", "matching", ("forward",)),
    ("matching", "dense_matching", ("encode_frame", "log_masks", "forward")),
    ("appearance", "appearance", ("forward", "estimate")),
    ("appearance", "appearance.embedding", ("forward",)),
    ("propagation", "propagation", ("encode_frame", "encode_first", "forward")),
    ("fusion", "fusion", ("forward",)),
    ("up-sampling", "upsampling", ("encode_frame", "forward")),
)
_OF_MODULES = (
    ("matching", "ddeal_core.network.ddeal", "match"),
    ("merge", "ddeal_core.tracking.tracker", "soft_aggregation"),
    ("merge", "ddeal_core.tracking.maps", "update_argmax"),
    ("upload", "ddeal_core.tracking.tracker", "Tracker._to_tensor"),
    ("download", "ddeal_core.tracking.tracker", "Tracker._to_result"),
)


def places(network: Ddeal) -> list[tuple[str, Any, str]]:
    """Stage, owner and name of each function that is wrapped."""
    found: list[tuple[str, Any, str]] = []
    for stage, path, names in _OF_NETWORK:
        owner: Any = network
        for part in filter(None, path.split(".")):
            owner = getattr(owner, part)
        if owner is not None:  # the paper's presets have no dense matching
            found += [(stage, owner, name) for name in names]
    for stage, module, path in _OF_MODULES:
        owner = importlib.import_module(module)
        *parts, name = path.split(".")
        for part in parts:
            owner = getattr(owner, part)
        found.append((stage, owner, name))
    return found


class StageClock:
    """Charges time to the innermost stage that is open, in one thread.

    `synchronise` waits for the device, wherever a stage begins or ends.
    """

    def __init__(self, synchronise: Callable[[], None]) -> None:
        self._synchronise = synchronise
        self._seconds: dict[str, float] = {}
        self._open = [OTHER]
        self._since = 0.0

    @property
    def stage(self) -> str:
        """The stage that is open."""
        return self._open[-1]

    @contextmanager
    def within(self, stage: str) -> Iterator[None]:
        """Charge what happens inside to a stage."""
        self._charge()
        self._open.append(stage)
        try:
            yield
        finally:
            self._charge()
            self._open.pop()

    def wrap(self, stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, with its time charged to a stage."""

        @wraps(function)
        def timed(*args: Any, **kwargs: Any) -> Any:
            with self.within(stage):
                return function(*args, **kwargs)

        return timed

    def lap(self) -> dict[str, float]:
        """Seconds by stage since the last lap."""
        seconds, self._seconds = self._seconds, {}
        return seconds

    def _charge(self) -> None:
        self._synchronise()
        now = time.perf_counter()
        if self.stage != OTHER:
            self._seconds[self.stage] = self._seconds.get(self.stage, 0.0) + now - self._since
        self._since = now


@contextmanager
def watch(network: Ddeal, clock: StageClock) -> Iterator[None]:
    """Charge the stages of a network, and of all trackers, to a clock while this is open."""
    with ExitStack() as undo:
        for stage, owner, name in places(network):
            undo.enter_context(patch.object(owner, name, clock.wrap(stage, getattr(owner, name))))
        yield


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
                    writer.write(frame, result.cutout(frame.image))
                whole = time.perf_counter() - started
                lap = clock.lap()
                if index >= effort.before:
                    laps.append({OTHER: max(0.0, whole - sum(lap.values())), **lap})
                tell("stages", 1)
            with counter:
                next(results, None)
            tell("stages", total - index)
    return [_stage(name, laps, counter.counts.get(name), peaks) for name in (*STAGES, OTHER)]


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
