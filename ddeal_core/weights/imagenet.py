"""ImageNet weights of the backbone, from torchvision's own files."""

from pathlib import Path

import torch
from torch import Tensor

from ddeal_core.errors import WeightsError

__all__ = ["read_imagenet"]


def read_imagenet(path: Path) -> dict[str, Tensor]:
    """Read a ResNet's state dict with the safe loader; no code in the file is ever run.

    Args:
        path: A file such as ``resnet50-0676ba61.pth``, downloaded by hand or by ``torch.hub``.

    Raises:
        WeightsError: The file is missing, damaged, or holds more than tensors.
    """
    if not path.is_file():
        raise WeightsError(f"no ImageNet weights at {path}")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # the unpickler raises nearly anything on a damaged file
        reason = str(error).strip().splitlines()
        raise WeightsError(
            f"{path} is damaged or holds more than weights; it was not loaded "
            f"({reason[0] if reason else type(error).__name__})"
        ) from None
    if not isinstance(state, dict) or not all(isinstance(v, Tensor) for v in state.values()):
        raise WeightsError(f"{path} is no state dict of a ResNet")
    return state
