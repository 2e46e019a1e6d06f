"""Decoding that goes on behind damage, and says which frames are missing."""

from __future__ import annotations

import contextlib
import heapq
from collections.abc import Iterator
from dataclasses import dataclass

import av
from av.codec.context import Flags
from av.packet import Packet
from av.video.stream import VideoStream

from ddeal_core.media.damage import DamageRecord
from ddeal_core.media.decoding import Weaver, reason

__all__ = ["Lost", "pictures_and_losses"]

_LONGEST_REORDERING = 16  # frames, of H.264 and H.265


@dataclass(frozen=True, slots=True)
class Lost:
    """A picture that cannot be had.

    Attributes:
        pts: Its time stamp, or None.
        duration: As the container says, or None.
        why: In a few words.
    """

    pts: int | None
    duration: int | None
    why: str


class _Ledger:
    """Holds the pictures that come out against the packets that went in, by time stamp.

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

    def enter(self, packet: Packet[VideoStream]) -> None:
        """Note a packet that goes into the decoder."""
        stamp = _stamp(packet)
        self._count += 1
        self._decoding_time = packet.dts
        if stamp is not None:
            heapq.heappush(self._waiting, (stamp, self._count, packet.duration or 0))
            if packet.is_corrupt:
                self.fail(stamp, "its data are cut off or flagged as corrupt")

    def fail(self, stamp: int, why: str) -> None:
        """Note that the decoder refused the packet of this time stamp."""
        self._failed[stamp] = why
        self._trouble = True

    def leave(self, picture: av.VideoFrame) -> Iterator[av.VideoFrame | Lost]:
        """Take a picture; gives those whose turn has come."""
        stamp = picture.pts
        if picture.is_corrupt:
            self._trouble = True
        if not self._trouble or stamp is None:
            while self._waiting and stamp is not None and self._waiting[0][0] <= stamp:
                self._one_to_one &= heapq.heappop(self._waiting)[0] == stamp
            yield picture
            return
        self._there[stamp] = picture
        yield from self.settled()

    def settled(self, *, ended: bool = False) -> Iterator[av.VideoFrame | Lost]:
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
        if self._trouble:  # out of order behind damage, and given up already
            self._there.clear()


def _stamp(packet: Packet[VideoStream]) -> int | None:
    return packet.pts if packet.pts is not None else packet.dts


def pictures_and_losses(
    packets: Iterator[Packet[VideoStream]],
    stream: VideoStream,
    *,
    record: DamageRecord,
    promised: int | None = None,
) -> Iterator[av.VideoFrame | Lost]:
    """Decode packets; each that fails gives a `Lost` in the place that its time stamp says.

    One packet goes in and one picture comes out, in one thread of packets: with several, FFmpeg
    reports a failure behind the packets that came after it.

    Args:
        packets: The stream's, the empty one of the end included.
        stream: What they belong to; not decoded from yet.
        record: Where a file that ends too early is noted.
        promised: Packets that there must be, or None where the container only estimates.

    Yields:
        Pictures in order of display, and losses between them. A picture that the decoder had to
        make up in part counts as lost; behind damage, so does one that comes out of order.
    """
    stream.thread_type = "SLICE"
    # without it H.264 drops pictures behind a lost key frame and says nothing
    stream.codec_context.flags |= Flags.output_corrupt
    weaver, ledger = Weaver(stream), _Ledger()
    seen = 0
    flushed = False
    while not flushed:
        try:
            packet = next(packets, None)
        except (av.FFmpegError, OSError, ValueError) as error:
            record.note(f"the file cannot be read to its end ({reason(error)})")
            packet = None
        flushed = packet is None or not packet.size
        pictures: list[av.VideoFrame] = []
        try:
            if packet is None:
                pictures = stream.decode(None)
            else:
                if packet.size:
                    seen += 1
                    ledger.enter(packet)
                pictures = packet.decode()
        except (av.FFmpegError, OSError, ValueError) as error:
            stamp = None if packet is None or flushed else _stamp(packet)
            if stamp is not None:
                ledger.fail(stamp, reason(error))
            elif not flushed:
                yield Lost(None, None, reason(error))
        for picture in pictures:
            for whole in weaver.weave(picture):
                yield from ledger.leave(whole)
        yield from ledger.settled()
    for late in weaver.end():
        yield from ledger.leave(late)
    yield from ledger.settled(ended=True)
    with contextlib.suppress(av.FFmpegError, OSError, ValueError):
        for _ in packets:  # what the file's end has to say
            pass
    if promised is not None and seen < promised:
        record.note(f"the file promises {promised} frames and ends after {seen}")
