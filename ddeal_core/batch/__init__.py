"""Many videos: which they are, the processes or machines that cut them out, how each ended."""

from ddeal_core.batch.job import Job, Outcome, Position
from ddeal_core.batch.many import cut_out_many
from ddeal_core.batch.plan import default_folder, find_videos, plan

__all__ = ["Job", "Outcome", "Position", "cut_out_many", "default_folder", "find_videos", "plan"]
