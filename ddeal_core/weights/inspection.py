"""Looking into a PyTorch checkpoint before it is loaded: what it would run, and take of memory.

A ``.pth`` file is a pickle, a list of instructions for a small machine, some of which call
functions. `torch.load(weights_only=True)` refuses functions that it does not know; it believes
sizes, and inflates what is packed. Here the instructions are run with every function replaced by
one that only notes what it was asked for.
"""

import io
import math
import pickle
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, BinaryIO

import torch

from ddeal_core.errors import WeightsError

# What a file of tensors and plain values calls for, by module and name.
_HARMLESS = frozenset(
    {
        ("collections", "OrderedDict"),
        ("torch", "Size"),
        ("torch", "device"),
        ("torch._tensor", "_rebuild_from_type_v2"),
        ("torch._utils", "_rebuild_parameter"),
        ("torch._utils", "_rebuild_tensor"),
        ("torch._utils", "_rebuild_tensor_v2"),
        ("torch.nn.parameter", "Parameter"),
        ("_codecs", "encode"),
        ("builtins", "set"),
        ("__builtin__", "set"),
    }
)
_ITEM_BYTES = {
    **dict.fromkeys(("Bool", "Byte", "Char", "Untyped"), 1),
    **dict.fromkeys(("BFloat16", "Half", "Short"), 2),
    **dict.fromkeys(("Float", "Int"), 4),
    **dict.fromkeys(("ComplexFloat", "Double", "Long"), 8),
    "ComplexDouble": 16,
}
_FLOATS = ("bfloat16", "float16", "float32", "float64")
_TYPES = frozenset((*_FLOATS, "bool", "int8", "int16", "int32", "int64", "uint8"))
_MAGIC = 0x1950A86A20F9469CFC6C  # of files older than torch 1.6
_MOST_INSTRUCTIONS = 64 << 20  # bytes of pickle
_MOST_ENTRIES = 100_000
_MOST_NUMBERS = 1_000_000_000  # of one tensor


class _Refused(Exception):  # noqa: N818 - a reason, never seen outside
    """Why a file is not loaded, in words that follow its name."""


class _Storage:
    """Takes the place of a tensor's memory: how many numbers it claims."""

    def __init__(self, count: int) -> None:
        self.count = count


class _Inert:
    """Takes the place of whatever the file calls for; does nothing."""

    def __init__(self, *_: object, **__: object) -> None:
        pass

    def __call__(self, *_: object, **__: object) -> "_Inert":
        return self

    def __setstate__(self, _: object) -> None:
        pass

    def __setitem__(self, _: object, __: object) -> None:
        pass

    def append(self, _: object) -> None:
        """As a list's."""

    def extend(self, _: object) -> None:
        """As a list's."""


class _Dict(dict[object, object]):
    """Takes the place of `OrderedDict`, which may have attributes."""

    def __setstate__(self, _: object) -> None:
        pass


class _Named:
    """The type of a storage, known by its name."""

    def __init__(self, name: str) -> None:
        self.name = name


class _Tensor(_Inert):
    """Takes the place of `_rebuild_tensor_v2`: holds a tensor's shape against its memory."""

    def __call__(self, *arguments: Any, **_: object) -> _Inert:
        given: list[Any] = [*arguments, None, None, None]
        storage, offset, size = given[:3]
        if not isinstance(storage, _Storage):
            return _Inert()
        if not isinstance(size, tuple) or not all(isinstance(n, int) and n >= 0 for n in size):
            raise _Refused("is damaged: a tensor has no shape")
        if not isinstance(offset, int) or offset < 0:
            raise _Refused("is damaged: a tensor begins nowhere")
        # A tensor may repeat what it holds, as an expanded one does, within reason.
        if offset > storage.count or math.prod(size) > max(storage.count, _MOST_NUMBERS):
            raise _Refused(f"claims a tensor of shape {_short(size)} that it does not hold")
        return _Inert()


class _DryRun(pickle._Unpickler):
    """Runs a pickle's instructions without any of the functions that they call.

    Only `harmless` ones may be called for. `storage_bytes` gives the bytes that the file holds
    under a storage's name, or None where that is not known yet.
    """

    def __init__(
        self,
        file: BinaryIO | io.RawIOBase,
        harmless: frozenset[tuple[str, str]],
        storage_bytes: Callable[[str], int | None],
    ) -> None:
        super().__init__(file, encoding="latin1")
        self._harmless = harmless
        self._storage_bytes = storage_bytes
        self.claimed: dict[str, int] = {}

    def find_class(self, module: str, name: str) -> object:
        """Give a stand-in, or refuse."""
        if module == "torch" and name.removesuffix("Storage") in _ITEM_BYTES:
            return _Named(name)
        if module == "torch.storage" and name in ("UntypedStorage", "_UntypedStorage"):
            return _Named("UntypedStorage")
        if module == "torch" and name in _TYPES:
            return _Inert()
        if (module, name) not in self._harmless:
            raise _Refused(f"would call {_short(f'{module}.{name}')}")
        if name in ("_rebuild_tensor", "_rebuild_tensor_v2"):
            return _Tensor()
        return _Dict if name == "OrderedDict" else _Inert

    def persistent_load(self, pid: Any) -> _Storage:
        """Note a storage's claim: ("storage", type, name, device, count, ...)."""
        if not isinstance(pid, tuple) or len(pid) < 5 or not isinstance(pid[1], _Named):
            raise _Refused("is damaged: it has a storage of an unknown kind")
        _, kind, name, _, count, *_ = pid
        if not isinstance(name, str) or not isinstance(count, int) or count < 0:
            raise _Refused("is damaged: it has a storage without a size")
        needed = count * _ITEM_BYTES[kind.name.removesuffix("Storage")]
        held = self._storage_bytes(name)
        if held is not None and needed > held:
            raise _Refused(f"claims {needed} bytes of weights where it holds {held}")
        self.claimed[name] = needed
        return _Storage(count)


