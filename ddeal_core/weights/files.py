"""Weights on disk: safetensors, with the network's configuration and provenance inside."""

import json
import math
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as serialize
from torch import Tensor

from ddeal_core.errors import ConfigError, Remedy, WeightsError
from ddeal_core.network.config import NetworkConfig
from ddeal_core.network.ddeal import Ddeal
from ddeal_core.network.dense.matching import RENAMED
from ddeal_core.text_files import parse_json
from ddeal_core.weights.blank import blank_network
from ddeal_core.weights.bundled import weights_file
from ddeal_core.whole_files import write_output

_FORMAT = "ddeal-1"
_MOST_BYTES = 8_000_000_000
_ZIP = b"PK\x03\x04"  # what the files of torch.save begin with
_MOST_PARAMETERS = 1_000_000_000  # the largest preset has 65 million


@dataclass(frozen=True)
class Checkpoint:
    """Weights and what is known of them."""

    config: NetworkConfig  # shape and arithmetic of the network
    state: dict[str, Tensor]  # entries of its state dict
    # Data, recipe, compute and scores, as plain JSON types.
    provenance: dict[str, Any] = field(default_factory=dict)


def save_checkpoint(checkpoint: Checkpoint, path: Path, *, half: bool = False) -> None:
    """Write weights; the file appears only when it is whole.

    Args:
        checkpoint: What to write.
        path: Ends in ``.safetensors``.
        half: Store floating-point entries as float16.

    Raises:
        OutputError: The file cannot be written.
        WeightsError: A weight is not finite, or too large for half precision.
    """
    metadata = {
        "format": _FORMAT,
        "config": json.dumps(checkpoint.config.to_dict(), sort_keys=True),
        "provenance": json.dumps(checkpoint.provenance, sort_keys=True),
    }
    write_safetensors(checkpoint.state, metadata, path, half=half)


def write_safetensors(
    state: Mapping[str, Tensor], metadata: dict[str, str], path: Path, *, half: bool
) -> None:
    """Write tensors and text beside them, the same bytes for the same input.

    Raises:
        OutputError: The file cannot be written.
        WeightsError: A value is not finite, or too large for half precision.
    """
    stored = {}
    for name, tensor in state.items():
        value = tensor.detach().cpu().contiguous()
        if half and value.is_floating_point():
            value = value.half()
        if not torch.isfinite(value).all():
            raise WeightsError(f"{name} holds values that are not finite; nothing was written")
        stored[name] = value
    write_output(path, _in_order(serialize(stored, metadata)))


def _in_order(data: bytes) -> bytes:
    """Sort a file's header, whose metadata safetensors writes in any order."""
    (length,) = struct.unpack("<Q", data[:8])
    header = json.dumps(json.loads(data[8 : 8 + length]), sort_keys=True, separators=(",", ":"))
    text = header.encode()
    text += b" " * (-len(text) % 8)  # tensors begin at multiples of 8
    return struct.pack("<Q", len(text)) + text + data[8 + length :]


def load_checkpoint(path: Path) -> Checkpoint:
    """Read weights that `save_checkpoint` wrote.

    Names and shapes are held against the configuration before any weight is read, and no code
    in the file is ever run.

    Raises:
        WeightsError: The file is missing, damaged, of another kind, or does not fit its own
            configuration.
    """
    with opened_weights(path, _FORMAT, f"{path} holds no ddeal weights", remedy="convert") as file:
        metadata = file.metadata()
        config = NetworkConfig.from_dict(parse_json(metadata["config"]))
        provenance = parse_json(metadata.get("provenance", "{}"))
        if not isinstance(provenance, dict):
            raise ValueError("its provenance is not a list of named values")
        stored = {_present_name(name): name for name in file.keys()}  # noqa: SIM118
        found = {name: tuple(file.get_slice(at).get_shape()) for name, at in stored.items()}
        check_entries(str(path), config, found)
        state = {}
        for name, at in stored.items():
            tensor = file.get_tensor(at)
            check_values(str(path), name, tensor)
            state[name] = tensor if name.endswith("num_batches_tracked") else tensor.float()
    return Checkpoint(config, state, provenance)


