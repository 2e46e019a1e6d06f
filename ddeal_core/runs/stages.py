"""Decoding and writing beside the network, each in a thread of its own.

Decoders and encoders let go of Python's lock while they work. Order, bytes and errors are those
of one thread that does one after the other, and no thread outlives the `with` block.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Generic, TypeVar

from ddeal_core.runs.channel import Channel

T = TypeVar("T")


@contextmanager
def prefetched(items: Iterator[T], *, capacity: int) -> Iterator[Iterator[T]]:
    """Let a thread take items before they are asked for.

        with prefetched(iter(source), capacity=2) as frames:
            for frame in frames: ...

    Args:
        items: Taken from in that thread alone, and closed there if it is a generator. What it
            raises is raised to the taker, after the items before.
        capacity: How many wait at most; one more is in the making.
    """
    channel: Channel[T] = Channel(capacity)

    def work() -> None:
        error: BaseException | None = None
        try:
            for item in items:
                if not channel.put(item):
                    break
        except BaseException as caught:
            error = caught
        finally:
            close = getattr(items, "close", None)
            if close is not None:
                with suppress(Exception):
                    close()
            channel.end(error)

    thread = threading.Thread(target=work, name="ddeal-decode")
    thread.start()
    try:
        yield iter(channel)
    finally:
        channel.close()
        thread.join()


class Consumer(Generic[T]):
    """A thread that consumes items in order; use it with `with`.

    Leaving the block drops what is waiting, unless `finish` has been called, and ends the thread.

    Args:
        consume: Called with each item. Once it has raised, nothing more is consumed.
        capacity: How many items wait at most.
    """

    def __init__(self, consume: Callable[[T], None], *, capacity: int) -> None:
        self._consume = consume
        self._todo: Channel[T] = Channel(capacity)
        # What is done never holds the thread up: each was let in by the bounded queue before.
        self._done: Channel[T] = Channel(1 << 30)
        self._thread = threading.Thread(target=self._work, name="ddeal-write")

    def put(self, item: T) -> None:
        """Hand an item over, once there is room. After an error it is dropped: see `done`."""
        self._todo.put(item)

    def done(self) -> Iterator[T]:
        """Items that have been consumed since the last call, without waiting.

        Raises:
            BaseException: What `consume` raised, once the items before have been given.
        """
        yield from self._done.waiting()
        if not self._thread.is_alive():
            yield from self._done

    def finish(self) -> Iterator[T]:
        """Wait for all items; give those that `done` has not given yet.

        Raises:
            BaseException: What `consume` raised.
        """
        self._todo.end()
        return iter(self._done)

    def __enter__(self) -> "Consumer[T]":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._todo.close()
        self._thread.join()

    def _work(self) -> None:
        error: BaseException | None = None
        try:
            for item in self._todo:
                self._consume(item)
                self._done.put(item)
        except BaseException as caught:
            error = caught
        self._todo.close()
        self._done.end(error)
