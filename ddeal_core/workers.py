"""Work spread over processes, which ends in an error, never in a wait, when one dies."""

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import TypeVar

from ddeal_core.errors import DdealError

JobT = TypeVar("JobT")
ResultT = TypeVar("ResultT")


def cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS and Windows
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextmanager
def interrupts_held() -> Iterator[None]:
    """Hold Ctrl-C back while processes start, here and in them, which inherit it."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def map_processes(
    function: Callable[[JobT], ResultT],
    jobs: Sequence[JobT],
    *,
    workers: int,
    prepare: Callable[[], None] | None = None,
) -> Iterator[tuple[int, ResultT]]:
    """Yield ``(index of the job, result)`` as jobs end, in any order.

    Processes are spawned, so that a caller's threads and GPU contexts do not matter; a script
    that asks for more than one worker needs the usual ``if __name__ == "__main__"``.

    Args:
        function: A function at the top level of a module.
        jobs: Picklable arguments.
        workers: Processes; with 1 (or a single job) all is done in this one.
        prepare: Called first in every process; picklable, such as a `functools.partial` that
            brings what all jobs need.

    Raises:
        DdealError: A process died (killed, out of memory).
        Exception: What ``function`` raises; other jobs are dropped, those that run are ended.
    """
    count = min(workers, len(jobs))
    if count <= 1:
        if prepare is not None:
            prepare()
        for index, job in enumerate(jobs):
            yield index, function(job)
        return
    context = multiprocessing.get_context("spawn")
    others = set(multiprocessing.active_children())
    pool = ProcessPoolExecutor(count, mp_context=context, initializer=_begin, initargs=(prepare,))
    done = False
    try:
        with interrupts_held():
            futures = {pool.submit(function, job): index for index, job in enumerate(jobs)}
        for future in as_completed(futures):
            yield futures[future], future.result()
        done = True
    except BrokenProcessPool as error:
        raise DdealError(
            "a worker process died (killed, out of memory, or started from a script without "
            'an `if __name__ == "__main__"` guard); try again with one worker'
        ) from error
    finally:
        if not done:  # nobody wants what the others still make
            for process in set(multiprocessing.active_children()) - others:
                process.terminate()
        pool.shutdown(wait=True, cancel_futures=True)


def _begin(prepare: Callable[[], None] | None) -> None:
    # A terminal's Ctrl-C reaches the workers too: the parent speaks of it, they go in silence.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    if prepare is not None:
        prepare()
