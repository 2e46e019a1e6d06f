"""Many videos on this machine: a few processes, each with the network and its share of threads."""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import NoReturn

from ddeal_core.batch.job import Job, OnProgress, Outcome, Position
from ddeal_core.errors import DdealError
from ddeal_core.runs.request import NetworkOptions
from ddeal_core.workers import interrupts_held

_log = logging.getLogger(__name__)

_SECONDS_BETWEEN_REPORTS = 0.2
_SECONDS_TO_TIDY = 5.0


def run_in_processes(
    jobs: Sequence[Job],
    network: NetworkOptions,
    *,
    workers: int,
    on_progress: OnProgress | None = None,
) -> Iterator[Outcome]:
    """Cut out videos in processes of their own, which are gone when this ends.

    Processes are spawned, so that a caller's threads and GPU contexts do not matter; a script
    needs the usual ``if __name__ == "__main__"``. One that dies costs the video that it had;
    another takes its place.

    Arguments, what is given and what is raised are those of `cut_out_many`; progress is told a
    few times a second for each video.
    """
    waiting = deque(jobs)
    share = min(workers, len(jobs))
    pool: list[_Worker] = []

    def start() -> None:
        with interrupts_held():
            pool.append(_Worker(network, share))

    try:
        for _ in range(share):
            start()
        while pool:
            for worker in _with_messages(pool):
                match worker.receive():
                    case Position() as position:
                        if on_progress is not None:
                            on_progress(position)
                    case _Warning() as warning:
                        _log.log(warning.level, "%s", warning.about(worker.job))
                    case _Ready():
                        worker.ready = True
                        worker.take_from(waiting)
                    case Outcome() as outcome:
                        worker.take_from(waiting)
                        yield outcome
                    case Exception() as error:
                        raise error
                    case _:  # it is gone
                        pool.remove(worker)
                        if worker.job is not None:
                            yield Outcome.fault(worker.job, worker.cause_of_end())
                        if waiting and worker.ready:
                            start()
                        elif waiting and not pool:
                            raise DdealError(
                                f"no worker process could start: {worker.cause_of_end()} (a script "
                                'needs an `if __name__ == "__main__"` guard)'
                            )
    finally:
        _end(pool)


@dataclass(frozen=True, slots=True)
class _Ready:
    """The network is loaded."""


@dataclass(frozen=True, slots=True)
class _Warning:
    """What the library warned of while a video was cut out."""

    level: int
    text: str

    def about(self, job: Job | None) -> str:
        return self.text if job is None else f"{job.video}: {self.text}"


class _Worker:
    """A process as its parent sees it."""

    def __init__(self, network: NetworkOptions, share: int) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process: BaseProcess = context.Process(
            target=_work, args=(theirs, network, share), daemon=True
        )
        self.process.start()
        theirs.close()  # so that its death is the end of the line
        self.job: Job | None = None
        self.ready = self.dismissed = False

    def receive(self) -> object:
        """What it says; None where it is gone."""
        try:
            return self.connection.recv()
        except (EOFError, OSError):
            self.connection.close()
            self.process.join()
            return None

    def take_from(self, waiting: deque[Job]) -> None:
        """Hand it the next video, or let it go."""
        self.job = waiting.popleft() if waiting else None
        self.dismissed = self.job is None
        try:
            self.connection.send(self.job)
        except OSError:  # it died in between; `receive` tells
            if self.job is not None:
                waiting.appendleft(self.job)
            self.job, self.dismissed = None, False

    def cause_of_end(self) -> str:
        """Why it is gone."""
        code = self.process.exitcode
        if code is not None and code < 0:
            try:
                name = signal.Signals(-code).name
            except ValueError:
                name = f"signal {-code}"
            why = " (out of memory?)" if name == "SIGKILL" else ""
            return f"its process was ended by {name}{why}"
        return f"its process ended with exit code {code}"


def _with_messages(pool: list[_Worker]) -> list[_Worker]:
    ready = wait([worker.connection for worker in pool])
    return [worker for worker in pool if worker.connection in ready]


def _end(pool: list[_Worker]) -> None:
    """End what is left: politely, so that nothing unfinished is left behind, then at once."""
    try:
        for worker in pool:
            if not worker.dismissed:
                worker.process.terminate()
        deadline = time.monotonic() + _SECONDS_TO_TIDY
        for worker in pool:
            worker.process.join(max(0.0, deadline - time.monotonic()))
    finally:  # also after a second Ctrl-C
        for worker in pool:
            worker.process.kill()
            worker.process.join()
            worker.connection.close()


def _work(connection: Connection, network: NetworkOptions, share: int) -> None:
    """What the process does; told to end, it goes as soon as its outputs are tidied up."""
    try:
        _take_videos(connection, network, share)
    except _TerminatedError as told:
        os._exit(128 + told.number)  # winding up Python and torch would take a second


def _take_videos(connection: Connection, network: NetworkOptions, share: int) -> None:
    """Say when the network is ready, then take videos until there is none."""
    # A terminal's Ctrl-C reaches it too: the parent says what is to happen.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    for name in ("SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), _leave)
    line = _Line(connection)
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):  # nobody listens
        logger = logging.getLogger("ddeal_core")
        logger.addHandler(_Forwarder(line))
        logger.propagate = False
        try:
            import torch

            from ddeal_core.batch.runner import Runner

            runner = Runner(network, threads=max(1, torch.get_num_threads() // share))
        except Exception as error:
            line.send(error)
            return
        line.send(_Ready())
        while (job := connection.recv()) is not None:
            line.send(runner.run(job, line.report))


class _TerminatedError(BaseException):
    """A signal said that this process shall end; not an `Exception`: no video shall catch it."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def _leave(number: int, frame: object) -> NoReturn:
    del frame
    signal.signal(number, signal.SIG_IGN)  # once is enough
    raise _TerminatedError(number)


class _Line:
    """The way to the parent, for the threads of a pipeline."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._lock = threading.Lock()
        self._reported = 0.0

    def send(self, message: object) -> None:
        with self._lock:
            self._connection.send(message)

    def report(self, position: Position) -> None:
        """Send how far a video is, but not on every frame."""
        now = time.monotonic()
        if position.done == 1 or now - self._reported >= _SECONDS_BETWEEN_REPORTS:
            self._reported = now
            self.send(position)


class _Forwarder(logging.Handler):
    """Hands warnings to the parent, which knows where they are shown."""

    def __init__(self, line: _Line) -> None:
        super().__init__(logging.WARNING)
        self._line = line

    def emit(self, record: logging.LogRecord) -> None:
        self._line.send(_Warning(record.levelno, record.getMessage()))