def inspect_checkpoint(path: Path, *, harmless: Iterable[tuple[str, str]] = ()) -> None:
    """Refuse a checkpoint that would run code, or that claims more than it holds.

    Args:
        path: A file that `torch.save` wrote.
        harmless: Further classes, by module and name, that the loader has stand-ins for.

    Raises:
        WeightsError: It would call for anything else, is packed, is damaged, or claims sizes that
            it does not hold. Nothing of the size it claims has been taken, and nothing was run.
    """
    allowed = _HARMLESS | frozenset(harmless)
    try:
        with path.open("rb") as file:
            if zipfile.is_zipfile(file):
                _inspect_zip(file, allowed)
            else:
                file.seek(0)
                _inspect_old(file, allowed, path.stat().st_size)
    except _Refused as error:
        raise WeightsError(f"{path} {error}; it was not loaded") from None
    except OSError as error:
        raise WeightsError(f"{path} cannot be read: {error.strerror or error}") from None
    except Exception:  # the instructions can go wrong in any way
        raise WeightsError(
            f"{path} is damaged or holds more than weights; it was not loaded"
        ) from None


def load_checked(path: Path, *, harmless: Iterable[tuple[str, str]] = ()) -> Any:
    """Inspect a checkpoint, then load it with torch's safe loader, on the CPU.

    Stand-ins for what is `harmless` (see `inspect_checkpoint`) are the caller's to provide.

    Raises:
        WeightsError: See `inspect_checkpoint`; or it cannot be loaded.
    """
    inspect_checkpoint(path, harmless=harmless)
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except MemoryError:
        raise WeightsError(f"{path} needs more memory than there is") from None
    except Exception:  # the unpickler raises nearly anything on a damaged file
        # Its own words are left out: they advise to load the file unsafely.
        raise WeightsError(
            f"{path} is damaged or holds more than weights; it was not loaded"
        ) from None


def _inspect_zip(file: BinaryIO, allowed: frozenset[tuple[str, str]]) -> None:
    with zipfile.ZipFile(file) as archive:
        entries = archive.infolist()
        if len(entries) > _MOST_ENTRIES:
            raise _Refused(f"has {len(entries)} entries, which no network has")
        if any(e.compress_type != zipfile.ZIP_STORED or e.flag_bits & 1 for e in entries):
            raise _Refused("is a packed archive, which torch does not write")
        sizes = {e.filename: e.file_size for e in entries}
        if len(sizes) != len(entries):
            raise _Refused("is damaged: it has two entries of one name")
        scripts = [name for name in sizes if name.endswith(("/constants.pkl", ".py"))]
        if scripts:
            raise _Refused("is a TorchScript archive, which is a program")
        found = [name for name in sizes if name.count("/") == 1 and name.endswith("/data.pkl")]
        if len(found) != 1:
            raise _Refused("is no checkpoint of torch")
        if sizes[found[0]] > _MOST_INSTRUCTIONS:
            raise _Refused("has more instructions than any network needs")
        folder = found[0].removesuffix("data.pkl") + "data/"
        content = io.BytesIO(archive.read(found[0]))
        _DryRun(content, allowed, lambda name: sizes.get(folder + name, 0)).load()


def _inspect_old(file: BinaryIO, allowed: frozenset[tuple[str, str]], length: int) -> None:
    """Files of torch before 1.6: five pickles, then the storages."""
    bounded = _Bounded(file, _MOST_INSTRUCTIONS)
    for number in range(5):
        run = _DryRun(bounded, allowed if number == 3 else frozenset(), lambda _: None)
        content = run.load()
        if number == 0 and content != _MAGIC:
            raise _Refused("is no checkpoint of torch")
        needed = sum(run.claimed.values())
        if needed > length:
            raise _Refused(f"claims {needed} bytes of weights where it holds {length}")


class _Bounded(io.RawIOBase):
    """Hands on a file's bytes up to a limit, whatever length is asked for."""

    def __init__(self, file: BinaryIO, limit: int) -> None:
        self._file, self._left = file, limit

    def read(self, size: int = -1) -> bytes:
        """Read at most what is left."""
        wanted = self._left if size < 0 else size
        if wanted > self._left:
            raise _Refused("has more instructions than any network needs")
        self._left -= wanted
        return self._file.read(wanted)

    def readline(self, size: int | None = -1) -> bytes:
        """Read a line of at most what is left."""
        line = self._file.readline(min(self._left, 1 << 16) if size is None or size < 0 else size)
        self._left -= len(line)
        return line


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 60 else text[:57] + "..."
