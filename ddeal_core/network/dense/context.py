"""What the fusion module knows of a whole object. Beyond the paper; off in its presets.

Its two 3 x 3 convolutions see 80 pixels: an object that fills the frame falls to pieces of which
some look like the first frame and some do not. Blocks of wide kernels let these agree.
"""

import torch.nn.functional as F
from torch import Tensor, nn

from ddeal_core.network.convolution import initialise


class ContextBlock(nn.Module):
    """A residual block: filter each channel with 7 x 7, then mix them with two 1 x 1.

    It begins as the identity.

    Args:
        channels: Of what comes in and goes out.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.filter = nn.Conv2d(channels, channels, 7, padding=3, groups=channels)
        self.expand = nn.Conv2d(channels, 2 * channels, 1)
        self.project = nn.Conv2d(2 * channels, channels, 1)
        for conv in (self.filter, self.expand, self.project):
            initialise(conv)
        nn.init.zeros_(self.project.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Filter ``[N, channels, H, W]``."""
        residual: Tensor = self.project(F.relu(self.expand(self.filter(x))))
        return x + residual
