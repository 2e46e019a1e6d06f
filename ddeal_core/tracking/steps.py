"""Probabilities in steps that fit 16 bits: small enough to be kept, exact when read again.

All probabilities that leave the tracker were rounded so, hence those that were kept are the ones
that were given at first. A step is far below what 8 bits of alpha show. Labels come of all digits.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["from_steps", "rounded", "to_steps"]

_ONE = 65535  # 1.0 in steps


def rounded(merged: Tensor) -> Tensor:
    """Round ``[1, 1 + K, h, w]`` probabilities; the background takes what the objects leave.

    Objects are rounded down: however many there are, they leave no less than nothing.
    """
    return _with_background((merged[:, 1:].float() * _ONE).floor())


def to_steps(merged: Tensor) -> NDArray[np.uint16]:
    """``[K, h, w]`` uint16 of what `rounded` gave, without the background."""
    return np.asarray((merged[0, 1:] * _ONE).round().cpu().numpy(), np.uint16)


def from_steps(steps: NDArray[np.uint16], device: torch.device) -> Tensor:
    """Undo `to_steps`."""
    return _with_background(torch.from_numpy(steps.astype(np.float32))[None].to(device))


def _with_background(objects: Tensor) -> Tensor:
    # Sums of whole numbers below 2**24 are exact in float32: 254 objects fit.
    background = (_ONE - objects.sum(dim=1, keepdim=True)).clamp(min=0)
    return torch.cat([background, objects], dim=1) / _ONE
