"""Which type the convolutions are trained in."""

from pathlib import Path

import torch

__all__ = ["autocast_dtype"]


def autocast_dtype(wanted: str, device: torch.device) -> torch.dtype:
    """Type for `torch.autocast`; "auto" takes bfloat16 where the processor has it."""
    if wanted == "float32":
        return torch.float32
    if wanted == "bfloat16" or device.type == "cuda":
        return torch.bfloat16
    if device.type == "cpu" and "bf16" in _cpu_flags():
        return torch.bfloat16
    return torch.float32


def _cpu_flags() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return ""
    return next((line for line in text.splitlines() if line.startswith("flags")), "")
