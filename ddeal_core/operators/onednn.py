"""When oneDNN's own operators of torch may take a tensor."""

import torch
from torch import Tensor


def suits_onednn(x: Tensor) -> bool:
    """Whether oneDNN may take ``x`` as it is: float32 on the CPU, outside of autocast."""
    return (
        x.device.type == "cpu"
        and x.dtype == torch.float32
        and not torch.is_autocast_enabled("cpu")
        and not torch.compiler.is_compiling()
    )
