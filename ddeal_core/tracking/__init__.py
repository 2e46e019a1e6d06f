"""From network to video: state held from frame to frame, objects merged, sizes matched."""

from ddeal_core.tracking.directions import Direction
from ddeal_core.tracking.from_files import cut_out
from ddeal_core.tracking.given_masks import given_masks
from ddeal_core.tracking.merging import merge, to_labels
from ddeal_core.tracking.pipeline import Progress, segment_video
from ddeal_core.tracking.result import Result
from ddeal_core.tracking.run_settings import output_settings, run_settings
from ddeal_core.tracking.segmenter import Segmenter, resolve_device
from ddeal_core.tracking.tracker import MAX_OBJECT_ID, Tracker

__all__ = [
    "MAX_OBJECT_ID",
    "Direction",
    "Progress",
    "Result",
    "Segmenter",
    "Tracker",
    "cut_out",
    "given_masks",
    "merge",
    "output_settings",
    "resolve_device",
    "run_settings",
    "segment_video",
    "to_labels",
]
