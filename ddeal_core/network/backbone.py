"""The feature extractor's interface: features of a frame at strides 4, 8 and 16."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar, NamedTuple

from torch import Tensor, nn


class BackboneFeatures(NamedTuple):
    """Features of a batch of frames at three strides.

    Attributes:
        s4: ``[B, C4, H/4, W/4]``.
        s8: ``[B, C8, H/8, W/8]``.
        s16: ``[B, C16, H/16, W/16]``.
    """

    s4: Tensor
    s8: Tensor
    s16: Tensor


class Backbone(nn.Module, ABC):
    """A convolutional network that was made for ImageNet, without its classifier.

    Attributes:
        mean: Of each colour channel of RGB in [0, 1], as the ImageNet weights saw it.
        std: Likewise.
        autocasts: Whether it may run in bfloat16 or float16.
        stages: Names of the child modules in the order in which they run: the stem's convolution,
            its batch norm, and what follows.
        channels: Channels of each of the `BackboneFeatures`, by name.
    """

    mean: ClassVar[tuple[float, float, float]] = (0.485, 0.456, 0.406)
    std: ClassVar[tuple[float, float, float]] = (0.229, 0.224, 0.225)
    autocasts: ClassVar[bool] = True
    stages: tuple[str, ...]
    channels: dict[str, int]

    @abstractmethod
    def forward(self, images: Tensor) -> BackboneFeatures:
        """Extract features.

        Args:
            images: ``[B, 3, H, W]`` normalised RGB, H and W multiples of 16.
        """

    @abstractmethod
    def load_imagenet(self, state: Mapping[str, Tensor]) -> None:
        """Take the state dict of a published ImageNet classifier; its last layers are left out.

        Raises:
            RuntimeError: Names or shapes differ from this network's.
        """

    def train_last_stages(self, count: int) -> None:
        """Let only the last stages learn, as the paper does with one (Section IV-A).

        Args:
            count: Number of stages that learn, from the end; 0 freezes all of them.
        """
        frozen = len(self.stages) - count
        for index, name in enumerate(self.stages):
            self.get_submodule(name).requires_grad_(index >= frozen)
