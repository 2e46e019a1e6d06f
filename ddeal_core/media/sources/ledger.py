"""Which packets went into a decoder, and which pictures came out."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass

import av
from av.packet import Packet
from av.video.stream import VideoStream

_LONGEST_REORDERING = 16  # frames, of H.264 and H.265


@dataclass(frozen=True, slots=True)
class Lost:
    """A picture that cannot be had: its time stamp and duration, if known, and why not."""

    pts: int | None
    duration: int | None
    why: str


class Ledger:
    """Matches the pictures that come out with the packets that went in, by time stamp.

    Until something fails, pictures pass as they come. From then on decoders give them in any order
    and leave some out, so each waits until no earlier one can come.
    """

    def __init__(self) -> None:
        self._waiting: list[tuple[int, int, int]] = []  # a heap: time stamp, number, duration
        self._failed: dict[int, str] = {}
        self._there: dict[int, av.VideoFrame] = {}
        self._count = 0
        self._decoding_time: int | None = None
        self._trouble = False
        # Fields, and frames that are never shown, have packets and no picture of their own.
        self._one_to_one = True

    def add_packet(self, packet: Packet[VideoStream]) -> None:
        """Note a packet that goes into the decoder."""
        stamp = stamp_of(packet)
        self._count += 1
        self._decoding_time = packet.dts
        if stamp is not None and not packet.is_discard:
            heapq.heappush(self._waiting, (stamp, self._count, packet.duration or 0))
            if packet.is_corrupt:
                self.fail(stamp, "its data are cut off or flagged as corrupt")

    def fail(self, stamp: int, why: str) -> None:
        """Note that the decoder refused the packet of this time stamp."""
        self._failed[stamp] = why
        self._trouble = True

    def mark_given(self, picture: av.VideoFrame) -> None:
        """Note a picture that came in order."""
        stamp = picture.pts
        while self._waiting and stamp is not None and self._waiting[0][0] <= stamp:
            self._one_to_one &= heapq.heappop(self._waiting)[0] == stamp

    @property
    def is_short(self) -> bool:
        """Whether the last packets gave no picture, in a stream where every packet gave one."""
        return self._one_to_one and bool(self._waiting)

    def add_picture(self, picture: av.VideoFrame) -> Iterator[av.VideoFrame | Lost]:
        """Take a picture; gives those whose turn has come."""
        stamp = picture.pts
        if picture.is_corrupt:
            self._trouble = True
        if not self._trouble or stamp is None:
            self.mark_given(picture)
            yield picture
            return
        self._there[stamp] = picture
        yield from self.ready()

    def ready(self, *, ended: bool = False) -> Iterator[av.VideoFrame | Lost]:
        """Give pictures and losses before which nothing can come any more."""
        while self._trouble and self._waiting:
            stamp, number, duration = self._waiting[0]
            known = stamp in self._there or stamp in self._failed
            passed = self._decoding_time is not None and self._decoding_time >= stamp
            if not (ended or self._count - number > _LONGEST_REORDERING or (known and passed)):
                return
            while self._waiting and self._waiting[0][0] == stamp:
                heapq.heappop(self._waiting)
            picture, why = self._there.pop(stamp, None), self._failed.pop(stamp, None)
            if picture is not None and picture.is_corrupt:
                why = "the decoder had to make up parts of it"
            if picture is not None and why is None:
                yield picture
            elif why is not None or self._one_to_one:
                yield Lost(stamp, duration or None, why or "the decoder gave no picture of it")
        if self._trouble:  # pictures that come after they were given up
            self._there.clear()


def stamp_of(packet: Packet[VideoStream]) -> int | None:
    """Time stamp of a packet: when it is shown, or decoded where it does not say."""
    return packet.pts if packet.pts is not None else packet.dts
