"""Waiting for a device, and its memory."""

import contextlib
import sys
from dataclasses import dataclass
from pathlib import Path

import torch

__all__ = ["MemoryUse", "peak_memory", "reset_peak", "resident_bytes", "synchronise"]

_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")


@dataclass(frozen=True, slots=True)
class MemoryUse:
    """Highest use of memory while a case ran, in bytes.

    Attributes:
        resident: Of the whole process in main memory, or None where nobody tells.
        resident_since: ``"case"`` where the mark was reset before it; ``"start"`` where the
            system keeps one mark for the whole life of the process.
        device: Of torch on the GPU, or None on the CPU.
    """

    resident: int | None
    resident_since: str
    device: int | None


def synchronise(device: torch.device) -> None:
    """Wait until the device has done all that it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def resident_bytes() -> int | None:
    """Main memory that the process holds now; None where nobody tells."""
    return _from_status("VmRSS")


def reset_peak(device: torch.device) -> bool:
    """Begin a new mark; whether the one of main memory could be reset."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    with contextlib.suppress(OSError):
        _CLEAR.write_text("5")  # Linux: forget the high-water mark of resident memory
        return True
    return False


def peak_memory(device: torch.device, *, was_reset: bool) -> MemoryUse:
    """Read the marks."""
    on_gpu = torch.cuda.max_memory_allocated(device) if device.type == "cuda" else None
    return MemoryUse(_resident_peak(), "case" if was_reset else "start", on_gpu)


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
