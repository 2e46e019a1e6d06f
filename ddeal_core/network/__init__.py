"""Figure 1 of the paper, one file a box."""

from typing import TYPE_CHECKING

from ddeal_core.lazy_names import lazy_names

if TYPE_CHECKING:
    from ddeal_core.network.backbone import Backbone
    from ddeal_core.network.config import (
        DEFAULT_PRESET,
        PRESETS,
        Ablation,
        NetworkConfig,
        TrackerConfig,
    )
    from ddeal_core.network.ddeal import STRIDE, Ddeal
    from ddeal_core.network.state import FrameEncoding, ObjectState, Prediction, Reference
else:
    __getattr__ = lazy_names(
        __name__,
        {
            "backbone": ("Backbone",),
            "config": ("DEFAULT_PRESET", "PRESETS", "Ablation", "NetworkConfig", "TrackerConfig"),
            "ddeal": ("STRIDE", "Ddeal"),
            "state": ("FrameEncoding", "ObjectState", "Prediction", "Reference"),
        },
    )

__all__ = [
    "DEFAULT_PRESET",
    "PRESETS",
    "STRIDE",
    "Ablation",
    "Backbone",
    "Ddeal",
    "FrameEncoding",
    "NetworkConfig",
    "ObjectState",
    "Prediction",
    "Reference",
    "TrackerConfig",
]
