"""Features of the plain network: a ResNet with a dilated last stage, and the embeddings.

Layers are looked up by name in a state dict; see `ddeal_cli.bench.plain`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from ddeal_core.network.config import NetworkConfig

__all__ = ["PlainFeatures", "PlainFrame"]

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)


@dataclass
class PlainFrame:
    """Backbone features of a padded frame, and the embedding at stride 8."""

    s4: torch.Tensor  # [1, C4, H/4, W/4]
    s8: torch.Tensor
    s16: torch.Tensor
    dense: torch.Tensor | None  # [Cd, H/8, W/8] unit


class PlainFeatures:
    """What is computed of a frame.

    Args:
        state: Of a `Ddeal`.
        config: Of the same.
        device: Where to compute.
    """

    def __init__(
        self,
        state: Mapping[str, torch.Tensor],
        config: NetworkConfig,
        *,
        device: torch.device | str = "cpu",
    ) -> None:
        self.state = {name: tensor.detach().clone().to(device) for name, tensor in state.items()}
        self.config = config
        self.device = torch.device(device)

    # Layers

    def conv(self, name: str, x: torch.Tensor, **options: int) -> torch.Tensor:
        """A convolution by name."""
        return F.conv2d(x, self.state[f"{name}.weight"], self.state.get(f"{name}.bias"), **options)

    def norm(self, name: str, x: torch.Tensor) -> torch.Tensor:
        """A batch norm at inference."""
        mean, var, weight, bias = (
            self.state[f"{name}.{part}"]
            for part in ("running_mean", "running_var", "weight", "bias")
        )
        return F.batch_norm(x, mean, var, weight, bias, eps=1e-5)

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

    def frame(self, image: torch.Tensor) -> PlainFrame:
        """Features of a padded image ``[3, H, W]`` in [0, 1]."""
        mean, std = (torch.tensor(v, device=self.device).view(3, 1, 1) for v in (MEAN, STD))
        x = ((image - mean) / std)[None]
        x = self.norm("backbone.bn1", self.conv("backbone.conv1", x, stride=2, padding=3)).relu()
        s4 = self.stage(1, F.max_pool2d(x, 3, stride=2, padding=1))
        s8 = self.stage(2, s4)
        s16 = self.stage(4, self.stage(3, s8))
        dense = None
        if self.config.dense_channels:
            context = F.interpolate(
                self.conv("dense_matching.project_s16", s16),
                s8.shape[-2:],
                mode="bilinear",
                align_corners=False,
            )
            x = (self.conv("dense_matching.project_s8", s8) + context).relu()
            x = self.conv("dense_matching.embed", x, padding=1)[0]
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
