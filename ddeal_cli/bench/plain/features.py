"""Features of the plain network: either kind of backbone, and the embeddings.

Layers are looked up by name in a state dict; see `ddeal_cli.bench.plain`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from ddeal_core.errors import ConfigError
from ddeal_core.network.config import NetworkConfig

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
# EfficientNet-Lite0: kernel and stride of each stage's first depthwise convolution.
LITE0 = ((3, 1), (3, 2), (5, 2), (3, 2), (5, 1), (5, 2), (3, 1))


@dataclass
class PlainFrame:
    """Backbone features of a padded frame, and the embedding at stride 8."""

    s4: torch.Tensor  # [1, C4, H/4, W/4]
    s8: torch.Tensor
    s16: torch.Tensor
    dense: torch.Tensor | None  # [Cd, H/8, W/8] unit


class PlainFeatures:
    """What is computed of a frame, with the state and configuration of a `Ddeal`."""

    def __init__(
        self,
        state: Mapping[str, torch.Tensor],
        config: NetworkConfig,
        *,
        device: torch.device | str = "cpu",
    ) -> None:
        if not config.backbone.startswith("resnet") and config.backbone != "efficientnet-lite0":
            raise ConfigError(f"the plain network does not know the backbone {config.backbone}")
        self.state = {name: tensor.detach().clone().to(device) for name, tensor in state.items()}
        self.config = config
        self.device = torch.device(device)

    # Layers

    def conv(self, name: str, x: torch.Tensor, **options: int) -> torch.Tensor:
        """A convolution by name."""
        return F.conv2d(x, self.state[f"{name}.weight"], self.state.get(f"{name}.bias"), **options)

    def norm(self, name: str, x: torch.Tensor, eps: float = 1e-5) -> torch.Tensor:
        """A batch norm at inference."""
        mean, var, weight, bias = (
            self.state[f"{name}.{part}"]
            for part in ("running_mean", "running_var", "weight", "bias")
        )
        return F.batch_norm(x, mean, var, weight, bias, eps=eps)

    def block(self, name: str, x: torch.Tensor, stride: int, dilation: int) -> torch.Tensor:
        """A residual block of either kind."""
        shortcut = x
        if f"{name}.downsample.0.weight" in self.state:
            shortcut = self.conv(f"{name}.downsample.0", x, stride=stride)
            shortcut = self.norm(f"{name}.downsample.1", shortcut)
        wide = {"padding": dilation, "dilation": dilation}
        if f"{name}.conv3.weight" in self.state:
            y = self.norm(f"{name}.bn1", self.conv(f"{name}.conv1", x)).relu()
            y = self.norm(f"{name}.bn2", self.conv(f"{name}.conv2", y, stride=stride, **wide))
            y = self.norm(f"{name}.bn3", self.conv(f"{name}.conv3", y.relu()))
        else:
            y = self.norm(f"{name}.bn1", self.conv(f"{name}.conv1", x, stride=stride, **wide))
            y = self.norm(f"{name}.bn2", self.conv(f"{name}.conv2", y.relu(), **wide))
        return (y + shortcut).relu()

    def stage(self, number: int, x: torch.Tensor) -> torch.Tensor:
        """Stage 1 to 4 of the ResNet; the last one is dilated."""
        name = f"backbone.layer{number}"
        depth = len({key.split(".")[2] for key in self.state if key.startswith(f"{name}.")})
        for index in range(depth):
            stride = 2 if index == 0 and number in (2, 3) else 1
            dilation = 2 if index > 0 and number == 4 else 1
            x = self.block(f"{name}.{index}", x, stride, dilation)
        return x

    def resnet(self, image: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Features at stride 4, 8 and 16."""
        mean, std = (torch.tensor(v, device=self.device).view(3, 1, 1) for v in (MEAN, STD))
        x = ((image - mean) / std)[None]
        x = self.norm("backbone.bn1", self.conv("backbone.conv1", x, stride=2, padding=3)).relu()
        s4 = self.stage(1, F.max_pool2d(x, 3, stride=2, padding=1))
        s8 = self.stage(2, s4)
        return s4, s8, self.stage(4, self.stage(3, s8))

    def lite0(self, image: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Features at stride 4, 8 and 16: the last ones of three stages, each of unit length."""
        x = self.same("backbone.conv_stem", ((image * 255 - 127) / 128)[None], 3, 2)
        x = F.relu6(self.norm("backbone.bn0", x, 1e-3))
        maps = []
        for number, (kernel, stride) in enumerate(LITE0):
            blocks = {
                k.split(".")[2] for k in self.state if k.startswith(f"backbone.stage{number}.")
            }
            for index in range(len(blocks)):
                name = f"backbone.stage{number}.{index}"
                x = self.inverted_residual(name, x, kernel, stride if index == 0 else 1)
            maps.append(x)
        height, width = maps[4].shape[-2:]
        parts = []
        for x in maps[4:]:
            x = x / (x.square().sum(1, keepdim=True).sqrt() + 1e-6)
            if x.shape[-2:] != (height, width):
                x = F.interpolate(x, scale_factor=2, mode="bilinear")[..., :height, :width]
            parts.append(x)
        return maps[1], maps[2], torch.cat(parts, 1) * (sum(x.shape[1] for x in parts) / 3) ** 0.5

    def same(self, name: str, x: torch.Tensor, kernel: int, stride: int) -> torch.Tensor:
        """A convolution with TensorFlow's "same" padding."""
        spare = []
        for side in (x.shape[3], x.shape[2]):
            outputs = -(-side // stride)
            total = max(0, (outputs - 1) * stride + kernel - side)
            spare += [total // 2, total - total // 2]
        groups = x.shape[1] // self.state[f"{name}.weight"].shape[1]
        return self.conv(name, F.pad(x, spare), stride=stride, groups=groups)

    def inverted_residual(
        self, name: str, x: torch.Tensor, kernel: int, stride: int
    ) -> torch.Tensor:
        """Expand, filter each channel, project."""
        y = x
        if f"{name}.expand_conv.weight" in self.state:
            y = F.relu6(self.norm(f"{name}.bn0", self.conv(f"{name}.expand_conv", y), 1e-3))
        y = self.same(f"{name}.depthwise_conv", y, kernel, stride)
        y = self.conv(f"{name}.project_conv", F.relu6(self.norm(f"{name}.bn1", y, 1e-3)))
        y = self.norm(f"{name}.bn2", y, 1e-3)
        return y + x if y.shape == x.shape and stride == 1 else y

    def frame(self, image: torch.Tensor) -> PlainFrame:
        """Features of a padded image ``[3, H, W]`` in [0, 1]."""
        lite0 = self.config.backbone == "efficientnet-lite0"
        s4, s8, s16 = self.lite0(image) if lite0 else self.resnet(image)
        dense = None
        if self.config.dense_channels:
            context = F.interpolate(
                self.conv("dense_matching.project_s16", s16),
                s8.shape[-2:],
                mode="bilinear",
                align_corners=False,
            )
            x = (self.conv("dense_matching.project_s8", s8) + context).relu()
            x = self.conv("dense_matching.embed", x, padding=1)
            if self.config.dense_shortcut:
                x = x + context
            x = x[0]
            dense = x / (x.square().sum(0, keepdim=True).sqrt() + 1e-6)
        return PlainFrame(s4, s8, s16, dense)

    def matching_features(self, frame: PlainFrame) -> torch.Tensor:
        """``[C, N]`` on the unit sphere."""
        return self.unit(self.conv("matching.conv", frame.s16)[0].flatten(1))

    def appearance_features(self, frame: PlainFrame) -> torch.Tensor:
        """``[C, N]`` as they leave the convolution."""
        return self.conv("appearance.embedding.conv", frame.s16)[0].flatten(1)

    @staticmethod
    def unit(features: torch.Tensor) -> torch.Tensor:
        """``[C, N]``; the norm has 1/N^2 added."""
        positions = features.shape[1]
        return features / (features.square().sum(0).sqrt() + 1 / positions**2)
