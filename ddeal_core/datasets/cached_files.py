"""Things on disk by number, decoded when asked for; the last ones stay in memory."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, Generic, Protocol, TypeVar


class _Sized(Protocol):
    @property
    def nbytes(self) -> int: ...


SizedT = TypeVar("SizedT", bound=_Sized)


class CachedFiles(Generic[SizedT]):
    """A list of things, of which up to `cache_bytes` are kept decoded.

    `items` say where each is on disk, such as its path; `read`, a function at the top level of a
    module, decodes one and raises DatasetError where it cannot. Pickled, as for worker processes,
    the list leaves what it has decoded behind.
    """

    def __init__(
        self, items: Sequence[Any], read: Callable[[Any], SizedT], cache_bytes: int
    ) -> None:
        self.items, self.read = items, read
        self._most = cache_bytes
        self._held: OrderedDict[int, SizedT] = OrderedDict()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> SizedT:
        if index in self._held:
            self._held.move_to_end(index)
            return self._held[index]
        value = self._held[index] = self.read(self.items[index])
        self._bytes += value.nbytes
        while self._bytes > self._most and len(self._held) > 1:
            self._bytes -= self._held.popitem(last=False)[1].nbytes
        return value

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_held": OrderedDict(), "_bytes": 0}
