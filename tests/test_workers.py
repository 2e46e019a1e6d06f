import multiprocessing
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from waiting import HANG

from ddeal_core.errors import DdealError, MaskError
from ddeal_core.workers import cores, map_processes


def length(job: bytes) -> int:
    return len(job)


def die(job: bytes) -> int:
    os._exit(len(job) % 256)


def complain_or_wait(job: int) -> None:
    import time

    if job == 0:
        raise MaskError("bad mask")
    time.sleep(600)


@pytest.mark.parametrize("workers", [1, 9])
def test_results_come_with_their_index(workers: int) -> None:
    jobs = [b"a", b"bcd", b"ef"]
    assert sorted(map_processes(length, jobs, workers=workers)) == [(0, 1), (1, 3), (2, 2)]


def test_a_process_that_dies_is_an_error_and_no_wait() -> None:
    # Jobs larger than a pipe holds: the parent is writing them as the reader dies.
    with pytest.raises(DdealError, match="worker process died"):
        list(map_processes(die, [bytes(1_000_000)] * 20, workers=2))
    assert not multiprocessing.active_children()


def test_an_error_ends_the_others_at_once() -> None:
    with pytest.raises(MaskError, match="bad mask"):
        list(map_processes(complain_or_wait, [1, 0, 2, 3], workers=2))
    assert not multiprocessing.active_children()


SCRIPT = """
import multiprocessing, sys, threading, time
from pathlib import Path
from ddeal_core.workers import map_processes

def rest(name):
    Path(name).touch()
    time.sleep(600)

def tell(begun):
    while len(multiprocessing.active_children()) < 2 or not all(map(Path.exists, begun)):
        time.sleep(0.01)
    print("here", flush=True)

if __name__ == "__main__":
    begun = [Path("a"), Path("b")]
    threading.Thread(target=tell, args=(begun,), daemon=True).start()
    list(map_processes(rest, ["a", "b"], workers=2))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no process groups to interrupt")
def test_ctrl_c_is_told_by_the_parent_alone(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    # Tests that run in a shell's background ignore Ctrl-C, and would hand that on.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        process = subprocess.Popen(
            [sys.executable, str(script)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
            start_new_session=True,
        )
    finally:
        signal.signal(signal.SIGINT, before)
    assert process.stdout is not None
    assert process.stdout.readline() == "here\n"
    os.killpg(process.pid, signal.SIGINT)
    _, told = process.communicate(timeout=HANG)
    assert process.returncode == -signal.SIGINT
    assert told.count("Traceback") == 1, told
    assert "SpawnProcess" not in told


def test_there_is_a_core() -> None:
    assert cores() >= 1
