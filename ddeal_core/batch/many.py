"""Many videos in one call."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated

from ddeal_core.batch.job import Job, OnProgress, Outcome
from ddeal_core.errors import InputError
from ddeal_core.runs.request import NetworkOptions
from ddeal_core.settings import Range, check_value


def cut_out_many(
    jobs: Iterable[Job],
    *,
    network: NetworkOptions | None = None,
    workers: int | None = None,
    engine: str = "local",
    on_progress: OnProgress | None = None,
) -> Iterator[Outcome]:
    """Cut objects out of many videos, as ``ddeal segment`` does, and with the same bytes.

        videos, _ = find_videos(["clips"])
        requests = [VideoRequest(video, end=100) for video in videos]
        jobs = plan(requests, OutputOptions("cut/{stem}.mov", overwrite=True), mask_dir="first")
        outcomes = list(cut_out_many(jobs, workers=2))
        failed = {outcome.job.video: outcome.error for outcome in outcomes if outcome.error}

    One video that fails does not stop the others. What an earlier run completed, from the same
    files and with the same options, is left as it is, and what it left unfinished goes on; unless
    results may be overwritten.

    Args:
        jobs: The videos: see `plan`.
        network: What to load in each process; the bundled weights if None.
        workers: Processes on this machine, each with its share of the threads; 0 does the work
            in this one. With Ray, how many videos at a time. None: one process, or as many as
            the cluster has room for.
        engine: "local", or "ray" with an address if wanted: see `run_on_ray`.
        on_progress: Called as frames are done; not with Ray.

    Yields:
        How each video ended, as they end, in any order. Dropping the iterator ends the processes.

    Raises:
        InputError: The weights, the device or the engine cannot be used.
        DdealError: No worker can start.
    """
    check_value("workers", workers, Annotated[int, Range(0, 4096)] | None)
    options = NetworkOptions() if network is None else network
    address = None if engine == "local" else ray_address(engine)
    todo: list[Job] = []
    for job in jobs:
        if job.fault is None:
            todo.append(job)
        else:
            yield Outcome.fault(job, job.fault, bad_input=True)
    if not todo:
        return
    if engine != "local":
        from ddeal_core.batch.ray import run_on_ray

        yield from run_on_ray(todo, options, workers=workers or None, address=address)
    elif workers == 0:
        from ddeal_core.batch.runner import Runner

        runner = Runner(options)
        for job in todo:
            yield runner.run(job, on_progress)
    else:
        from ddeal_core.batch.local import run_in_processes

        yield from run_in_processes(todo, options, workers=workers or 1, on_progress=on_progress)


def ray_address(engine: str) -> str | None:
    """Read the address in the name of an engine: ``ray``, or ``ray://host:10001``.

    Raises:
        InputError: It is not the name of an engine.
    """
    if engine == "ray":
        return None
    if engine.startswith("ray://") and engine != "ray://":
        return engine
    raise InputError(f"no engine {engine!r}: choose local, ray, or ray://HOST:10001")
