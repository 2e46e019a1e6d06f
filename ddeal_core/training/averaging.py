"""Exponential moving average of a network's weights."""

import copy
from typing import Generic, TypeVar

import torch
from torch import nn

NetworkT = TypeVar("NetworkT", bound=nn.Module)


class MovingAverage(Generic[NetworkT]):
    """Averages weights and batch-norm statistics; the average is what is validated and shipped.

    Args:
        network: Followed from its present weights.
        decay: Weight of the past a step, once the run is long against ``1 / (1 - decay)``.
    """

    def __init__(self, network: NetworkT, decay: float) -> None:
        self.decay = decay
        self.network = copy.deepcopy(network).eval().requires_grad_(False)

    @torch.no_grad()
    def update(self, network: NetworkT, step: int) -> None:
        """Follow the network after a step, counted from 0."""
        # A short past at the start, so that the first random weights are soon forgotten.
        decay = min(self.decay, (1 + step) / (10 + step))
        its = network.state_dict()
        for name, average in self.network.state_dict().items():
            if average.is_floating_point():
                average.lerp_(its[name], 1 - decay)
            else:
                average.copy_(its[name])
