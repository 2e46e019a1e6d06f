"""What a worker of the fuzzer is given to run in its test; it is quick to import."""

import os
import time

from ddeal_core.errors import MediaError

__all__ = ["misbehave"]


def misbehave(kind, path, choice):
    """Go wrong in the way that is named."""
    del choice
    if kind == "hang":
        time.sleep(600)
    if kind == "die":
        os._exit(7)
    if kind == "fail":
        raise KeyError(path)
    if kind == "lines":
        raise MediaError("one\ntwo")
    if kind == "refuse":
        raise MediaError("one")
