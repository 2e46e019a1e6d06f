"""From network to video: state held from frame to frame, objects merged, sizes matched."""

from ddeal_core.tracking.merging import merge, to_labels
from ddeal_core.tracking.result import Result
from ddeal_core.tracking.segmenter import Segmenter, resolve_device
from ddeal_core.tracking.tracker import MAX_OBJECT_ID, Tracker

__all__ = [
    "MAX_OBJECT_ID",
    "Result",
    "Segmenter",
    "Tracker",
    "merge",
    "resolve_device",
    "to_labels",
]
