"""What the device can do at most, measured: large products and a large copy."""

import time
from collections.abc import Callable
from functools import cache, partial
from typing import Any

import torch
import torch.nn.functional as F

from ddeal_cli.bench.timing import synchronise

_TRIES = 5
_LONG_ENOUGH = 0.04  # seconds
_LARGEST_SIDE = 8192
_COPY_BYTES = 128 << 20


@cache
def measure_peaks(device: torch.device, dtype: torch.dtype, threads: int) -> dict[str, Any]:
    """Measure the ceilings of the roofline in about a second, the best of a few tries each.

    Once a process, for torch's number of `threads` now. Operations are those of a square matrix
    product or a 3 x 3 convolution, whichever is faster: libraries for the two differ, and which of
    them knows a processor better. Bytes are read and written by a copy that no cache holds;
    ``copy_bytes`` were read, and as many written.
    """
    assert threads == torch.get_num_threads()
    copy = _COPY_BYTES if device.type == "cpu" else 8 * _COPY_BYTES
    source = torch.ones(copy // 4, device=device)
    target = torch.empty_like(source)
    rates = {"matrix product": _product(device, dtype), "convolution": _convolution(device, dtype)}
    fastest = max(rates, key=lambda name: rates[name])
    return {
        "operations_per_second": rates[fastest],
        "measured_by": fastest,
        "bytes_per_second": 2 * copy / _best(device, lambda: target.copy_(source)),
        "copy_bytes": copy,
    }


def _product(device: torch.device, dtype: torch.dtype) -> float:
    """Operations a second of a product, large enough for its time to say something."""
    side = 512
    while True:
        a = torch.randn(side, side, device=device).to(dtype)
        b = torch.randn(side, side, device=device).to(dtype)
        product = torch.empty_like(a)
        seconds = _best(device, partial(torch.mm, a, b, out=product))
        if seconds > _LONG_ENOUGH or side >= _LARGEST_SIDE:
            return 2 * side**3 / seconds
        side *= 2


@torch.inference_mode()
def _convolution(device: torch.device, dtype: torch.dtype) -> float:
    """Operations a second of a 3 x 3 convolution of 256 channels, packed as the network's are."""
    channels, side = 256, 32
    weight = torch.randn(channels, channels, 3, 3, device=device).to(dtype)
    weight = weight.contiguous(memory_format=torch.channels_last)
    while True:
        x = torch.randn(1, channels, side, side, device=device).to(dtype)
        x = x.contiguous(memory_format=torch.channels_last)
        seconds = _best(device, partial(F.conv2d, x, weight, padding=1))
        if seconds > _LONG_ENOUGH or side >= _LARGEST_SIDE // 16:
            return 2 * channels**2 * 9 * side**2 / seconds
        side *= 2


def _best(device: torch.device, work: Callable[[], object]) -> float:
    work()
    seconds = []
    for _ in range(_TRIES):
        synchronise(device)
        begun = time.perf_counter()
        work()
        synchronise(device)
        seconds.append(time.perf_counter() - begun)
    return max(min(seconds), 1e-9)
