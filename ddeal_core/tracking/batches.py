"""How much goes through the network at once, and less of it where memory is short."""

import gc
import logging
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

_log = logging.getLogger(__name__)

T = TypeVar("T")

_WORDS = ("out of memory", "can't allocate memory", "not enough memory", "bad_alloc")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory is used up, on a GPU or on the CPU.

    torch has a class of its own for GPUs, and raises a plain RuntimeError on the CPU.
    """
    if isinstance(error, MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(word in str(error) for word in _WORDS)


class Batches(Generic[T]):
    """Takes things through a computation, several at once; on lack of memory, half as many.

    What has been halved stays so: a video that filled the memory once would do so on every frame.

    Args:
        what: What is counted, for the warning.
        free: Called before a batch is tried again, to give cached memory back.
    """

    def __init__(self, what: str, *, free: Callable[[], None] = lambda: None) -> None:
        self._what = what
        self._free = free
        self._limit: int | None = None

    @property
    def limit(self) -> int | None:
        """Things at once that memory allowed, or None while it has always been enough."""
        return self._limit

    def run(self, count: int, compute: Callable[[slice], T], *, most: int) -> Iterator[T]:
        """Compute batch after batch.

        Args:
            count: Things there are.
            compute: Works on those of a slice. It is called again with a shorter one when memory
                runs out, so it must not have changed anything by then.
            most: Things at once, if memory allows.

        Yields:
            What `compute` gave, in order.

        Raises:
            Exception: Memory runs out with a single thing, or something else is wrong.
        """
        begin = 0
        while begin < count:
            size = max(1, most if self._limit is None else min(most, self._limit))
            part = slice(begin, min(begin + size, count))
            found: T | None = None
            try:
                found = compute(part)
                done = True
            except (MemoryError, RuntimeError) as error:
                if not is_out_of_memory(error) or part.stop - part.start == 1:
                    raise
                done = False
            # outside the handler, where the error's traceback no longer keeps tensors alive
            if not done:
                self._halve(part.stop - part.start)
                continue
            yield found  # type: ignore[misc]
            begin = part.stop

    def _halve(self, tried: int) -> None:
        self._limit = tried // 2
        _log.warning(
            "memory is not enough for %d %s at once: it goes on with %d, more slowly",
            tried,
            self._what,
            self._limit,
        )
        gc.collect()
        self._free()
