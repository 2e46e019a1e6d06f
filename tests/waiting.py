"""Waiting for other processes and threads, however slow the machine is."""

import time
from collections.abc import Callable

__all__ = ["HANG", "wait_for"]

HANG = 600.0
"""Seconds after which something is taken to hang: no measure of speed."""


def wait_for(happened: Callable[[], object]) -> None:
    """Return once `happened` gives something true; fail if that takes as long as a hang."""
    deadline = time.monotonic() + HANG
    while not happened():
        assert time.monotonic() < deadline, "it does not happen"
        time.sleep(0.01)
