"""Times of repeated work, memory, and how many frames a pass has."""

import contextlib
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ddeal_cli.bench.case import Effort

__all__ = ["PeakMemory", "Samples", "Tell", "Times", "paced", "resident_bytes", "synchronise"]

Tell = Callable[[str, int], None]
"""Told what is going on, and how many frames that did."""

_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")


@dataclass(frozen=True, slots=True)
class Samples:
    """Seconds that a repeated thing took: their number, mean, percentiles and extremes."""

    count: int
    mean: float
    median: float
    p10: float
    p90: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Samples":
        """Summarise at least one value."""
        array = np.asarray(values, np.float64)
        p10, median, p90 = np.percentile(array, [10, 50, 90]).tolist()
        mean, least, most = float(array.mean()), float(array.min()), float(array.max())
        return cls(len(array), mean, median, p10, p90, least, most)


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
    def of(cls, seconds: list[float], effort: Effort) -> "Times":
        """From the times of all frames, the first one on."""
        frame = Samples.of(seconds[effort.before :])
        warm_up = seconds[1 : effort.before]
        spent = sum(warm_up)
        return cls(seconds[0], spent, max(0.0, spent - len(warm_up) * frame.median), frame)

    @property
    def rate(self) -> float:
        """Measured frames a second."""
        return 1 / max(self.frame.mean, 1e-12)

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON types, with frames a second."""
        return {
            "frames_per_second": self.rate,
            "first_seconds": self.first,
            "warm_up_seconds": self.warm_up,
            "compilation_seconds": self.compilation,
            "frame_seconds": asdict(self.frame),
        }


def paced(effort: Effort, frames: int) -> Iterator[int]:
    """Count the frames of a pass: those before, and as many measured ones as the limit allows."""
    begun = time.perf_counter()
    for done in range(1, effort.before + frames + 1):
        yield done
        measured = done - effort.before
        if measured <= 0:
            begun = time.perf_counter()
        elif measured >= min(3, frames) and time.perf_counter() - begun > effort.limit:
            return


def synchronise(device: torch.device) -> None:
    """Wait until the device has done all that it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


class PeakMemory:
    """The highest use of memory from now on."""

    def __init__(self, device: torch.device) -> None:
        self._device, self._since = device, "start"
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
        with contextlib.suppress(OSError):
            _CLEAR.write_text("5")  # Linux: forget the high-water mark of resident memory
            self._since = "case"

    def to_dict(self) -> dict[str, Any]:
        """Bytes so far, as plain JSON types.

        ``resident`` is of the whole process in main memory, or None where nobody tells, since
        the ``case`` began, or since the ``start`` of the process where the system keeps one mark.
        ``device`` is of torch on the GPU, or None on the CPU.
        """
        on_gpu = self._device.type == "cuda"
        return {
            "resident": _resident_peak(),
            "resident_since": self._since,
            "device": torch.cuda.max_memory_allocated(self._device) if on_gpu else None,
        }


def resident_bytes() -> int | None:
    """Main memory that the process holds now; None where nobody tells."""
    return _from_status("VmRSS")


def _resident_peak() -> int | None:
    peak = _from_status("VmHWM")
    if peak is None and sys.platform != "win32":
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        peak *= 1 if sys.platform == "darwin" else 1024
    return peak


def _from_status(field: str) -> int | None:
    with contextlib.suppress(OSError):
        for line in _STATUS.read_text().splitlines():
            if line.startswith(f"{field}:"):
                return int(line.split()[1]) * 1024
    return None
