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
_COPY_BYTES = 128 << 20


@cache
def measure_peaks(device: torch.device, dtype: torch.dtype, threads: int) -> dict[str, Any]:
    """Measure the ceilings of the roofline in about a second, the best of a few tries each.

    Once a process, for torch's number of `threads` now. Operations are those of a square matrix
    product or a 3 x 3 convolution, whichever is faster: two libraries compute them, and either may
    suit a processor better. Bytes are read and written by a copy that no cache holds;
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
    """Operations a second of a product of square matrices."""

    def seconds(side: int) -> float:
        a = torch.randn(side, side, device=device).to(dtype)
        b = torch.randn(side, side, device=device).to(dtype)
        return _best(device, partial(torch.mm, a, b, out=torch.empty_like(a)))

    side, taken = _long_enough(seconds, 512, 8192)
    return 2 * side**3 / taken


@torch.inference_mode()
def _convolution(device: torch.device, dtype: torch.dtype) -> float:
    """Operations a second of a 3 x 3 convolution of 256 channels, packed as the network's are."""
    channels = 256

    def packed(*shape: int) -> torch.Tensor:
        x = torch.randn(*shape, device=device).to(dtype)
        return x.contiguous(memory_format=torch.channels_last)

    weight = packed(channels, channels, 3, 3)

    def seconds(side: int) -> float:
        return _best(device, partial(F.conv2d, packed(1, channels, side, side), weight, padding=1))

    side, taken = _long_enough(seconds, 32, 512)
    return 2 * channels**2 * 9 * side**2 / taken


def _long_enough(seconds: Callable[[int], float], side: int, largest: int) -> tuple[int, float]:
    """Double a side until the time of its work says something; give both."""
    while (taken := seconds(side)) <= _LONG_ENOUGH and side < largest:
        side *= 2
    return side, taken


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
