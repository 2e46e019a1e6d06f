"""Backbones without batch norms, for inference and as frozen parts in training."""

from collections.abc import Callable, Mapping
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from ddeal_core.network.backbone import Backbone, BackboneFeatures
from ddeal_core.network.efficientnet import (
    EfficientNetLite0,
    InvertedResidual,
    SameConv2d,
    join_scales,
)
from ddeal_core.network.resnet import ResNet
from ddeal_core.operators.fused_convolution import Activation, FusedConv2d, fold_batch_norm
from ddeal_core.operators.winograd import WinogradConv2d, winograd_pays


def fold_backbone(backbone: Backbone, *, learning: int = 0) -> Backbone:
    """Make a backbone of fused convolutions that answers the same.

    Args:
        backbone: Its batch norms count as in evaluation mode.
        learning: How many of its last stages stay as they are, to learn; the others do not.

    Returns:
        Another backbone, or the same one where its class cannot be folded.
    """
    if learning > len(backbone.stages) - 2:  # the stem learns
        return backbone
    if isinstance(backbone, EfficientNetLite0):
        return _FoldedEfficientNet(backbone, learning)
    if isinstance(backbone, ResNet):
        return _FoldedResNet(backbone, learning)
    return backbone  # the same answers, more slowly


def fused_or_winograd(
    conv: nn.Conv2d, norm: nn.Module | None, *, activation: Activation
) -> nn.Module:
    """The quickest form of a convolution with its batch norm and its activation."""
    fused = FusedConv2d.of(conv, norm, activation=activation)
    return WinogradConv2d(fused) if winograd_pays(conv) else fused


class _Folded(Backbone):
    """A backbone that holds no weights of its own to load."""

    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        self.channels, self.stages = backbone.channels, ()
        self.autocasts = backbone.autocasts  # type: ignore[misc]

    def load_imagenet(self, state: Mapping[str, Tensor]) -> None:  # noqa: ARG002
        """Refuse: weights are loaded before they are folded."""
        raise RuntimeError("load weights before folding them")


class _FoldedResidual(nn.Module):
    """A residual block of either kind: a chain of convolutions beside a shortcut."""

    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        *before, last = [
            (conv, block.get_submodule(name.replace("conv", "bn")))
            for name, conv in block.named_children()
            if isinstance(conv, nn.Conv2d)
        ]
        self.chain = nn.Sequential(
            *(fused_or_winograd(*pair, activation="relu") for pair in before)
        )
        self.last = FusedConv2d.of(*last, activation="relu")
        self.shortcut: FusedConv2d | None = None
        downsample = dict(block.named_children()).get("downsample")
        if isinstance(downsample, nn.Sequential):
            conv, norm = downsample
            assert isinstance(conv, nn.Conv2d)
            self.shortcut = FusedConv2d.of(conv, norm, activation="none")

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x if self.shortcut is None else self.shortcut(x)
        return self.last(self.chain(x), shortcut)  # type: ignore[no-any-return]


class _FoldedResNet(_Folded):
    def __init__(self, backbone: ResNet, learning: int) -> None:
        super().__init__(backbone)
        self.stem = FusedConv2d.of(backbone.conv1, backbone.bn1, activation="relu")
        self.maxpool = backbone.maxpool
        self.layers = _folded_stages(backbone, learning, _FoldedResidual)

    def forward(self, images: Tensor) -> BackboneFeatures:
        """See `Backbone`."""
        stage1, stage2, stage3, stage4 = self.layers
        s4 = stage1(self.maxpool(self.stem(images)))
        s8 = stage2(s4)
        return BackboneFeatures(s4, s8, stage4(stage3(s8)))


class _FoldedSame(nn.Module):
    """A `SameConv2d`: for even sides a kernel with one row and column of zeros more.

    That needs no padded copy of what comes in.
    """

    def __init__(self, conv: SameConv2d, norm: nn.BatchNorm2d) -> None:
        super().__init__()
        weight, bias = fold_batch_norm(conv, norm)
        half = conv.kernel_size[0] // 2
        self.odd, self.even = (
            FusedConv2d(
                F.pad(weight, (extra, 0, extra, 0)),
                bias,
                stride=conv.stride,
                padding=(half, half),
                groups=conv.groups,
                activation="relu6",
            )
            for extra in (0, 1)
        )
        self.strided = conv.stride[0] > 1

    def forward(self, x: Tensor) -> Tensor:
        height, width = (side % 2 == 0 for side in x.shape[-2:])
        if not self.strided or not (height or width):
            return self.odd(x)  # type: ignore[no-any-return]
        # A side that is odd takes the longer kernel with a column of zeros in front.
        if not (height and width):
            x = F.pad(x, (int(not width), 0, int(not height), 0))
        return self.even(x)  # type: ignore[no-any-return]


class _FoldedInvertedResidual(nn.Module):
    def __init__(self, block: InvertedResidual) -> None:
        super().__init__()
        self.expand = (
            FusedConv2d.of(block.expand_conv, block.bn0, activation="relu6")
            if hasattr(block, "expand_conv")
            else nn.Identity()
        )
        self.depthwise = _FoldedSame(block.depthwise_conv, block.bn1)
        self.project = FusedConv2d.of(block.project_conv, block.bn2)
        self.has_shortcut = block.has_shortcut

    def forward(self, x: Tensor) -> Tensor:
        y = self.depthwise(self.expand(x))
        return self.project(y, x if self.has_shortcut else None)  # type: ignore[no-any-return]


class _FoldedEfficientNet(_Folded):
    def __init__(self, backbone: EfficientNetLite0, learning: int) -> None:
        super().__init__(backbone)
        self.stem = _FoldedSame(backbone.conv_stem, backbone.bn0)
        self.blocks = _folded_stages(backbone, learning, _FoldedInvertedResidual)

    def forward(self, images: Tensor) -> BackboneFeatures:
        """See `Backbone`."""
        maps = self.maps(images)
        return BackboneFeatures(maps[1], maps[2], join_scales(maps[4:]))

    def maps(self, images: Tensor) -> list[Tensor]:
        """See `EfficientNetLite0.maps`."""
        x = self.stem(images)
        found = []
        for stage in self.blocks:
            x = stage(x)
            found.append(x)
        return found


def _folded_stages(
    backbone: Backbone, learning: int, folded_block: Callable[[Any], nn.Module]
) -> nn.ModuleList:
    names = backbone.stages[2:]  # after the stem and its batch norm
    stages = [backbone.get_submodule(name) for name in names]
    frozen = len(names) - learning
    folded = [nn.Sequential(*map(folded_block, stage.children())) for stage in stages[:frozen]]
    return nn.ModuleList([*folded, *stages[frozen:]])
