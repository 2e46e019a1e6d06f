"""Things on disk by number, decoded when asked for; the last ones stay in memory."""

from abc import ABC, abstractmethod
from collections import OrderedDict
from typing import Any, Generic, Protocol, TypeVar


class _Sized(Protocol):
    @property
    def nbytes(self) -> int: ...


SizedT = TypeVar("SizedT", bound=_Sized)


class Material(ABC, Generic[SizedT]):
    """A list of `count` things, of which up to `cache_bytes` are kept decoded.

    Pickled, as for worker processes, it leaves what it has decoded behind.
    """

    def __init__(self, count: int, cache_bytes: int) -> None:
        self._count, self._most = count, cache_bytes
        self._held: OrderedDict[int, SizedT] = OrderedDict()
        self._bytes = 0

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> SizedT:
        """Give thing ``index``; DatasetError where a file cannot be read."""
        if index in self._held:
            self._held.move_to_end(index)
            return self._held[index]
        value = self._held[index] = self._read(index)
        self._bytes += value.nbytes
        while self._bytes > self._most and len(self._held) > 1:
            self._bytes -= self._held.popitem(last=False)[1].nbytes
        return value

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_held": OrderedDict(), "_bytes": 0}

    @abstractmethod
    def _read(self, index: int) -> SizedT: ...
