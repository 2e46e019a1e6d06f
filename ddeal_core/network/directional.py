"""Directional features: a 1 x 1 embedding on the unit sphere (Section III-A and IV-A)."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from ddeal_core.network.convolution import initialise


def unit(x: Tensor, dim: int, eps: float) -> Tensor:
    """Scale vectors along ``dim`` to length one: ``x / (eps + |x|)``; zero stays zero."""
    length: Tensor = torch.linalg.vector_norm(x, dim=dim, keepdim=True)
    return x / (eps + length)


class DirectionalFeatures(NamedTuple):
    """Embedded features of a frame and their lengths.

    Attributes:
        raw: ``[B, C, L]`` before normalisation, L = H*W positions.
        length: ``[B, 1, L]`` Euclidean lengths.
    """

    raw: Tensor
    length: Tensor

    @classmethod
    def of(cls, embedded: Tensor) -> "DirectionalFeatures":
        """Take ``[B, C, H, W]``; the result is float32, also under autocast."""
        raw = embedded.flatten(2).float()
        return cls(raw, torch.linalg.vector_norm(raw, dim=1, keepdim=True))

    @property
    def eps(self) -> float:
        """What keeps a zero vector finite: 1/L^2, as in the released code."""
        return 1.0 / self.raw.shape[-1] ** 2

    @property
    def unit(self) -> Tensor:
        """``[B, C, L]`` points on the unit sphere."""
        return self.raw / (self.eps + self.length)


class DirectionalEmbedding(nn.Module):
    """The "directional data generator" of Figure 1: 1 x 1 convolution, then unit length.

    Args:
        inputs: Channels of the backbone at stride 16.
        outputs: Dimensions of the sphere.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 1)
        initialise(self.conv)

    def forward(self, features: Tensor) -> DirectionalFeatures:
        """Embed ``[B, inputs, H, W]``."""
        return DirectionalFeatures.of(self.conv(features))
