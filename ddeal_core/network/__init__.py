"""Figure 1 of the paper, one file a box."""

from ddeal_core.network.backbone import Backbone
from ddeal_core.network.config import DEFAULT_PRESET, PRESETS, Ablation, NetworkConfig
from ddeal_core.network.ddeal import STRIDE, Ddeal
from ddeal_core.network.inference import for_inference
from ddeal_core.network.state import FrameEncoding, ObjectState, Prediction, Reference

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
    "for_inference",
]
