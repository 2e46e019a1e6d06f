"""What the device can do at most, measured: a large matrix product and a large copy."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch

from ddeal_core.benchmark.device import synchronise

__all__ = ["Peaks", "measure_peaks"]

_TRIES = 5
_LONG_ENOUGH = 0.04  # seconds
_LARGEST_SIDE = 8192
_COPY_BYTES = 128 << 20


@dataclass(frozen=True, slots=True)
class Peaks:
    """Ceilings of the roofline; the best of a few tries each.

    Attributes:
        operations_per_second: Of a square matrix product in the case's precision.
        bytes_per_second: Read and written by a copy that no cache holds.
        product_side: Rows and columns of the matrices.
        copy_bytes: Bytes that were read; as many were written.
    """

    operations_per_second: float
    bytes_per_second: float
    product_side: int
    copy_bytes: int


def measure_peaks(device: torch.device, dtype: torch.dtype) -> Peaks:
    """Measure with torch's present number of threads; about a second.

    Args:
        device: Where to compute.
        dtype: Of the matrices.
    """
    side, seconds = _product(device, dtype)
    copy = _COPY_BYTES if device.type == "cpu" else 8 * _COPY_BYTES
    source = torch.ones(copy // 4, device=device)
    target = torch.empty_like(source)
    return Peaks(
        operations_per_second=2 * side**3 / seconds,
        bytes_per_second=2 * copy / _best(device, lambda: target.copy_(source)),
        product_side=side,
        copy_bytes=copy,
    )


def _product(device: torch.device, dtype: torch.dtype) -> tuple[int, float]:
    """Side and seconds of a product that is large enough for its time to say something."""
    side = 512
    while True:
        a = torch.randn(side, side, device=device).to(dtype)
        b = torch.randn(side, side, device=device).to(dtype)
        product = torch.empty_like(a)
        seconds = _best(device, partial(torch.mm, a, b, out=product))
        if seconds > _LONG_ENOUGH or side >= _LARGEST_SIDE:
            return side, seconds
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
