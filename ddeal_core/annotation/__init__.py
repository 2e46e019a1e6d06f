"""Marking objects in a video by hand, and following them: the model behind ``ddeal annotate``.

`Project` holds a video, its objects, the marks on its frames and the results; `TrackingRun` brings
the results up to date; `Exporter` writes them; `SessionFolder` keeps the masks. Nothing here knows
of HTTP: the page is in `ddeal_core.annotation.server`.
"""

from ddeal_core.annotation.exporting import EXPORTS, Export, Exporter
from ddeal_core.annotation.frame_marks import FrameMarks, ObjectHints
from ddeal_core.annotation.jobs import Job, Jobs
from ddeal_core.annotation.label_map import LabelMap
from ddeal_core.annotation.marks import Box, Click, Mark, Stroke
from ddeal_core.annotation.object_list import AnnotatedObject
from ddeal_core.annotation.project import Project
from ddeal_core.annotation.result_store import GivenMasks, ResultStore
from ddeal_core.annotation.session_folder import SessionFolder
from ddeal_core.annotation.tracking_run import RunRange, TrackingRun

__all__ = [
    "EXPORTS",
    "AnnotatedObject",
    "Box",
    "Click",
    "Export",
    "Exporter",
    "FrameMarks",
    "GivenMasks",
    "Job",
    "Jobs",
    "LabelMap",
    "Mark",
    "ObjectHints",
    "Project",
    "ResultStore",
    "RunRange",
    "SessionFolder",
    "Stroke",
    "TrackingRun",
]
