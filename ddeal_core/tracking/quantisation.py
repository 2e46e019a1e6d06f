"""Probabilities as multiples of 1/65535: small enough to be kept, exact when they are read again.

Everything that leaves the tracker is quantised, so a result that was kept on the disk is the one
that was given at first. One step is far below what 8 bits of alpha can show.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ddeal_core.tracking.merging import to_labels

_ONE = 65535  # stands for a probability of 1


def quantise(merged: Tensor) -> Tensor:
    """Quantise probabilities ``[1, 1 + K, h, w]``, background first.

    Objects are rounded down, so that their sum never exceeds 1, however many there are; the
    background takes what they leave. The most probable class stays the most probable one: an object
    that won by less than rounding leaves takes a step or two from the background.
    """
    quantised = _completed((merged[:, 1:].float() * _ONE).floor())
    won = to_labels(merged)[0]
    y, x = (to_labels(quantised)[0] != won).nonzero().unbind(1)
    if len(y):
        steps = (quantised[0, :, y, x] * _ONE).round()  # [1 + K, pixels], never won by 0
        winner = won[y, x].long()[None]
        own = steps.gather(0, winner)
        others = steps[1:].scatter(0, winner - 1, -1.0).amax(0, keepdim=True)
        more = torch.maximum(others - own + 1, ((steps[:1] - own + 1) / 2).ceil())
        steps.scatter_(0, winner, own + more)
        quantised[:, :, y, x] = _completed(steps[None, 1:])
    return quantised


def to_uint16(merged: Tensor) -> NDArray[np.uint16]:
    """Give the objects of what `quantise` returned as whole numbers ``[K, h, w]``."""
    return np.asarray((merged[0, 1:] * _ONE).round().cpu().numpy(), np.uint16)


def from_uint16(objects: NDArray[np.uint16], device: torch.device) -> Tensor:
    """Undo `to_uint16`: probabilities ``[1, 1 + K, h, w]`` on a device."""
    return _completed(torch.from_numpy(objects.astype(np.float32))[None].to(device))


def with_background(objects: Tensor) -> Tensor:
    """Give objects ``[1, K, h, w]`` that are quantised already the background that they leave."""
    return _completed((objects.float() * _ONE).round())


def _completed(objects: Tensor) -> Tensor:
    # Sums of whole numbers below 2**24 are exact in float32, which holds for 254 objects.
    background = (_ONE - objects.sum(dim=1, keepdim=True)).clamp(min=0)
    return torch.cat([background, objects], dim=1) / _ONE
