"""Decoding that goes on behind damage, and says which frames are missing."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import av
from av.codec.context import Flags
from av.packet import Packet
from av.video.stream import VideoStream

from ddeal_core.media.sources.damage import DamageRecord
from ddeal_core.media.sources.decoding import Deinterlacer, reason
from ddeal_core.media.sources.ledger import Ledger, Lost, stamp_of


def pictures_and_losses(
    packets: Iterator[Packet[VideoStream]],
    stream: VideoStream,
    *,
    record: DamageRecord,
    promised: int | None = None,
) -> Iterator[av.VideoFrame | Lost]:
    """Decode packets; each that fails gives a `Lost` in the place that its time stamp says.

    One thread decodes packet after packet: with several, FFmpeg reports a failure only when it has
    taken later packets.

    Args are those of `pictures_of`, and:
        record: Where a file that ends too early is noted.

    Yields:
        Pictures in order of display, and losses between them. A picture that the decoder had to
        make up in part counts as lost; behind damage, so does one that comes out of order.
    """
    stream.thread_type = "SLICE"
    # without it H.264 drops pictures behind a lost key frame and says nothing
    stream.codec_context.flags |= Flags.output_corrupt
    deinterlacer, ledger = Deinterlacer(stream), Ledger()
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
                    ledger.add_packet(packet)
                pictures = packet.decode()
        except (av.FFmpegError, OSError, ValueError) as error:
            stamp = None if packet is None or flushed else stamp_of(packet)
            if stamp is not None:
                ledger.fail(stamp, reason(error))
            elif not flushed:
                yield Lost(None, None, reason(error))
        for picture in pictures:
            for whole in deinterlacer.push(picture):
                yield from ledger.add_picture(whole)
        yield from ledger.ready()
    for late in deinterlacer.end():
        yield from ledger.add_picture(late)
    yield from ledger.ready(ended=True)
    with contextlib.suppress(av.FFmpegError, OSError, ValueError):
        for _ in packets:  # what the file's end has to say
            pass
    if promised is not None and seen < promised:
        record.note(f"the file promises {promised} frames and ends after {seen}")
