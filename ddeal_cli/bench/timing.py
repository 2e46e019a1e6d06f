"""Times of repeated work, memory, and how many frames a pass has."""

import contextlib
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ddeal_cli.bench.case import Effort

Tell = Callable[[str, int], None]
"""Told what is going on, and how many frames that did."""

_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")


def summarize(seconds: Sequence[float]) -> dict[str, float]:
    """Number, mean, percentiles and extremes of the times of a repeated thing, at least one."""
    array = np.asarray(seconds, np.float64)
    p10, median, p90 = np.percentile(array, [10, 50, 90]).tolist()
    return {
        "count": len(array),
        "mean": float(array.mean()),
        "median": median,
        "p10": p10,
        "p90": p90,
        "least": float(array.min()),
        "most": float(array.max()),
    }


def summarize_pass(seconds: Sequence[float], effort: Effort) -> dict[str, Any]:
    """Summarise the times of all frames of a pass, the one on which the mask is given first.

    ``frame_seconds`` are those of the measured frames, each until its result is in main memory;
    ``compilation_seconds`` are what the warm-up took beyond as many frames of their median.
    """
    frame = summarize(seconds[effort.before :])
    warm_up = seconds[1 : effort.before]
    return {
        "frames_per_second": 1 / max(frame["mean"], 1e-12),
        "first_seconds": seconds[0],
        "warm_up_seconds": sum(warm_up),
        "compilation_seconds": max(0.0, sum(warm_up) - len(warm_up) * frame["median"]),
        "frame_seconds": frame,
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

        ``resident`` is the highest use of main memory by the whole process, since the ``case``
        began, or since the ``start`` of the process where the system keeps only that; None where
        the system does not tell. ``device`` is torch's on the GPU, or None on the CPU.
        """
        on_gpu = self._device.type == "cuda"
        return {
            "resident": _resident_peak(),
            "resident_since": self._since,
            "device": torch.cuda.max_memory_allocated(self._device) if on_gpu else None,
        }


def resident_bytes() -> int | None:
    """Bytes of main memory that the process holds now; None where the system does not tell."""
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
