"""Running a video: from what a user names to finished outputs, also after an interruption.

Importing this brings no torch along: `ddeal_core.runs.pipeline`, which does, is imported when a
run is ready to begin.
"""

from ddeal_core.runs.request import NetworkOptions, OutputOptions, VideoRequest
from ddeal_core.runs.run import RunSummary, cut_out, open_run, run_video

__all__ = [
    "NetworkOptions",
    "OutputOptions",
    "RunSummary",
    "VideoRequest",
    "cut_out",
    "open_run",
    "run_video",
]
