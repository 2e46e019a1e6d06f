"""Muxing into nothing, to see what a container takes."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator

import av
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.packet import Packet

__all__ = ["codecs_held", "into_nothing", "kept"]


@contextlib.contextmanager
def kept(packet: Packet[AudioStream]) -> Iterator[None]:
    """Give a packet back as it was: muxing changes it, and other outputs want it too."""
    before = packet.pts, packet.dts, packet.duration, packet.time_base, packet.stream
    try:
        yield
    finally:
        packet.time_base = before[3]
        packet.pts, packet.dts, packet.duration = before[:3]
        packet.stream = before[4]


class _Nothing(io.RawIOBase):
    """A file that forgets what is written."""

    def __init__(self) -> None:
        self._at = self._length = 0

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        written = len(memoryview(data))  # type: ignore[arg-type]
        self._at += written
        self._length = max(self._length, self._at)
        return written

    def seek(self, offset: int, whence: int = 0) -> int:
        self._at = offset + (0, self._at, self._length)[whence]
        return self._at

    def tell(self) -> int:
        return self._at


def into_nothing(container_name: str) -> OutputContainer:
    """Open a container of that format whose bytes go nowhere."""
    return av.open(_Nothing(), "w", format=container_name)


def codecs_held(container_name: str) -> set[str]:
    """Codecs of which a container holds some streams, if not this one."""
    return set(into_nothing(container_name).supported_codecs)
