"""Weights: files, the authors' checkpoint, and what comes with the package."""

from typing import TYPE_CHECKING

from ddeal_core.lazy_names import lazy_names

if TYPE_CHECKING:
    from ddeal_core.weights.bundled import BUNDLED, weights_file
    from ddeal_core.weights.convert import convert_released, read_released
    from ddeal_core.weights.files import Checkpoint, load_checkpoint, load_network, save_checkpoint
else:
    __getattr__ = lazy_names(
        __name__,
        {
            "bundled": ("BUNDLED", "weights_file"),
            "convert": ("convert_released", "read_released"),
            "files": ("Checkpoint", "load_checkpoint", "load_network", "save_checkpoint"),
        },
    )

__all__ = [
    "BUNDLED",
    "Checkpoint",
    "convert_released",
    "load_checkpoint",
    "load_network",
    "read_released",
    "save_checkpoint",
    "weights_file",
]
