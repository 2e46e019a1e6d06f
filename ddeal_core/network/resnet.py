"""ResNet whose last stage is dilated, the feature extractor of the paper (Section IV-A).

Parameter names are torchvision's, so its ImageNet files load as they are.
"""

from collections.abc import Mapping

from torch import Tensor, nn

from ddeal_core.network.backbone import Backbone, BackboneFeatures


class _BasicBlock(nn.Module):
    expansion = 1

    def __init__(self, inputs: int, width: int, stride: int, dilation: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(
            inputs, width, 3, stride, padding=dilation, dilation=dilation, bias=False
        )
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=dilation, dilation=dilation, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = _shortcut(inputs, width * self.expansion, stride)

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x if self.downsample is None else self.downsample(x)
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.bn2(self.conv2(x))
        return self.relu(x + shortcut)  # type: ignore[no-any-return]


class _Bottleneck(nn.Module):
    expansion = 4

    def __init__(self, inputs: int, width: int, stride: int, dilation: int) -> None:
        super().__init__()
        outputs = width * self.expansion
        self.conv1 = nn.Conv2d(inputs, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(
            width, width, 3, stride, padding=dilation, dilation=dilation, bias=False
        )
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = _shortcut(inputs, outputs, stride)

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x if self.downsample is None else self.downsample(x)
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.relu(self.bn2(self.conv2(x)))
        x = self.bn3(self.conv3(x))
        return self.relu(x + shortcut)  # type: ignore[no-any-return]


def _shortcut(inputs: int, outputs: int, stride: int) -> nn.Sequential | None:
    if stride == 1 and inputs == outputs:
        return None
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))


_STAGES: dict[str, tuple[type[_BasicBlock] | type[_Bottleneck], tuple[int, ...]]] = {
    "resnet18": (_BasicBlock, (2, 2, 2, 2)),
    "resnet50": (_Bottleneck, (3, 4, 6, 3)),
    "resnet101": (_Bottleneck, (3, 4, 23, 3)),
}


class ResNet(Backbone):
    """ResNet-18, -50 or -101 with stride 16 (the last stage dilated instead of strided).

    Args:
        name: "resnet18", "resnet50" or "resnet101".
        width: Channels of the stem; 64 is the published network.
    """

    stages = ("conv1", "bn1", "layer1", "layer2", "layer3", "layer4")

    def __init__(self, name: str, *, width: int = 64) -> None:
        super().__init__()
        block, depths = _STAGES[name]
        self.conv1 = nn.Conv2d(3, width, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self._inputs = width
        self.layer1 = self._stage(block, width, depths[0], stride=1)
        self.layer2 = self._stage(block, width * 2, depths[1], stride=2)
        self.layer3 = self._stage(block, width * 4, depths[2], stride=2)
        # The first block of the dilated stage keeps dilation 1, as DeepLab's and torchvision's do.
        self.layer4 = self._stage(block, width * 8, depths[3], stride=1, dilation=2)
        self.channels = {
            "s4": width * block.expansion,
            "s8": width * 2 * block.expansion,
            "s16": width * 8 * block.expansion,
        }
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def _stage(
        self,
        block: type[_BasicBlock] | type[_Bottleneck],
        width: int,
        depth: int,
        *,
        stride: int,
        dilation: int = 1,
    ) -> nn.Sequential:
        blocks: list[nn.Module] = [block(self._inputs, width, stride, 1)]
        self._inputs = width * block.expansion
        blocks += [block(self._inputs, width, 1, dilation) for _ in range(depth - 1)]
        return nn.Sequential(*blocks)

    def forward(self, images: Tensor) -> BackboneFeatures:
        """See `Backbone`."""
        x = self.relu(self.bn1(self.conv1(images)))  # [B, C, H/2, W/2]
        s4 = self.layer1(self.maxpool(x))
        s8 = self.layer2(s4)
        s16 = self.layer4(self.layer3(s8))
        return BackboneFeatures(s4, s8, s16)

    def load_imagenet(self, state: Mapping[str, Tensor]) -> None:
        """Take a torchvision ResNet state dict as it is."""
        self.load_state_dict({k: v for k, v in state.items() if not k.startswith("fc.")})
