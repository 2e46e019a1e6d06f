"""Networks whose weights are not drawn, because others are loaded or only shapes are wanted."""

from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from ddeal_core.network.config import NetworkConfig
from ddeal_core.network.ddeal import Ddeal


def blank_network(config: NetworkConfig, device: str = "cpu") -> Ddeal:
    """Make a network without the work of drawing its initial weights, which are undefined.

    On the device "meta", drawing them would even import torch's compiler, which takes seconds.

    Args:
        config: Of the network.
        device: Where its tensors are made; on "meta" they have shapes and no numbers.
    """
    with torch.device(device), _NothingDrawn():
        return Ddeal(config)


class _NothingDrawn(TorchFunctionMode):
    """Leaves tensors as they are where they would be filled with random numbers."""

    def __torch_function__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        if func in (Tensor.normal_, Tensor.uniform_):
            return args[0]
        return func(*args, **(kwargs or {}))
