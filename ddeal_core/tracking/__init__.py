"""From network to video: state held from frame to frame, objects merged, sizes matched."""

from ddeal_core.tracking.directions import Direction
from ddeal_core.tracking.from_files import cut_out
from ddeal_core.tracking.given_masks import given_masks
from ddeal_core.tracking.journal import Journal
from ddeal_core.tracking.merging import merge, to_labels
from ddeal_core.tracking.pipeline import Progress, segment_video
from ddeal_core.tracking.result import Result
from ddeal_core.tracking.run_settings import output_settings, run_settings
from ddeal_core.tracking.segmenter import Segmenter, resolve_device
from ddeal_core.tracking.tracker import MAX_OBJECT_ID, Tracker
from ddeal_core.tracking.unfinished import all_whole, open_journal

__all__ = [
    "MAX_OBJECT_ID",
    "Direction",
    "Journal",
    "Progress",
    "Result",
    "Segmenter",
    "Tracker",
    "all_whole",
    "cut_out",
    "given_masks",
    "merge",
    "open_journal",
    "output_settings",
    "resolve_device",
    "run_settings",
    "segment_video",
    "to_labels",
]
