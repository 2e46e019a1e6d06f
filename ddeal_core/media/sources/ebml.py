"""The outermost elements of a Matroska or WebM file: what it promises before it is read."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO, NamedTuple

_HEADER, _SEGMENT, _CLUSTER = 0x1A45DFA3, 0x18538067, 0x1F43B675
_MOST_ELEMENTS = 10_000


class Extent(NamedTuple):
    """Byte after the last one that a file promises, and the one at which the first packets begin.

    Either is None where the file does not say, as where it was written live.
    """

    end: int | None
    first_cluster: int | None


def extent_of(path: Path) -> Extent:
    """Read the headers of the outermost elements up to the first packets.

    Raises:
        OSError: The file cannot be read.
    """
    with path.open("rb") as file:
        length = path.stat().st_size
        head = _element(file)
        if head is None or head[0] != _HEADER or head[1] is None:
            return Extent(None, None)
        file.seek(head[1], 1)
        segment = _element(file)
        if segment is None or segment[0] != _SEGMENT:
            return Extent(None, None)
        end = None if segment[1] is None else file.tell() + segment[1]
        for _ in range(_MOST_ELEMENTS):
            place = file.tell()
            element = _element(file)
            if element is None or place >= length:
                break
            kind, size = element
            if kind == _CLUSTER:
                return Extent(end, place)
            if size is None:
                break
            file.seek(size, 1)
        return Extent(end, None)


def _element(file: BinaryIO) -> tuple[int, int | None] | None:
    """Read an element's id and the size of what follows, None where that is not known."""
    kind, size = _number(file), _number(file)
    if kind is None or size is None:
        return None
    unmarked = (1 << size[1]) - 1  # an id keeps the marker of its length, a size does not
    value = size[0] & unmarked
    return kind[0], None if value == unmarked else value


def _number(file: BinaryIO) -> tuple[int, int] | None:
    """Read a number of variable length, its length's marker in it, and how many bits it has."""
    first = file.read(1)
    if not first or not first[0]:
        return None
    length = 9 - first[0].bit_length()
    rest = file.read(length - 1)
    return (int.from_bytes(first + rest, "big"), 7 * length) if len(rest) == length - 1 else None
