"""A convolution with its ReLU and its shortcut in one pass over memory, for inference."""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from ddeal_core.operators.onednn import suits_onednn

Activation = Literal["none", "relu", "relu6"]

# What oneDNN calls them, and their numbers.
_ONEDNN: dict[Activation, tuple[str, list[float]]] = {
    "none": ("none", []),
    "relu": ("relu", []),
    "relu6": ("hardtanh", [0.0, 6.0]),
}


@torch.no_grad()
def fold_batch_norm(conv: nn.Conv2d, norm: nn.Module) -> tuple[Tensor, Tensor]:
    """Weight and bias of one convolution that does what ``norm(conv(x))`` does in evaluation."""
    assert isinstance(norm, nn.BatchNorm2d)
    assert norm.running_mean is not None
    assert norm.running_var is not None
    return fuse_conv_bn_weights(
        conv.weight,
        conv.bias,
        norm.running_mean,
        norm.running_var,
        norm.eps,
        norm.weight,
        norm.bias,
    )


class FusedConv2d(nn.Module):
    """``activation(conv(x) + shortcut)``, activation and shortcut as wanted.

    On the CPU oneDNN does all of it in one pass, with weights laid out once for its kernels. The
    operators are those that torch's own compiler calls; where they are missing, under autocast,
    and on other devices plain functions do the same. The weight is ``[outputs, inputs / groups, k,
    k]``, the bias ``[outputs]``; all else is as `torch.nn.Conv2d` takes it. With a shortcut, the
    activation is "none" or "relu".
    """

    weight: Tensor
    bias: Tensor | None

    def __init__(
        self,
        weight: Tensor,
        bias: Tensor | None,
        *,
        stride: Sequence[int] = (1, 1),
        padding: Sequence[int] = (0, 0),
        dilation: Sequence[int] = (1, 1),
        groups: int = 1,
        activation: Activation = "none",
    ) -> None:
        super().__init__()
        weight = weight.detach().contiguous(memory_format=torch.channels_last)
        self.register_buffer("weight", weight)
        self.register_buffer("bias", None if bias is None else bias.detach().clone())
        self.stride, self.padding, self.dilation = list(stride), list(padding), list(dilation)
        self.groups, self.activation = groups, activation
        self._packed: Tensor | None = None

    @classmethod
    def of(
        cls, conv: nn.Conv2d, norm: nn.Module | None = None, *, activation: Activation = "none"
    ) -> "FusedConv2d":
        """Take over a convolution, with the batch norm that follows it."""
        assert not isinstance(conv.padding, str)
        weight, bias = (conv.weight, conv.bias) if norm is None else fold_batch_norm(conv, norm)
        return cls(
            weight,
            bias,
            stride=conv.stride,
            padding=conv.padding,
            dilation=conv.dilation,
            groups=conv.groups,
            activation=activation,
        )

    def forward(self, x: Tensor, shortcut: Tensor | None = None) -> Tensor:
        """Convolve ``[N, inputs, H, W]``; the shortcut has the result's shape."""
        settings = (self.padding, self.stride, self.dilation, self.groups)
        if not (suits_onednn(x) and _onednn_fuses()):
            x = F.conv2d(
                x, self.weight, self.bias, self.stride, self.padding, self.dilation, self.groups
            )
            x = x if shortcut is None else x + shortcut
            return _ACTIVATIONS[self.activation](x)
        if self._packed is None:
            self._packed = _packed(self.weight, *settings, x.shape)
        name, numbers = _ONEDNN[self.activation]
        convolve: Any = torch.ops.mkldnn._convolution_pointwise
        if shortcut is None:
            y = convolve(x, self._packed, self.bias, *settings, name, numbers, "")
        else:
            last = None if name == "none" else name
            y = convolve.binary(
                x, shortcut, self._packed, self.bias, *settings, "add", 1.0, last, [], ""
            )
        return y  # type: ignore[no-any-return]


def _packed(
    weight: Tensor,
    padding: Sequence[int],
    stride: Sequence[int],
    dilation: Sequence[int],
    groups: int,
    shape: Sequence[int],
) -> Tensor:
    pack: Any = torch.ops.mkldnn._reorder_convolution_weight
    packed: Tensor = pack(weight, padding, stride, dilation, groups, list(shape))
    return packed


_ACTIVATIONS: dict[Activation, Callable[[Tensor], Tensor]] = {
    "none": lambda x: x,
    "relu": F.relu,
    "relu6": F.relu6,
}


@cache
def _onednn_fuses() -> bool:
    """Whether this build has the operators, and they do what is expected of them."""
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return False
    x = torch.linspace(-1, 1, 2 * 8 * 5 * 5).view(2, 8, 5, 5)
    x = x.contiguous(memory_format=torch.channels_last)
    weight = torch.linspace(-1, 1, 8 * 8 * 9).view(8, 8, 3, 3)
    one, settings = [1, 1], ([1, 1], [1, 1], [1, 1], 1)
    try:
        packed = _packed(weight, one, one, one, 1, x.shape)
        convolve: Any = torch.ops.mkldnn._convolution_pointwise
        plain = convolve(x, packed, None, *settings, "relu", [], "")
        added = convolve.binary(x, x, packed, None, *settings, "add", 1.0, "relu", [], "")
    except (AttributeError, RuntimeError, TypeError, NotImplementedError):
        return False
    expected = F.conv2d(x, weight, padding=1)
    return torch.allclose(plain, expected.relu(), atol=1e-4) and torch.allclose(
        added, (expected + x).relu(), atol=1e-4
    )
