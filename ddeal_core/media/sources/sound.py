"""The sound of a source, packet by packet, for outputs that carry it along."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import cast

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet

from ddeal_core.media.frame import to_fraction
from ddeal_core.media.sources.decoding import open_container, reason
from ddeal_core.media.sources.timeline import Timeline

_log = logging.getLogger(__name__)
_MOST_AHEAD = 1000  # packets


def starts_at(packet: Packet[AudioStream]) -> Fraction:
    """Seconds at which a packet begins; 0 where it does not say."""
    stamp = packet.pts if packet.pts is not None else packet.dts
    return (stamp or 0) * (to_fraction(packet.time_base) or Fraction(0))


class Sound(ABC):
    """One reader's way through a source's sound; each output has its own."""

    @property
    @abstractmethod
    def streams(self) -> Sequence[AudioStream]:
        """The coded streams; there are some."""

    @abstractmethod
    def beginning(self, count: int) -> list[Packet[AudioStream]]:
        """Look at the first packets, up to `count` of each stream; `packets` gives them again."""

    @abstractmethod
    def packets(self, until: Fraction | None) -> Iterator[Packet[AudioStream]]:
        """Give the packets not given yet that begin before `until` seconds; None for all."""

    @abstractmethod
    def close(self) -> None:
        """Let go of the file."""


class FileSound(Sound):
    """Sound of a file, which is opened when first asked."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._container: InputContainer | None = None
        self._coming: Iterator[Packet[AudioStream]] = iter(())
        self._ahead: deque[Packet[AudioStream]] = deque()  # read, and not given yet

    @property
    def streams(self) -> Sequence[AudioStream]:
        """See `Sound`.

        Raises:
            MediaError: The file is there no longer.
        """
        if self._container is None:
            self._container = open_container(self._path)
            self._coming = self._demuxed(self._container)
        return self._container.streams.audio

    def beginning(self, count: int) -> list[Packet[AudioStream]]:
        """See `Sound`."""
        wanted = {stream.index: count for stream in self.streams}
        while any(left > 0 for left in wanted.values()) and len(self._ahead) < _MOST_AHEAD:
            packet = next(self._coming, None)
            if packet is None:
                break
            wanted[packet.stream.index] -= 1
            self._ahead.append(packet)
        return list(self._ahead)

    def packets(self, until: Fraction | None) -> Iterator[Packet[AudioStream]]:
        """See `Sound`; where the file is damaged the sound ends, with a warning."""
        if not self.streams:
            return
        while True:
            if not self._ahead:
                self._ahead.extend(islice(self._coming, 1))
            if not self._ahead or (until is not None and starts_at(self._ahead[0]) >= until):
                return
            yield self._ahead.popleft()

    def close(self) -> None:
        """See `Sound`."""
        if self._container is not None:
            self._container.close()
            self._container = None
        self._ahead.clear()
        self._coming = iter(())

    def _demuxed(self, container: InputContainer) -> Iterator[Packet[AudioStream]]:
        at = Fraction(0)
        try:
            for packet in Timeline(container, path=self._path).packets():
                if packet.size > 0 and packet.stream.type == "audio":
                    heard = cast("Packet[AudioStream]", packet)
                    at = starts_at(heard)
                    yield heard
        except (av.FFmpegError, OSError, ValueError) as error:
            _log.warning("the sound of %s ends at %.3f s: %s", self._path, float(at), reason(error))


class LiveSound(Sound):
    """Sound of a source that can be read once: its packets wait here until an output takes them."""

    def __init__(self, streams: Sequence[AudioStream]) -> None:
        self._streams = tuple(streams)
        self._waiting: deque[Packet[AudioStream]] = deque()
        self._open = True

    @property
    def streams(self) -> Sequence[AudioStream]:
        """See `Sound`."""
        return self._streams

    def add(self, packet: Packet[AudioStream]) -> None:
        """Take a packet from the one who reads the source, in whatever thread."""
        if self._open:
            self._waiting.append(packet)

    def beginning(self, count: int) -> list[Packet[AudioStream]]:
        """See `Sound`; what has come by now."""
        return list(islice(self._waiting, count * len(self._streams)))

    def packets(self, until: Fraction | None) -> Iterator[Packet[AudioStream]]:
        """See `Sound`."""
        while self._waiting and (until is None or starts_at(self._waiting[0]) < until):
            yield self._waiting.popleft()

    def close(self) -> None:
        """See `Sound`."""
        self._open = False
        self._waiting.clear()
