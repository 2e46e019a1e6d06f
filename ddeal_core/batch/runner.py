"""One process's work: the network is loaded once, then videos are cut out one after the other."""

import logging
import time
from dataclasses import replace
from pathlib import Path

import cv2
import torch

from ddeal_core.batch.job import Job, OnProgress, Outcome, Position
from ddeal_core.batch.plan import masks_in
from ddeal_core.errors import DdealError, InputError
from ddeal_core.media.pixel_limit import limited_pixels
from ddeal_core.media.sources.opening import open_source
from ddeal_core.runs.outputs import Progress
from ddeal_core.runs.request import NetworkOptions, VideoRequest
from ddeal_core.runs.run import run_video
from ddeal_core.tracking.batches import is_out_of_memory

_log = logging.getLogger(__name__)


class Runner:
    """Cuts out one video after the other; none can stop it but by ending the process.

    Args:
        network: What to load.
        threads: How many the network may use; all cores if None. Results do not depend on it.

    Raises:
        WeightsError: The weights are missing or damaged.
        InputError: The device is not there, or the resolution is too small.
    """

    def __init__(self, network: NetworkOptions, *, threads: int | None = None) -> None:
        if threads is not None:
            torch.set_num_threads(threads)
            cv2.setNumThreads(threads)
        self._segmenter = network.load()

    def run(self, job: Job, on_progress: OnProgress | None = None) -> Outcome:
        """Cut out one video and say how it ended; a failure is told, not raised."""
        if job.fault is not None:
            return Outcome.fault(job, job.fault, bad_input=True)
        frames = 0
        began = time.monotonic()

        def advance(progress: Progress) -> None:
            nonlocal frames
            frames = progress.done
            if on_progress is not None:
                on_progress(Position(job, progress.done, progress.total))

        # What is complete is left, what is unfinished goes on, unless all is made anew.
        outputs = replace(job.outputs, resume=not job.outputs.overwrite)
        outcome = Outcome(job, "failed", device=str(self._segmenter.device))
        try:
            done = run_video(_request(job), outputs, self._segmenter, on_progress=advance)
        except DdealError as failure:
            outcome = replace(
                outcome,
                error=str(failure),
                remedy=failure.remedy,
                bad_input=isinstance(failure, InputError),
            )
        except OSError as failure:
            name = f"{failure.filename}: " if failure.filename else ""
            outcome = replace(outcome, error=f"{name}{failure.strerror or failure}")
        except Exception as failure:
            outcome = replace(outcome, error=_described(failure))
        else:
            if done.was_complete:
                return replace(outcome, status="complete")
            outcome = replace(
                outcome, status="done", size=done.size, objects=done.object_ids, doubts=done.doubts
            )
        return replace(outcome, frames=frames, seconds=time.monotonic() - began)


def _request(job: Job) -> VideoRequest:
    """What is asked for, with the masks of a folder chosen by the rule."""
    request = job.request
    if not job.by_rule:
        return request
    words: list[str] = []
    with (
        limited_pixels(request.max_pixels),
        open_source(job.video, start=request.start, end=request.end) as source,
    ):
        for folder in request.mask_names:
            words += masks_in(Path(folder), source)
    return replace(request, masks=words)


def _described(failure: Exception) -> str:
    if is_out_of_memory(failure):
        if torch.cuda.is_available():
            torch.cuda.empty_cache()  # for the videos that follow
        return "out of memory: try fewer videos at a time, or a lower resolution"
    _log.debug("a defect", exc_info=failure)
    first = str(failure).strip().splitlines() or [""]
    return f"a defect of ddeal, please report it: {type(failure).__name__}: {first[0]}"
