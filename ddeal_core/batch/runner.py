"""One process's work: the network is loaded once, then videos are cut out one after the other."""

import inspect
import logging
import time
from pathlib import Path
from typing import Any

import cv2
import torch

from ddeal_core.batch.job import Job, OnProgress, Outcome, Position, Settings
from ddeal_core.batch.mask_rule import masks_in
from ddeal_core.errors import DdealError, InputError
from ddeal_core.media.sources.opening import open_source
from ddeal_core.runs.pipeline import Progress
from ddeal_core.runs.run import cut_out
from ddeal_core.tracking.segmenter import Segmenter

__all__ = ["Runner"]

_log = logging.getLogger(__name__)


class Runner:
    """Cuts out one video after the other; none can stop it but by ending the process.

    Args:
        settings: Of all videos.
        threads: How many the network may use; all cores if None. Results do not depend on it.

    Raises:
        WeightsError: The weights are missing or damaged.
        InputError: The device is not there, or the resolution is too small.
        TypeError: `settings` has a word that `Segmenter.load` or `cut_out` does not know.
    """

    def __init__(self, settings: Settings, *, threads: int | None = None) -> None:
        inspect.signature(cut_out).bind("", "", "", **settings.cutting)
        if threads is not None:
            torch.set_num_threads(threads)
            cv2.setNumThreads(threads)
        self._segmenter = Segmenter.load(**settings.network)
        # What is complete is left, what is unfinished goes on, unless all is to be made anew.
        self._cutting = {**settings.cutting, "resume": not settings.cutting.get("overwrite")}

    def run(self, job: Job, on_progress: OnProgress | None = None) -> Outcome:
        """Cut out one video.

        Args:
            job: The video.
            on_progress: Called after each frame.

        Returns:
            How it ended; a failure is told, not raised.
        """
        if job.fault is not None:
            return Outcome.fault(job, job.fault, bad_input=True)
        frames, size = 0, None
        objects: set[int] = set()
        began = time.monotonic()

        def advance(progress: Progress) -> None:
            nonlocal frames, size
            frames, size = progress.done, progress.frame.size
            objects.update(progress.result.object_ids)
            if on_progress is not None:
                on_progress(Position(job, progress.done, progress.total))

        error, bad_input = None, False
        try:
            cut_out(
                job.video,
                self._masks(job),
                job.outputs,
                segmenter=self._segmenter,
                on_frame=advance,
                **self._cutting,
            )
            if frames == 0:  # and no error: nothing was left to do
                return Outcome(job, "complete", device=str(self._segmenter.device))
        except DdealError as failure:
            error, bad_input = str(failure), isinstance(failure, InputError)
        except OSError as failure:
            name = f"{failure.filename}: " if failure.filename else ""
            error = f"{name}{failure.strerror or failure}"
        except Exception as failure:
            error = _described(failure)
        return Outcome(
            job,
            "done" if error is None else "failed",
            frames=frames,
            size=size,
            objects=tuple(sorted(objects)),
            seconds=time.monotonic() - began,
            device=str(self._segmenter.device),
            error=error,
            bad_input=bad_input,
        )

    def _masks(self, job: Job) -> list[str]:
        if not job.by_rule:
            return list(job.masks)
        limits: dict[str, Any] = {name: self._cutting.get(name) for name in ("start", "end")}
        words: list[str] = []
        with open_source(job.video, **limits) as source:
            for folder in job.masks:
                words += masks_in(Path(folder), source)
        return words


def _described(failure: Exception) -> str:
    words = ("out of memory", "can't allocate memory", "not enough memory")
    if isinstance(failure, MemoryError) or any(word in str(failure) for word in words):
        if torch.cuda.is_available():
            torch.cuda.empty_cache()  # for the videos that follow
        return "out of memory: try fewer videos at a time, or a lower resolution"
    _log.debug("a defect", exc_info=failure)
    first = str(failure).strip().splitlines() or [""]
    return f"a defect of ddeal, please report it: {type(failure).__name__}: {first[0]}"
