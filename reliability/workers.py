"""Worker processes that run one input after the other and are ended when one hangs."""

import contextlib
import logging
import multiprocessing
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

__all__ = ["Outcome", "Worker"]

_MEMORY = 6 << 30  # bytes of address space, of which torch's libraries take two thirds at most


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one input went.

    Attributes:
        kind: "read", "refused", or what is wrong: "traceback", "several lines", "no memory",
            "hung", "died".
        detail: The error's class, or the traceback.
    """

    kind: str
    detail: str

    @property
    def is_bad(self) -> bool:
        """Whether a user would have a reason to complain."""
        return self.kind not in ("read", "refused")


class Worker:
    """A process that is kept warm, and replaced when it hangs or dies.

    Args:
        run: Reads the file that it is given; in the worker. A module's function.
        seconds: Longest time for an input.
    """

    def __init__(self, run: Callable[[str, Path, int], None], *, seconds: float) -> None:
        self._run, self._seconds = run, seconds
        self._context = multiprocessing.get_context("spawn")
        self._start()

    def _start(self) -> None:
        self._pipe, there = self._context.Pipe()
        self._process = self._context.Process(target=_serve, args=(self._run, there), daemon=True)
        self._process.start()
        there.close()
        if not self._pipe.poll(600) or self._pipe.recv() != "ready":
            raise RuntimeError("a worker does not start")

    def try_out(self, kind: str, path: Path, choice: int) -> Outcome:
        """Run one input."""
        self._pipe.send((kind, path, choice))
        if not self._pipe.poll(self._seconds):
            self.close()
            self._start()
            return Outcome("hung", f"no end after {self._seconds:.0f} s")
        try:
            answer = self._pipe.recv()
        except (EOFError, ConnectionResetError):
            self._process.join()
            code = self._process.exitcode
            self.close()
            self._start()
            return Outcome("died", f"exit code {code}")
        assert isinstance(answer, Outcome)
        return answer

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.join()
        self._pipe.close()


def _serve(run: Callable[[str, Path, int], None], pipe: Connection) -> None:
    from ddeal_core.errors import DdealError

    logging.getLogger("ddeal_core").addHandler(logging.NullHandler())
    logging.getLogger("libav").setLevel(logging.CRITICAL)
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    pipe.send("ready")
    while True:
        kind, path, choice = pipe.recv()
        try:
            run(kind, path, choice)
            outcome = Outcome("read", "")
        except DdealError as error:
            several = "\n" in str(error)
            text = type(error).__name__
            outcome = Outcome("several lines", str(error)) if several else Outcome("refused", text)
        except MemoryError:
            outcome = Outcome("no memory", traceback.format_exc())
        except Exception:
            outcome = Outcome("traceback", traceback.format_exc())
        pipe.send(outcome)
