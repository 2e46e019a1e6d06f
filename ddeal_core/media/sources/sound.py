"""The sound of a source, packet by packet, for outputs that carry it along."""

from __future__ import annotations

import logging
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


class Sound:
    """One reader's way through a source's sound; each output has its own.

    Of a source that can be read once, the packets wait here until an output takes them.

    Args:
        streams: The coded streams of the container that is being read; there are some.
    """

    def __init__(self, streams: Sequence[AudioStream] = ()) -> None:
        self._streams = tuple(streams)
        self._ahead: deque[Packet[AudioStream]] = deque()  # read, and not given yet
        self._open = True

    @property
    def streams(self) -> Sequence[AudioStream]:
        """The coded streams."""
        return self._streams

    def add(self, packet: Packet[AudioStream]) -> None:
        """Take a packet from the one who reads the source, in whatever thread."""
        if self._open:
            self._ahead.append(packet)

    def beginning(self, count: int) -> list[Packet[AudioStream]]:
        """Look at the first packets, up to `count` of each stream; `packets` gives them again.

        Of a source that can be read once, those that have come by now.
        """
        return list(islice(self._ahead, count * len(self._streams)))

    def packets(self, until: Fraction | None) -> Iterator[Packet[AudioStream]]:
        """Give the packets not given yet that begin before `until` seconds; None for all.

        Where a file is damaged the sound ends, with a warning.
        """
        while self._has_next() and (until is None or starts_at(self._ahead[0]) < until):
            yield self._ahead.popleft()

    def _has_next(self) -> bool:
        return bool(self._ahead)

    def close(self) -> None:
        """Let go of the file, or take no more."""
        self._open = False
        self._ahead.clear()


class FileSound(Sound):
    """Sound of a file, which is opened when first asked."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        self._container: InputContainer | None = None
        self._coming: Iterator[Packet[AudioStream]] = iter(())

    @property
    def streams(self) -> Sequence[AudioStream]:
        """The coded streams; MediaError where the file is there no longer."""
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

    def _has_next(self) -> bool:
        if self.streams and not self._ahead:
            self._ahead.extend(islice(self._coming, 1))
        return bool(self._ahead)

    def close(self) -> None:
        """Let go of the file."""
        super().close()
        if self._container is not None:
            self._container.close()
            self._container = None
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
