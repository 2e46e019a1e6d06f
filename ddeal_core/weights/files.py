"""Weights on disk: safetensors, with the network's configuration and provenance inside."""

import json
import os
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as serialize
from torch import Tensor

from ddeal_core.errors import ConfigError, OutputError, WeightsError
from ddeal_core.network.config import NetworkConfig
from ddeal_core.network.ddeal import Ddeal

__all__ = ["BUNDLED", "Checkpoint", "load_checkpoint", "load_network", "save_checkpoint"]

BUNDLED = Path(__file__).with_name("compact.safetensors")
"""The weights that come with the package."""

_FORMAT = "ddeal-1"


@dataclass(frozen=True)
class Checkpoint:
    """Weights and what is known of them.

    Attributes:
        config: Shape and arithmetic of the network.
        state: Entries of its state dict.
        provenance: Data, recipe, compute and scores, as plain JSON types.
    """

    config: NetworkConfig
    state: dict[str, Tensor]
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
    state = {}
    for name, tensor in checkpoint.state.items():
        stored = tensor.detach().cpu().contiguous()
        if half and stored.is_floating_point():
            stored = stored.half()
        if not torch.isfinite(stored).all():
            raise WeightsError(f"{name} holds values that are not finite; nothing was written")
        state[name] = stored
    metadata = {
        "format": _FORMAT,
        "config": json.dumps(checkpoint.config.to_dict(), sort_keys=True),
        "provenance": json.dumps(checkpoint.provenance, sort_keys=True),
    }
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            file.write(serialize(state, metadata))
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or error}") from None
    finally:
        with suppress(OSError):
            temporary.unlink()


def load_checkpoint(path: Path) -> Checkpoint:
    """Read weights that `save_checkpoint` wrote.

    Names and shapes are held against the configuration before any weight is read, and no code
    in the file is ever run.

    Raises:
        WeightsError: The file is missing, damaged, of another kind, or does not fit its own
            configuration.
    """
    if not path.is_file():
        raise WeightsError(f"no weights at {path}")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            if metadata.get("format") != _FORMAT:
                raise WeightsError(
                    f"{path} holds no ddeal weights; convert the authors' file with "
                    "'ddeal weights convert'"
                )
            config = NetworkConfig.from_dict(json.loads(metadata["config"]))
            provenance = json.loads(metadata.get("provenance", "{}"))
            if not isinstance(provenance, dict):
                raise ValueError("its provenance is not a list of named values")
            found = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
            check_entries(str(path), config, found)
            state = {name: file.get_tensor(name) for name in found}
    except (
        SafetensorError,
        OSError,
        ValueError,
        TypeError,
        KeyError,
        RecursionError,
        ConfigError,
    ) as error:
        raise WeightsError(f"{path} is no whole weights file: {_first_line(error)}") from None
    for name, tensor in state.items():
        if name.endswith("num_batches_tracked"):
            continue
        if not tensor.is_floating_point():
            raise WeightsError(f"{path} is damaged: {name} holds {tensor.dtype}, not real numbers")
        state[name] = tensor.float()
        if not torch.isfinite(state[name]).all():
            raise WeightsError(f"{path} is damaged: {name} holds values that are not finite")
    return Checkpoint(config, state, provenance)


def load_network(path: Path | None = None) -> Ddeal:
    """Build the network of a weights file, in evaluation mode on the CPU.

    Args:
        path: Weights; None for the bundled ones.

    Raises:
        WeightsError: See `load_checkpoint`.
    """
    checkpoint = load_checkpoint(path or BUNDLED)
    network = Ddeal(checkpoint.config)
    network.load_state_dict(checkpoint.state)
    return network.eval()


def check_entries(subject: str, config: NetworkConfig, found: dict[str, tuple[int, ...]]) -> None:
    """Hold the names and shapes of a state dict against a configuration.

    Args:
        subject: Where the entries come from, for the message.
        config: What they shall fit.
        found: Shape by name.

    Raises:
        WeightsError: An entry is missing, unknown, or of another shape.
    """
    with torch.device("meta"):
        network = Ddeal(config)
    expected = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
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


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
