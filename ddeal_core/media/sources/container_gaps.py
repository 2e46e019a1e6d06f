"""Noticing that bytes of a file were passed over.

Where a Matroska or WebM file is damaged between packets, FFmpeg goes on at the next place
that it understands, or stops as if the file ended there; either way frames are missing and nobody
is told. Their packets follow each other closely, so a hole between two of them gives it away.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, cast

from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from ddeal_core.media.sources.damage import DamageRecord
from ddeal_core.media.sources.decoding import damage
from ddeal_core.media.sources.timeline import OnJoin, Timeline

_HEADER, _SEGMENT, _CLUSTER = 0x1A45DFA3, 0x18538067, 0x1F43B675  # elements of EBML
_MOST_ELEMENTS = 10_000
_BETWEEN = 4096  # bytes between packets that are no hole; headers of clusters have some dozens
_AT_THE_END = 0.01  # share of the file behind the packets that is no hole: an index and tags


def without_holes(
    container: InputContainer,
    stream: VideoStream,
    *,
    path: Path,
    record: DamageRecord | None = None,
    on_join: OnJoin | None = None,
) -> Iterator[Packet[VideoStream]]:
    """Give the packets of one stream, the empty one of the end included; times run on.

    Args:
        container: Open at its beginning.
        stream: Of which packets are wanted.
        path: The file.
        record: Where a hole is noted, to go on behind it; None to stop there.
        on_join: See `Timeline`.

    Raises:
        MediaError: There is a hole; the message has the number of the frame after it.
    """
    packets = Timeline(container, path=path, on_join=on_join).packets()
    name, length = container.format.name, path.stat().st_size
    is_matroska = "matroska" in name.split(",")
    extent = _extent_of(path) if is_matroska else _Extent(None, None)
    reached, count = extent.first_cluster, 0

    def found(what: str) -> None:
        if record is None:
            raise damage(path, count, what)
        record.note(f"at frame {count}: {what}")

    for packet in packets:
        if packet.size and packet.pos is not None and packet.pos >= 0:
            if is_matroska and reached is not None and packet.pos > reached + _BETWEEN:
                found(f"{packet.pos - reached} bytes before it make no sense")
            reached = max(reached or 0, packet.pos + packet.size + _beside(packet))
        if packet.stream is stream:
            count += bool(packet.size)
            yield cast("Packet[VideoStream]", packet)
    # whether it ends where it says, for FFmpeg does not tell
    missing = _missing_of_riff(path) if name == "avi" else (extent.end or 0) - length
    if missing > 0:
        found(f"the file is cut off: {missing} bytes are missing at its end")
    elif reached is not None and (is_matroska or name == "flv"):
        behind = length - reached
        if behind > _BETWEEN + length * _AT_THE_END:
            found(f"the last {behind} bytes make no sense")


def _missing_of_riff(path: Path) -> int:
    """Bytes that an AVI's outer chunks promise beyond its end; long files have several chunks."""
    length, at = path.stat().st_size, 0
    with path.open("rb") as file:
        while at + 8 <= length:
            file.seek(at)
            head = file.read(8)
            size = int.from_bytes(head[4:], "little")
            if head[:4] != b"RIFF" or size in (0, 2**32 - 1):  # a size that was never filled in
                return 0
            at += 8 + size + size % 2
    return max(0, at - size % 2 - length) if at else 0


def _beside(packet: Packet[Any]) -> int:
    """Bytes that belong to a packet and follow it: the alpha of a VP8 or VP9 video."""
    if not packet.has_sidedata("matroska_block_additional"):
        return 0
    return packet.get_sidedata("matroska_block_additional").data_size


class _Extent(NamedTuple):
    """Byte after the last one that a file promises, and the one at which the first packets begin.

    Either is None where the file does not say, as where it was written live.
    """

    end: int | None
    first_cluster: int | None


def _extent_of(path: Path) -> _Extent:
    """Read the headers of a Matroska or WebM file's outermost elements, up to the first packets."""
    with path.open("rb") as file:
        length = path.stat().st_size
        head = _element(file)
        if head is None or head[0] != _HEADER or head[1] is None:
            return _Extent(None, None)
        file.seek(head[1], 1)
        segment = _element(file)
        if segment is None or segment[0] != _SEGMENT:
            return _Extent(None, None)
        end = None if segment[1] is None else file.tell() + segment[1]
        for _ in range(_MOST_ELEMENTS):
            place = file.tell()
            element = _element(file)
            if element is None or place >= length:
                break
            kind, size = element
            if kind == _CLUSTER:
                return _Extent(end, place)
            if size is None:
                break
            file.seek(size, 1)
        return _Extent(end, None)


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
