"""Noticing that bytes of a file were passed over.

Where a Matroska or WebM file is damaged between packets, FFmpeg goes on at the next place
that it understands, or stops as if the file ended there; either way frames are missing and nobody
is told. Their packets follow each other closely, so a hole between two of them gives it away.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from ddeal_core.media.sources.damage import DamageRecord
from ddeal_core.media.sources.decoding import damage
from ddeal_core.media.sources.ebml import Extent, extent_of
from ddeal_core.media.sources.timeline import OnJoin, Timeline

_BETWEEN = 4096  # bytes; headers of clusters have some dozens
_AT_THE_END = 0.01  # of the file: an index and tags come there


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
    extent = extent_of(path) if is_matroska else Extent(None, None)
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
