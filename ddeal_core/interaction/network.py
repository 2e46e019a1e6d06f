"""The network that turns hints about an object into its mask.

The picture goes through EfficientNet-Lite0 once. What is said about the object, five maps, joins
its features at strides 4, 8 and 16; attention at stride 16 carries a click to whatever looks
like the place clicked, wherever it is in the crop. A click more runs the decoder alone.
"""

from typing import NamedTuple, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ddeal_core.interaction.hint_maps import HINT_MAPS
from ddeal_core.network.directional import unit
from ddeal_core.network.efficientnet import EfficientNetLite0, join_scales

_DEPTH = 6  # stages of the backbone: the last one has 192 channels at stride 32
_WIDTHS = (16, 32, 64, 128)  # channels of the decoder at strides 2, 4, 8 and 16
_BLOCKS, _HEADS = 2, 4


class PictureFeatures(NamedTuple):
    """Features of a batch of crops, whatever is said about them."""

    s2: Tensor  # ``[B, 16, H/2, W/2]``
    s4: Tensor  # ``[B, 24, H/4, W/4]``
    s8: Tensor  # ``[B, 40, H/8, W/8]``
    s16: Tensor  # ``[B, 304, H/16, W/16]``


class _Stages(Protocol):
    """A backbone, folded or not."""

    def maps(self, images: Tensor) -> list[Tensor]: ...


class FirstMaskNetwork(nn.Module):
    """Box, clicks and the mask so far to the mask."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = EfficientNetLite0(depth=_DEPTH)
        w2, w4, w8, w16 = _WIDTHS
        self.hints4 = _convolution(HINT_MAPS, w4, stride=2)
        self.hints8 = _convolution(w4, w8, stride=2)
        self.hints16 = _convolution(w8, w16, stride=2)
        self.project2 = nn.Conv2d(16, w2, 1)
        self.project4 = nn.Conv2d(24, w4, 1)
        self.project8 = nn.Conv2d(40 + _COSINES, w8, 1)
        self.project16 = nn.Conv2d(304 + _COSINES, w16, 1)
        self.context = nn.ModuleList(_Block(w16) for _ in range(_BLOCKS))
        self.coarse = nn.Conv2d(w16, 1, 1)
        self.down16 = nn.Conv2d(w16, w8, 1)
        self.refine8 = _Residual(w8)
        self.down8 = nn.Conv2d(w8, w4, 1)
        self.refine4 = _Residual(w4)
        self.down4 = nn.Conv2d(w4, w2, 1)
        self.refine2 = _convolution(w2, w2)
        self.fine = nn.Conv2d(w2, 1, 1)

    def encode(self, images: Tensor, backbone: _Stages | None = None) -> PictureFeatures:
        """Look at crops ``[B, 3, H, W]``, RGB in [0, 1], sides multiples of `STRIDE`.

        The backbone is the network's own, or the same folded.
        """
        kind = EfficientNetLite0
        mean, std = (
            torch.tensor(values, device=images.device).view(3, 1, 1)
            for values in (kind.mean, kind.std)
        )
        maps = (backbone or self.backbone).maps((images - mean) / std)
        return PictureFeatures(maps[0], maps[1], maps[2], join_scales(maps[4:]))

    def decode(self, features: PictureFeatures, hints: Tensor) -> tuple[Tensor, Tensor]:
        """Find the object by hints ``[B, HINT_MAPS, H, W]`` in [0, 1].

        Returns:
            Log-odds of the object, ``[B, 1, H/2, W/2]``, and a coarse ``[B, 1, H/16, W/16]``.
        """
        h4 = self.hints4(F.avg_pool2d(hints, 2))
        h8 = self.hints8(h4)
        x: Tensor = self.project16(torch.cat([features.s16, _cosines(features.s16, hints)], 1))
        x = x + self.hints16(h8)
        for block in self.context:
            x = block(x)
        coarse = self.coarse(x)
        x = (
            self.project8(torch.cat([features.s8, _cosines(features.s8, hints)], 1))
            + h8
            + (_twice(self.down16(x)))
        )
        x = self.refine8(x)
        x = self.refine4(self.project4(features.s4) + h4 + _twice(self.down8(x)))
        x = self.refine2(self.project2(features.s2) + _twice(self.down4(x)))
        return self.fine(x), coarse

    def forward(self, images: Tensor, hints: Tensor) -> Tensor:
        """Log-odds ``[B, 1, H/2, W/2]`` of crops and hints: see `encode` and `decode`."""
        return self.decode(self.encode(images), hints)[0]


_COSINES = 6


def _cosines(features: Tensor, hints: Tensor) -> Tensor:
    """How much each place is like what the hints speak of, ``[B, 6, h, w]``.

    Cosines with the mean features in the box, beside it, on the object, not on it, in the mask so
    far and beside that; zero where nothing is said.
    """
    height, width = features.shape[-2:]
    places = F.adaptive_avg_pool2d(hints, (height, width))
    previous = places[:, 4:]
    beside = (1 - previous) * (previous.amax((2, 3), keepdim=True) > 0)
    places = torch.cat([places, beside], 1).flatten(2)  # [B, 6, L]
    at = unit(features.flatten(2), dim=1, eps=1e-6)  # [B, C, L]
    means = unit(places @ at.transpose(1, 2), dim=2, eps=1e-6)  # [B, 6, C]
    return (means @ at).reshape(len(hints), _COSINES, height, width)


class _Block(nn.Module):
    """A transformer's block; a depthwise convolution tells neighbours from strangers."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.near = nn.Conv2d(width, width, 5, padding=2, groups=width)
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.queries_keys_values = nn.Linear(width, 3 * width)
        self.gather = nn.Linear(width, width)
        self.widen, self.narrow = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Let the places of ``[B, C, h, w]`` look at each other."""
        shape = x.shape
        x = (x + self.near(x)).flatten(2).transpose(1, 2)  # [B, L, C]
        parts = self.queries_keys_values(self.norm1(x)).chunk(3, dim=2)
        heads = [part.unflatten(2, (_HEADS, -1)).transpose(1, 2) for part in parts]
        seen = F.scaled_dot_product_attention(*heads).transpose(1, 2).flatten(2)
        x = x + self.gather(seen)
        x = x + self.narrow(F.gelu(self.widen(self.norm2(x))))
        return x.transpose(1, 2).reshape(shape)


class _Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.second = _convolution(width, width), _convolution(width, width)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(x)
        return x + self.second(self.first(x))  # type: ignore[no-any-return]


def _convolution(inputs: int, outputs: int, *, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()
    )


def _twice(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