@contextmanager
def opened_weights(
    path: Path, format_: str, otherwise: str, *, remedy: Remedy | None = None
) -> Iterator[Any]:
    """Open a safetensors file of a format; whatever else is wrong with it is a WeightsError too.

    Raises:
        WeightsError: There is no file, or one that is too large or damaged; it is of another format
            (`otherwise` and `remedy` say so).
    """
    size = weights_file(path).stat().st_size
    if size > _MOST_BYTES:
        raise WeightsError(
            f"{path} has {size / 1e9:.0f} GB, more than the weights of any network here"
        )
    try:
        with path.open("rb") as opened:
            if opened.read(len(_ZIP)) == _ZIP:
                raise WeightsError(
                    f"{path} is a file of torch.save, not a .safetensors file: a training run has "
                    "its weights beside its checkpoint, the authors' have to be converted first"
                )
        with safe_open(path, framework="pt") as file:
            if (file.metadata() or {}).get("format") != format_:
                raise WeightsError(otherwise, remedy=remedy)
            yield file
    except (
        SafetensorError,
        OSError,
        ValueError,
        TypeError,
        KeyError,
        OverflowError,
        MemoryError,
        RuntimeError,  # also where there is no address space for the file
        ConfigError,
    ) as error:
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
        said = f"it lacks {said}" if isinstance(error, KeyError) else said
        raise WeightsError(f"{path} is no whole weights file: {said}") from None


def _present_name(entry: str) -> str:
    module, _, name = entry.rpartition(".")
    return f"{module}.{RENAMED.get(name, name)}" if module == "dense_matching" else entry


def load_network(path: Path | None = None) -> Ddeal:
    """Build the network of a weights file, None for the bundled one, for evaluation on the CPU.

    Raises:
        WeightsError: See `load_checkpoint`.
    """
    checkpoint = load_checkpoint(weights_file(path))
    network = blank_network(checkpoint.config)
    network.load_state_dict(checkpoint.state)
    return network.eval()


def check_entries(subject: str, config: NetworkConfig, found: dict[str, tuple[int, ...]]) -> None:
    """Hold a state dict, as shapes by name, against a configuration; `subject` is for the message.

    Raises:
        WeightsError: An entry is missing, unknown, or of another shape; or the network would be
            absurdly large.
    """
    expected = _shapes(config)
    size = sum(map(math.prod, expected.values()))
    if size > _MOST_PARAMETERS:
        raise WeightsError(
            f"{subject} asks for a network of {size / 1e6:.0f} million numbers; "
            f"{_MOST_PARAMETERS / 1e6:.0f} million are the most"
        )
    missing = expected.keys() - found.keys()
    unknown = found.keys() - expected.keys()
    if missing or unknown:
        name = sorted(missing or unknown)[0]
        what = "lacks" if missing else "has the unknown entry"
        count = len(missing or unknown)
        more = f" and {count - 1} more" if count > 1 else ""
        raise WeightsError(f"{subject} does not fit its configuration: it {what} {name}{more}")
    for name, shape in expected.items():
        if found[name] != shape:
            raise WeightsError(
                f"{subject} does not fit its configuration: {name} is {found[name]}, not {shape}"
            )


@cache
def _shapes(config: NetworkConfig) -> dict[str, tuple[int, ...]]:
    """Shapes of a network's state dict by name."""
    state = blank_network(config, "meta").state_dict()
    return {name: tuple(tensor.shape) for name, tensor in state.items()}


def check_values(subject: str, name: str, tensor: Tensor) -> None:
    """Refuse an entry of a state dict whose numbers no training gives; `subject` tells whose.

    Raises:
        WeightsError: It holds no real numbers, some that are not finite, or a negative variance.
    """
    if name.endswith("num_batches_tracked"):
        return
    if not tensor.is_floating_point():
        raise WeightsError(f"{subject} is damaged: {name} holds {tensor.dtype}, not real numbers")
    if not torch.isfinite(tensor.float()).all():
        raise WeightsError(f"{subject} is damaged: {name} holds values that are not finite")
    if name.endswith("running_var") and (tensor.float() < 0).any():
        raise WeightsError(f"{subject} is damaged: {name} holds negative variances")
