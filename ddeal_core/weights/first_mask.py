"""Weights of the network that makes first masks from hints."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from torch import Tensor

from ddeal_core.errors import WeightsError
from ddeal_core.interaction.network import FirstMaskNetwork
from ddeal_core.weights.bundled import FIRST_MASK, weights_file
from ddeal_core.weights.files import check_values, write_safetensors

__all__ = ["load_first_mask", "save_first_mask"]

_FORMAT = "ddeal-first-mask-1"


def save_first_mask(state: Mapping[str, Tensor], provenance: dict[str, Any], path: Path) -> None:
    """Write weights in half precision; the file appears only when it is whole.

    Args:
        state: Entries of a `FirstMaskNetwork`'s state dict.
        provenance: Data, recipe and scores, as plain JSON types.
        path: Ends in ``.safetensors``.

    Raises:
        OutputError: The file cannot be written.
        WeightsError: A weight is not finite, or too large for half precision.
    """
    metadata = {"format": _FORMAT, "provenance": json.dumps(provenance, sort_keys=True)}
    write_safetensors(state, metadata, path, half=True)


def load_first_mask(path: Path | None = None) -> FirstMaskNetwork:
    """Build the network of a file, in evaluation mode on the CPU.

    Args:
        path: Weights; None for those that come with the package.

    Raises:
        WeightsError: The file is missing, damaged, or of another kind.
    """
    path = weights_file(path or FIRST_MASK)
    network = FirstMaskNetwork()
    expected = network.state_dict()
    try:
        with safe_open(path, framework="pt") as file:
            if (file.metadata() or {}).get("format") != _FORMAT:
                raise WeightsError(f"{path} holds no weights for first masks")
            if set(file.keys()) != set(expected):
                raise WeightsError(f"{path} is of another network for first masks")
            state = {}
            for name, tensor in expected.items():
                value = file.get_tensor(name)
                check_values(str(path), name, value)
                if value.shape != tensor.shape:
                    raise WeightsError(f"{path} is of another network for first masks")
                state[name] = value.to(tensor.dtype)
    except (SafetensorError, OSError, ValueError, RuntimeError, MemoryError) as error:
        raise WeightsError(f"{path} is no whole weights file: {error}") from None
    network.load_state_dict(state)
    return network.eval()
