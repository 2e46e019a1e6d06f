"""Mask propagation: where the object was, on the first frame and on the last one."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ddeal_core.network.convolution import ConcatConv2d, initialise

_FRAME, _FIRST, _LAST_MASK, _FIRST_MASK = range(4)


class MaskPropagation(nn.Module):
    """Figure 1, "mask-propagation module", after RGMP.

    It sees the features of the current and of the first frame, the last mask and the first mask,
    concatenated in this order. A 1 x 1 convolution, a pyramid of 3 x 3 convolutions with
    dilations 1, 3 and 6 (one ReLU after their concatenation), and a 3 x 3 convolution.

    Args:
        inputs: Channels of the backbone at stride 16.
        channels: Channels of every layer.
    """

    def __init__(self, inputs: int, channels: int) -> None:
        super().__init__()
        self.conv_in = ConcatConv2d((inputs, inputs, 2, 2), channels, 1)
        # Two channels of masks among hundreds of features would start too quiet to be heard, and
        # be trained away: each part begins as if it were alone.
        for part in (_LAST_MASK, _FIRST_MASK):
            nn.init.kaiming_normal_(self.conv_in.part(part)[0], nonlinearity="relu")
        self.pyramid = nn.ModuleList(
            nn.Conv2d(channels, channels, 3, padding=dilation, dilation=dilation)
            for dilation in (1, 3, 6)
        )
        self.conv_out = nn.Conv2d(3 * channels, channels, 3, padding=1)
        for conv in (*self.pyramid, self.conv_out):
            initialise(conv)

    def encode_frame(self, features: Tensor) -> Tensor:
        """Part of the first layer that depends on the current frame alone, once a frame.

        Args:
            features: ``[B, inputs, H, W]``.

        Returns:
            ``[B, channels, H, W]``.
        """
        return self.conv_in(features, part=_FRAME)  # type: ignore[no-any-return]

    def encode_first(self, features: Tensor, masks: Tensor) -> Tensor:
        """Part of the first layer that depends on the first frame, once an object.

        Args:
            features: First frame, ``[G, inputs, H, W]``.
            masks: (background, object) of the first frame, ``[G, K, 2, H, W]``.

        Returns:
            ``[G, K, channels, H, W]``.
        """
        shared = self.conv_in(features, part=_FIRST)
        own = self.conv_in(masks.flatten(0, 1), part=_FIRST_MASK)
        return shared[:, None] + own.view(*masks.shape[:2], *own.shape[1:])  # type: ignore[no-any-return]

    def forward(self, frame: Tensor, first: Tensor, last_masks: Tensor) -> Tensor:
        """Propagate.

        Args:
            frame: From `encode_frame`, ``[G, channels, H, W]``.
            first: From `encode_first`, ``[G, K, channels, H, W]``.
            last_masks: (background, object) of the last frame, ``[G, K, 2, H, W]``.

        Returns:
            ``[G*K, channels, H, W]``.
        """
        own = self.conv_in(last_masks.flatten(0, 1), part=_LAST_MASK)
        x = F.relu((frame[:, None] + first).flatten(0, 1) + own)
        x = F.relu(torch.cat([conv(x) for conv in self.pyramid], dim=1))
        return F.relu(self.conv_out(x))
