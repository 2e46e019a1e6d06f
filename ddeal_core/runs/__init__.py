"""Running a video: from what a user names to finished outputs, also after an interruption."""

from ddeal_core.runs.run import cut_out

__all__ = ["cut_out"]
