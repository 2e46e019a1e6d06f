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
        make up in part counts as lost.
    """
    stream.thread_type = "SLICE"
    # without it H.264 drops pictures behind a lost key frame and says nothing
    stream.codec_context.flags |= Flags.output_corrupt
    weaver = Weaver(stream)
    waiting: list[tuple[int, int, Lost]] = []  # a heap
    doubtful: dict[int, str] = {}
    seen = 0
    flushed = False

    def due(before: int | None) -> Iterator[Lost]:
        while waiting and (before is None or waiting[0][0] < before):
            yield heapq.heappop(waiting)[2]

    def decoded(packet: Packet[VideoStream] | None) -> list[av.VideoFrame]:
        pictures = stream.decode(None) if packet is None else packet.decode()
        return [whole for picture in pictures for whole in weaver.weave(picture)]

    def checked(picture: av.VideoFrame) -> Iterator[av.VideoFrame | Lost]:
        if picture.pts is not None:
            yield from due(picture.pts)
            if waiting and waiting[0][0] == picture.pts:  # the other half of it could be decoded
                heapq.heappop(waiting)
        why = None if picture.pts is None else doubtful.pop(picture.pts, None)
        if picture.is_corrupt:
            why = "the decoder had to make up parts of it"
        yield picture if why is None else Lost(picture.pts, picture.duration or None, why)

    while True:
        try:
            packet = next(packets, None)
        except (av.FFmpegError, OSError, ValueError) as error:
            record.note(f"the file cannot be read to its end ({reason(error)})")
            packet = None
        if packet is None:
            break
        seen += packet.size > 0
        flushed = not packet.size
        stamp = packet.pts if packet.pts is not None else packet.dts
        if packet.is_corrupt and stamp is not None:
            doubtful[stamp] = "its data are cut off or flagged as corrupt"
        try:
            pictures = decoded(packet)
        except (av.FFmpegError, OSError, ValueError) as error:
            if flushed:
                continue
            loss = Lost(stamp, packet.duration or None, reason(error))
            if stamp is None:
                yield loss
            else:
                heapq.heappush(waiting, (stamp, seen, loss))
            continue
        for picture in pictures:
            yield from checked(picture)
    if not flushed:
        with contextlib.suppress(av.FFmpegError, OSError, ValueError):
            for picture in decoded(None):
                yield from checked(picture)
    for late in weaver.end():
        yield from checked(late)
    yield from due(None)
    if promised is not None and seen < promised:
        record.note(f"the file promises {promised} frames and ends after {seen}")
