"""Weights of the network that makes first masks from hints."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from ddeal_core.errors import WeightsError
from ddeal_core.interaction.network import FirstMaskNetwork
from ddeal_core.weights.bundled import FIRST_MASK, weights_file
from ddeal_core.weights.files import check_values, opened_weights, write_safetensors

_FORMAT = "ddeal-first-mask-1"


def save_first_mask(state: Mapping[str, Tensor], provenance: dict[str, Any], path: Path) -> None:
    """Write a `FirstMaskNetwork`'s state dict in half precision, with its provenance.

    The provenance (data, recipe and scores) is of plain JSON types. The file, ``.safetensors``,
    appears only when it is whole.

    Raises:
        OutputError: The file cannot be written.
        WeightsError: A weight is not finite, or too large for half precision.
    """
    metadata = {"format": _FORMAT, "provenance": json.dumps(provenance, sort_keys=True)}
    write_safetensors(state, metadata, path, half=True)


def load_first_mask(path: Path | None = None) -> FirstMaskNetwork:
    """Build the network of a file, None for that of the package, for evaluation on the CPU.

    Raises:
        WeightsError: The file is missing, damaged, or of another kind.
    """
    path = weights_file(path or FIRST_MASK)
    network = FirstMaskNetwork()
    expected = network.state_dict()
    with opened_weights(path, _FORMAT, f"{path} holds no weights for first masks") as file:
        found = {name: file.get_slice(name).get_shape() for name in file.keys()}  # noqa: SIM118
        if found != {name: list(tensor.shape) for name, tensor in expected.items()}:
            raise WeightsError(f"{path} is of another network for first masks")
        state = {name: file.get_tensor(name) for name in expected}
        for name, value in state.items():
            check_values(str(path), name, value)
    network.load_state_dict(state)
    return network.eval()
