"""Many videos over a Ray cluster: each is a task, and Ray finds a machine for it.

Videos, masks, weights and results are files on storage that all machines see under one path, and
each machine has the same version of this package. The extra ``ray`` brings what is needed.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import pickle
import platform
from collections import deque
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from ddeal_core.batch.job import Job, Outcome
from ddeal_core.errors import DdealError, InputError
from ddeal_core.runs.request import NetworkOptions

if TYPE_CHECKING:
    from ddeal_core.batch.runner import Runner

_SECONDS_TO_TIDY = 5.0


def run_on_ray(
    jobs: Sequence[Job],
    network: NetworkOptions,
    *,
    workers: int | None = None,
    address: str | None = None,
) -> Iterator[Outcome]:
    """Cut out videos as tasks of Ray.

    A task takes one CPU, and a GPU where the cluster has some and the device allows it. A worker
    that dies costs the video that it had.

    Args:
        jobs: The videos; relative names are of the current folder, which all machines must see.
        network: What each worker loads.
        workers: How many videos at a time; as many as the cluster has room for if None.
        address: Of a cluster that this machine is not in: ``ray://host:10001``. None takes
            RAY_ADDRESS, the cluster that this machine is in, or starts one of it alone.

    Raises:
        InputError: Ray is not installed, or there is no cluster at the address.
        DdealError: The cluster has no room for a single video.
    """
    ray = _connected(address)
    running: dict[Any, Job] = {}
    try:
        task = ray.remote(_cut_out).options(num_cpus=1, num_gpus=_gpus(ray, network), max_retries=0)
        packed = pickle.dumps(network)  # bytes: a worker knows by them what it has loaded
        waiting = deque(jobs)
        room = workers or len(jobs)
        while waiting or running:
            while waiting and len(running) < room:
                job = waiting.popleft()
                running[task.remote(packed, job, os.getcwd())] = job  # noqa: PTH109
            ready, _ = ray.wait(list(running), num_returns=1)
            for reference in ready:
                job = running.pop(reference)
                yield _outcome(ray, reference, job)
    finally:
        _end(ray, running)


def _connected(address: str | None) -> Any:
    try:
        import ray
    except ImportError:
        raise InputError(
            "Ray is not installed: pip install 'ddeal[ray]', here and on every machine of the "
            "cluster"
        ) from None
    # What a tool does is nobody's business unless its user says so.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    # Of a cluster that starts here: else its workers give way to whatever else this machine does.
    os.environ.setdefault("RAY_worker_niceness", "0")
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    if address is None or not address.startswith("ray://"):
        options["include_dashboard"] = False
    try:
        ray.init(address, **options)
    except Exception as error:  # of many kinds, most of them no RayError
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        where = address or os.environ.get("RAY_ADDRESS") or "this machine"
        hint = (
            "" if "RAY_AUTH_MODE" in os.environ else "; one with a token wants RAY_AUTH_MODE=token"
        )
        raise InputError(f"no Ray cluster answers at {where}: {first}{hint}") from None
    return ray


def _gpus(ray: Any, network: NetworkOptions) -> int:
    wanted = network.device in ("auto", "cuda")
    return int(wanted and ray.cluster_resources().get("GPU", 0) >= 1)


def _outcome(ray: Any, reference: Any, job: Job) -> Outcome:
    try:
        outcome: Outcome = ray.get(reference)
    except ray.exceptions.WorkerCrashedError:
        return Outcome.fault(job, "its worker process died (killed, or out of memory)")
    except ray.exceptions.OutOfMemoryError:
        return Outcome.fault(job, "Ray ended it to save memory: give each machine fewer videos")
    except ray.exceptions.NodeDiedError:
        return Outcome.fault(job, "its machine left the cluster")
    except ray.exceptions.RayError as error:
        cause = getattr(error, "cause", None) or error
        if isinstance(cause, ImportError) or "ModuleNotFoundError" in str(cause):
            return Outcome.fault(
                job, "its worker cannot import ddeal: install the same version on every machine"
            )
        lines = str(cause).strip().splitlines() or [type(cause).__name__]
        return Outcome.fault(job, f"Ray could not run it: {lines[-1]}")
    return outcome


def _end(ray: Any, running: dict[Any, Job]) -> None:
    """Cancel what runs: politely, so that nothing unfinished is left behind, then by force."""
    with contextlib.suppress(Exception):
        for reference in running:
            ray.cancel(reference)
        if running:
            _, late = ray.wait(list(running), num_returns=len(running), timeout=_SECONDS_TO_TIDY)
            for reference in late:
                ray.cancel(reference, force=True)
    ray.shutdown()


def _cut_out(packed: bytes, job: Job, folder: str) -> Outcome:
    """What a worker does with one video."""
    try:
        os.chdir(folder)
    except OSError:
        return Outcome.fault(
            job,
            f"the machine {platform.node()} does not see the folder {folder}: start in a folder "
            "that every machine of the cluster sees",
            bad_input=True,
        )
    try:
        runner = _runner(packed)
    except DdealError as error:
        return Outcome.fault(job, f"{error} (on {platform.node()})", bad_input=True)
    return runner.run(job)


@functools.lru_cache(maxsize=1)
def _runner(packed: bytes) -> Runner:
    """The network, loaded once in each process."""
    from ddeal_core.batch.runner import Runner

    return Runner(pickle.loads(packed), threads=1)
