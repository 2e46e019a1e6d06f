"""Work spread over processes, which ends in an error, never in a wait, when one dies."""

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from ddeal_core.errors import DdealError

__all__ = ["cores", "map_processes"]

Job = TypeVar("Job")
Result = TypeVar("Result")


def cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS and Windows
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def map_processes(
    function: Callable[[Job], Result], jobs: Sequence[Job], *, workers: int
) -> Iterator[tuple[int, Result]]:
    """Yield ``(index of the job, result)`` as jobs end, in any order.

    Processes are spawned, so that a caller's threads and GPU contexts do not matter; a script
    that asks for more than one worker needs the usual ``if __name__ == "__main__"``.

    Args:
        function: A function at the top level of a module.
        jobs: Picklable arguments.
        workers: Processes; with 1 (or a single job) all is done in this one.

    Raises:
        DdealError: A process died (killed, out of memory).
        Exception: What ``function`` raises; jobs that have not begun are dropped.
    """
    count = min(workers, len(jobs))
    if count <= 1:
        for index, job in enumerate(jobs):
            yield index, function(job)
        return
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(count, mp_context=context)
    try:
        futures = {pool.submit(function, job): index for index, job in enumerate(jobs)}
        for future in as_completed(futures):
            yield futures[future], future.result()
    except BrokenProcessPool as error:
        raise DdealError(
            "a worker process died (killed, out of memory, or started from a script without "
            'an `if __name__ == "__main__"` guard); try again with one worker'
        ) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
