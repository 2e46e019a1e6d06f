"""Decoded pictures that are kept in memory, up to a bound."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

__all__ = ["DecodedCache"]


class _Sized(Protocol):
    @property
    def nbytes(self) -> int: ...


SizedValue = TypeVar("SizedValue", bound=_Sized)


class DecodedCache(Generic[SizedValue]):
    """The most recently used decoded values, up to a number of bytes.

    Pickling keeps the bound and drops the values.
    """

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self._values: OrderedDict[int, SizedValue] = OrderedDict()
        self._bytes = 0

    def get(self, key: int, make: Callable[[], SizedValue]) -> SizedValue:
        """Return the value of ``key``, made if it is not held."""
        value = self._values.get(key)
        if value is not None:
            self._values.move_to_end(key)
            return value
        value = make()
        self._values[key] = value
        self._bytes += value.nbytes
        while self._bytes > self.max_bytes and len(self._values) > 1:
            _, old = self._values.popitem(last=False)
            self._bytes -= old.nbytes
        return value

    def __reduce__(self) -> tuple[type["DecodedCache[SizedValue]"], tuple[int]]:
        return (type(self), (self.max_bytes,))
