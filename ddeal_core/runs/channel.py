"""A bounded queue between two threads that passes errors on and can be closed from either side."""

import threading
from collections import deque
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class Channel(Generic[T]):
    """One thread puts, another takes; neither waits for a thread that has given up.

    Args:
        capacity: Items that wait at most; who wants to put one more is held up.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._items: deque[T] = deque()
        self._changed = threading.Condition()
        self._ended = self._closed = False
        self._error: BaseException | None = None

    def put(self, item: T) -> bool:
        """Add an item, once there is room. False if nobody takes any more."""
        with self._changed:
            self._wait(lambda: self._closed or len(self._items) < self._capacity)
            if not self._closed:
                self._items.append(item)
                self._changed.notify_all()
            return not self._closed

    def end(self, error: BaseException | None = None) -> None:
        """Say that no more items come, and why: the taker meets the error after the last one."""
        with self._changed:
            self._ended, self._error = True, error
            self._changed.notify_all()

    def close(self) -> None:
        """Say that no more items are taken; those that wait are dropped."""
        with self._changed:
            self._closed = True
            self._items.clear()
            self._changed.notify_all()

    def waiting(self) -> list[T]:
        """Take what is there, without waiting."""
        with self._changed:
            items = list(self._items)
            self._items.clear()
            self._changed.notify_all()
            return items

    def __iter__(self) -> Iterator[T]:
        """Take one item after the other until the end.

        Raises:
            BaseException: What `end` was given.
        """
        while True:
            with self._changed:
                self._wait(lambda: bool(self._items) or self._ended or self._closed)
                if not self._items:
                    if self._error is not None:
                        raise self._error
                    return
                item = self._items.popleft()
                self._changed.notify_all()
            yield item

    def _wait(self, until: Callable[[], bool]) -> None:
        # On Windows a wait without an end cannot be interrupted by Ctrl-C.
        while not self._changed.wait_for(until, timeout=0.5):
            pass
