"""ImageNet weights of the backbone, from torchvision's own files."""

from pathlib import Path

import torch
from torch import Tensor

from ddeal_core.errors import WeightsError
from ddeal_core.network.config import BackboneName
from ddeal_core.weights.inspection import load_checked

__all__ = ["fetch_imagenet", "read_imagenet"]

# torchvision's IMAGENET1K_V1 files; the end of each name is the start of its SHA-256.
_URL = "https://download.pytorch.org/models/"
_FILES: dict[BackboneName, str] = {
    "resnet18": "resnet18-f37072fd.pth",
    "resnet50": "resnet50-0676ba61.pth",
    "resnet101": "resnet101-63fe2227.pth",
}


def fetch_imagenet(backbone: BackboneName) -> dict[str, Tensor]:
    """Read torchvision's weights from the cache of `torch.hub`, downloading them at first.

    Args:
        backbone: Depth of the ResNet.

    Raises:
        WeightsError: They are not in the cache and cannot be downloaded, or are damaged.
    """
    path = Path(torch.hub.get_dir()) / "checkpoints" / _FILES[backbone]
    if not path.is_file():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            torch.hub.download_url_to_file(
                _URL + path.name,
                str(path),
                hash_prefix=path.stem.rpartition("-")[2],
                progress=False,
            )
        except (OSError, RuntimeError) as error:
            raise WeightsError(
                f"cannot download {path.name} ({error}): put the file at {path}, or name it"
            ) from None
    return read_imagenet(path)


def read_imagenet(path: Path) -> dict[str, Tensor]:
    """Read a ResNet's state dict with the safe loader; no code in the file is ever run.

    Args:
        path: A file such as ``resnet50-0676ba61.pth``, downloaded by hand or by ``torch.hub``.

    Raises:
        WeightsError: The file is missing, damaged, or holds more than tensors.
    """
    if not path.is_file():
        raise WeightsError(f"no ImageNet weights at {path}")
    state = load_checked(path)
    if not isinstance(state, dict) or not all(isinstance(v, Tensor) for v in state.values()):
        raise WeightsError(f"{path} is no state dict of a ResNet")
    return state
