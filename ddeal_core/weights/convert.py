"""Names in the authors' checkpoint, and ours."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ddeal_core.errors import WeightsError
from ddeal_core.network.config import NetworkConfig
from ddeal_core.weights.files import check_entries, check_values
from ddeal_core.weights.inspection import load_checked

_RULES = (
    (r"backbone\.(.+)", r"backbone.\1"),
    (r"gmcos\.conv_in\.(\w+)", r"matching.conv.\1"),
    (r"appmod\.conv_in\.(\w+)", r"appearance.embedding.conv.\1"),
    (r"appmod\.k_reg", r"appearance.raw_concentration"),
    (r"dynmod\.layers\.layer00\.conv\.(\w+)", r"propagation.conv_in.\1"),
    (r"dynmod\.layers\.layer01\.conv(\d)\.(\w+)", r"propagation.pyramid.\1.\2"),
    (r"dynmod\.layers\.layer02\.conv\.(\w+)", r"propagation.conv_out.\1"),
    (r"fusmod\.layers\.layer00\.conv\.(\w+)", r"fusion.conv1.\1"),
    (r"fusmod\.layers\.layer01\.conv\.(\w+)", r"fusion.conv2.\1"),
    (r"fusmod\.predictor\.layer00\.conv\.(\w+)", r"fusion.predictor.\1"),
    (r"segmod\.(\w+)\.conv\.(\w+)", r"upsampling.\1.\2"),
)
_BLOCKS_OF_STAGE_3 = {6: "released-resnet50", 23: "released-resnet101"}


def convert_released(state: dict[str, Tensor]) -> tuple[NetworkConfig, dict[str, Tensor]]:
    """Rename the ``net`` entry of the authors' ``*.pth.tar``; the depth is seen from the names.

    Returns:
        Configuration and state dict of `ddeal_core.network.Ddeal`.

    Raises:
        WeightsError: An entry belongs to no part of that network, or it is neither ResNet-50
            nor -101, or entries are missing or have another shape.
    """
    converted = {}
    for name, tensor in state.items():
        short = name.removeprefix("module.").removeprefix("trackseg.")
        if short.startswith("backbone.fc."):
            continue  # ImageNet's classifier, which the network carries along unused
        for pattern, replacement in _RULES:
            if re.fullmatch(pattern, short):
                converted[re.sub(pattern, replacement, short)] = tensor
                break
        else:
            raise WeightsError(f"entry {name!r} is not of the authors' network")
    block = re.compile(r"backbone\.layer3\.(\d+)\.")
    blocks = {int(m[1]) for m in map(block.match, converted) if m}
    preset = _BLOCKS_OF_STAGE_3.get(len(blocks))
    if preset is None:
        raise WeightsError(
            f"stage 3 of the backbone has {len(blocks)} blocks; ResNet-50 has 6, ResNet-101 has 23"
        )
    config = NetworkConfig.from_preset(preset)
    shapes = {name: tuple(tensor.shape) for name, tensor in converted.items()}
    check_entries("the checkpoint", config, shapes)
    return config, converted


class _TrainingStatistics:
    """Takes the place of their class of training curves; what it holds is dropped."""


# Their trainer saves its curves beside the weights, as objects of this class of theirs.
_STAND_INS: list[Callable[..., Any] | tuple[Callable[..., Any], str]] = [
    (_TrainingStatistics, "utils.stats.AverageMeter")
]


def read_released(path: Path) -> tuple[NetworkConfig, dict[str, Tensor]]:
    """Read the authors' ``*.pth.tar``, or its ``net`` alone, and convert it; no code of it is run.

    Returns:
        Configuration and state dict of `ddeal_core.network.Ddeal`.

    Raises:
        WeightsError: The file is missing or damaged, holds more than tensors and plain values,
            claims more than it holds, or is not the authors' network.
    """
    if not path.is_file():
        raise WeightsError(f"no checkpoint at {path}")
    with torch.serialization.safe_globals(_STAND_INS):
        content = load_checked(path, harmless=[("utils.stats", "AverageMeter")])
    state = content.get("net", content) if isinstance(content, dict) else None
    if not isinstance(state, dict) or not all(
        isinstance(k, str) and isinstance(v, Tensor) for k, v in state.items()
    ):
        raise WeightsError(f"{path} has no state dict under 'net'")
    config, converted = convert_released(state)
    for name, tensor in converted.items():
        check_values(str(path), name, tensor)
    return config, converted
