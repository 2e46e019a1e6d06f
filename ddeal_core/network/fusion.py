"""Fusion of the cues, and the coarse predictor."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ddeal_core.network.convolution import initialise
from ddeal_core.network.dense.context import ContextBlock


class Fusion(nn.Module):
    """Figure 1, "fusion module": two 3 x 3 convolutions over all cues, then a 1 x 1 predictor.

    Args:
        inputs: Channels of the concatenated cues.
        channels: Outputs of the two convolutions.
        context_blocks: `ContextBlock` between them and the predictor; the paper has none.
    """

    def __init__(self, inputs: int, channels: tuple[int, int], *, context_blocks: int = 0) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, channels[0], 3, padding=1)
        self.conv2 = nn.Conv2d(channels[0], channels[1], 3, padding=1)
        self.context = nn.Sequential(*(ContextBlock(channels[1]) for _ in range(context_blocks)))
        self.predictor = nn.Conv2d(channels[1], 2, 1)
        for conv in (self.conv1, self.conv2, self.predictor):
            initialise(conv)

    def forward(self, cues: list[Tensor]) -> tuple[Tensor, Tensor]:
        """Fuse cues at stride 16.

        Args:
            cues: ``[N, *, H, W]`` each: matching (background, object), appearance (components
                0 to 3), propagation, and what else the configuration adds.

        Returns:
            Fused features ``[N, channels[1], H, W]`` and coarse (background, object) logits
            ``[N, 2, H, W]``.
        """
        x = F.relu(self.conv1(torch.cat(cues, dim=1)))
        x = self.context(F.relu(self.conv2(x)))
        return x, self.predictor(x)
