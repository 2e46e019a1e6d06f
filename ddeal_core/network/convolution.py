"""A convolution of a concatenation, applied part by part."""

from collections.abc import Sequence
from itertools import accumulate

import torch.nn.functional as F
from torch import Tensor, nn


class ConcatConv2d(nn.Module):
    """``conv(cat(parts))`` as the sum of one convolution a part.

    The parameters are those of the plain convolution. What depends on the frame alone is then
    computed once a frame, what depends on the first frame once a video, and only the rest once
    an object.

    Args:
        parts: Channels of each part, in the order of the concatenation.
        outputs: Output channels.
        kernel_size: Odd; the padding keeps the size.
    """

    def __init__(self, parts: Sequence[int], outputs: int, kernel_size: int) -> None:
        super().__init__()
        plain = nn.Conv2d(sum(parts), outputs, kernel_size)
        self.weight, self.bias = plain.weight, plain.bias
        self.padding = kernel_size // 2
        self.parts = len(parts)
        ends = tuple(accumulate(parts))
        self._spans = tuple(zip((0, *ends), ends, strict=False))
        initialise(self)

    def forward(self, x: Tensor, *, part: int) -> Tensor:
        """Convolve one part, ``[N, parts[part], H, W]``; part 0 brings the bias."""
        weight, bias = self.part(part)
        return F.conv2d(x, weight, bias, padding=self.padding)

    def part(self, index: int) -> tuple[Tensor, Tensor | None]:
        """Weight and bias of one part."""
        start, end = self._spans[index]
        return self.weight[:, start:end], self.bias if index == 0 else None


def initialise(module: nn.Module) -> None:
    """Fill a convolution as He et al. for ReLU, with zero bias."""
    weight, bias = module.weight, module.bias
    assert isinstance(weight, Tensor)
    nn.init.kaiming_normal_(weight, nonlinearity="relu")
    if isinstance(bias, Tensor):
        nn.init.zeros_(bias)
