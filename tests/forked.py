"""Processes forked from one that has imported torch already, which takes longer than what they do.

For tests of what a process does once it runs; how the program starts is seen by others.
"""

import contextlib
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from waiting import HANG, wait_for

__all__ = ["Forked", "program"]


class Forked:
    """`function(*arguments)` in a process of its own.

    Attributes:
        out: What it has printed, a file in the folder; `err` likewise.
    """

    def __init__(self, folder: Path, function: Callable[..., object], *arguments: object) -> None:
        self.out, self.err = folder / "stdout.txt", folder / "stderr.txt"
        for path in (self.out, self.err):
            path.touch()
        self._process = multiprocessing.get_context("forkserver").Process(
            target=_told, args=(self.out, self.err, function, arguments), daemon=True
        )
        self._process.start()
        self.pid: int = self._process.pid

    def wait_for(self, happened: Callable[[], object]) -> None:
        """Return once that is true or the process has ended."""
        wait_for(lambda: happened() or not self._process.is_alive())

    def send_signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):  # `ended` tells
            os.kill(self.pid, number)

    def ended(self) -> int | None:
        """Its exit state once it has ended; negative for a signal."""
        self._process.join(HANG)
        return self._process.exitcode


def _told(out: Path, err: Path, function: Callable[..., object], arguments: tuple) -> None:
    for path, number in ((out, 1), (err, 2)):
        os.dup2(os.open(path, os.O_WRONLY), number)
    os.fsync = os.fstat  # as in the tests themselves
    # Tests that run in a shell's background ignore Ctrl-C, and would hand that on.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    function(*arguments)


def program(*words: object) -> None:
    """The program with these words."""
    from ddeal_cli.main import run

    sys.argv[1:] = map(str, words)
    run()
