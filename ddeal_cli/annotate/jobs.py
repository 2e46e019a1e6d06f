"""One thing at a time that takes long, beside the person who works on."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from ddeal_cli.console import told
from ddeal_core.errors import DdealError, InputError

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class JobState:
    """How a job stands.

    `number` counts jobs from 1; `what` is "segment" or "export"; `state` is "running", "done",
    "cancelled" or "failed"; `frame` was done last, at `rate` frames a second; `message` says in one
    line what went wrong, or what came out.
    """

    number: int
    what: str
    state: str
    done: int
    total: int
    frame: int | None = None
    rate: float = 0.0
    message: str = ""


class Jobs:
    """Runs one job at a time in a thread, which calls `on_change` whenever its state changes."""

    def __init__(self, on_change: Callable[[], None] = lambda: None) -> None:
        self.on_change = on_change
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._cancelled = threading.Event()
        self._job: JobState | None = None

    @property
    def current(self) -> JobState | None:
        """The job that runs, or ran last."""
        return self._job

    @property
    def is_running(self) -> bool:
        """Whether one runs."""
        return self._job is not None and self._job.state == "running"

    def begin(
        self,
        what: str,
        steps: Iterator[int],
        *,
        total: int,
        finished: Callable[[], str] = lambda: "",
    ) -> None:
        """Begin a job, unless one is running.

        `steps` gives the number of each frame that is done, and is closed in the end; `finished` is
        called after the last one, and gives the message.
        """
        with self._lock:
            if self.is_running:
                raise InputError(
                    "something is running already: wait until it is done, or cancel it"
                )
            self._cancelled = threading.Event()
            number = 1 if self._job is None else self._job.number + 1
            self._job = JobState(number, what, "running", 0, total)
            self._thread = threading.Thread(
                target=self._work, args=(steps, finished, self._cancelled), name="ddeal-job"
            )
            self._thread.start()
        self.on_change()

    def cancel(self) -> None:
        """End the job after the frame it is at; what is done stays."""
        self._cancelled.set()

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until the job has ended, at most so long; give whether it has."""
        if self._thread is None:
            return True
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _work(
        self, steps: Iterator[int], finished: Callable[[], str], cancelled: threading.Event
    ) -> None:
        began, done, state, message = time.monotonic(), 0, "done", ""
        try:
            for frame in steps:
                done += 1
                rate = done / max(time.monotonic() - began, 1e-9)
                self._tell(done=done, frame=frame, rate=rate)
                if cancelled.is_set():
                    state = "cancelled"
                    break
            else:
                message = finished()
        except DdealError as error:
            state, message = "failed", told(error)
        except Exception as error:
            _log.debug("a job failed", exc_info=True)
            state, message = "failed", f"{type(error).__name__}: {error}"
        finally:
            close = getattr(steps, "close", None)
            if close is not None:
                close()
        self._tell(state=state, message=" ".join(message.split()))

    def _tell(self, **changes: object) -> None:
        assert self._job is not None
        self._job = replace(self._job, **changes)  # type: ignore[arg-type]
        self.on_change()
