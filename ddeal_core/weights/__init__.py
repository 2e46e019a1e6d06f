"""Weights: files, the authors' checkpoint, and what comes with the package."""

from ddeal_core.weights.convert import convert_released, read_released
from ddeal_core.weights.files import (
    BUNDLED,
    Checkpoint,
    load_checkpoint,
    load_network,
    save_checkpoint,
)

__all__ = [
    "BUNDLED",
    "Checkpoint",
    "convert_released",
    "load_checkpoint",
    "load_network",
    "read_released",
    "save_checkpoint",
]
