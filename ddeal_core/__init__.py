"""Video object segmentation from a first-frame mask, without fine-tuning (DDEAL).

    from ddeal_core import Segmenter

    segmenter = Segmenter.load()
    for result in segmenter.track(frames, first_mask):
        result.labels, result.probabilities

Files in, files out: ``cut_out("clip.mp4", "first.png", ["cut.mov", "masks"])``.

Names are imported on first use, so that ``import ddeal_core`` is quick.
"""

from typing import TYPE_CHECKING, Any

from ddeal_core.errors import (
    ConfigError,
    DatasetError,
    DdealError,
    InputError,
    ManifestError,
    MaskError,
    MediaError,
    OutputError,
    StoppedError,
    WeightsError,
)
from ddeal_core.lazy_names import lazy_names

if TYPE_CHECKING:
    from ddeal_core.batch import cut_out_many
    from ddeal_core.interaction import Hints, first_mask, grab_cut
    from ddeal_core.media import Mask, open_source, open_writer, read_mask, write_mask
    from ddeal_core.network import PRESETS, Ablation, NetworkConfig
    from ddeal_core.runs import cut_out
    from ddeal_core.runs.pipeline import segment_video
    from ddeal_core.tracking import Result, Segmenter, Tracker
    from ddeal_core.weights import load_network

__all__ = [
    "PRESETS",
    "Ablation",
    "ConfigError",
    "DatasetError",
    "DdealError",
    "Hints",
    "InputError",
    "ManifestError",
    "Mask",
    "MaskError",
    "MediaError",
    "NetworkConfig",
    "OutputError",
    "Result",
    "Segmenter",
    "StoppedError",
    "Tracker",
    "WeightsError",
    "__version__",
    "cut_out",
    "cut_out_many",
    "first_mask",
    "grab_cut",
    "load_network",
    "open_source",
    "open_writer",
    "read_mask",
    "segment_video",
    "write_mask",
]

_HOMES = {
    "batch": ("cut_out_many",),
    "interaction": ("Hints", "first_mask", "grab_cut"),
    "media": ("Mask", "open_source", "open_writer", "read_mask", "write_mask"),
    "network": ("PRESETS", "Ablation", "NetworkConfig"),
    "runs": ("cut_out",),
    "runs.pipeline": ("segment_video",),
    "tracking": ("Result", "Segmenter", "Tracker"),
    "weights": ("load_network",),
}
_lazy = lazy_names(__name__, _HOMES)


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("ddeal")
    return _lazy(name)


def __dir__() -> list[str]:
    return sorted(__all__)
