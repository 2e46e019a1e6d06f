"""Opening a container, choosing its video stream, and decoding it as a player would show it."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO, Literal, cast

import av
import numpy as np
from av.buffer import Buffer
from av.container import InputContainer
from av.filter import Graph
from av.packet import Packet
from av.stream import Disposition
from av.video.stream import VideoStream
from numpy.typing import NDArray

from ddeal_core.errors import MediaError
from ddeal_core.media.colour import ColourTags, bits_of, displayed_rgb, own_planes
from ddeal_core.media.frame import DeepPicture, to_fraction, upright
from ddeal_core.media.pixel_limit import check_pixels, max_pixels
from ddeal_core.media.sources.demuxers import AWAY_FROM_FILES, harmless_demuxers
from ddeal_core.media.sources.ledger import Ledger
from ddeal_core.media.tone_mapping import HDR_TRANSFERS

_log = logging.getLogger(__name__)
_OTHER_CLOCK = 60  # seconds from the container's start to a picture of another recording


def reason(error: Exception) -> str:
    """FFmpeg's own words for what went wrong."""
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def open_container(
    what: str | Path | BinaryIO,
    *,
    named: Path | None = None,
    file_format: str | None = None,
    options: Mapping[str, str] | None = None,
) -> InputContainer:
    """Open a file, an open file object, an address, or a device; messages call it `named`.

    A file is read alone: formats that lead on to other files or to addresses are refused. A
    stream of the network may lead on to others, not to files of this machine.

    Raises:
        MediaError: It is missing, may not be read, or holds no video.
    """
    named = named or Path(str(what))
    allowed = {"max_pixels": str(max_pixels())}  # for the codecs that FFmpeg tries
    if isinstance(what, str) and not what.startswith("file:"):
        if file_format is None:
            allowed["protocol_whitelist"] = AWAY_FROM_FILES
    elif file_format is None:
        allowed["format_whitelist"] = harmless_demuxers()
    if isinstance(what, Path):
        what = str(what.absolute())  # FFmpeg takes "a:" at the beginning of a name for a protocol
    try:
        return av.open(what, "r", format=file_format, options={**allowed, **(options or {})})
    except FileNotFoundError:
        raise MediaError(f"there is no file {named}") from None
    except PermissionError:
        raise MediaError(f"{named} may not be read: permission denied") from None
    except (av.FFmpegError, OSError, ValueError) as error:
        raise MediaError(
            f"{named} is no video that can be read, or is damaged ({reason(error)})"
        ) from None


def video_stream(container: InputContainer, *, named: Path) -> VideoStream:
    """Choose the default video stream, and hold its pictures to `max_pixels`.

    Raises:
        MediaError: There is none, it cannot be decoded, or its pictures are too large.
    """
    # a cover picture in a sound file is a video stream too
    streams = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    if not streams:
        what = "only sound" if container.streams.audio else "no video stream"
        raise MediaError(f"{named} has {what}: a video is needed")
    stream = next((s for s in streams if s.disposition & Disposition.default), streams[0])
    if stream.codec_context is None:
        raise MediaError(f"{named} is coded in a way that this build cannot decode")
    if stream.codec_context.width and stream.codec_context.height:  # 0: known once it is decoded
        check_pixels(stream.codec_context.width, stream.codec_context.height, named=named)
    # pictures may grow later on; FFmpeg looks before it takes memory
    stream.codec_context.options = {"max_pixels": str(max_pixels())}
    return stream


def clock_zero(container: InputContainer, first: av.VideoFrame) -> Fraction:
    """Where a broadcast clock stood when the recording began, in seconds; else 0.

    Transport and program streams carry the sender's clock, which may have run for hours. In other
    containers a late beginning is meant.
    """
    if container.start_time is None or container.format.name not in ("mpegts", "mpeg"):
        return Fraction(0)
    zero = Fraction(container.start_time, 1_000_000)  # FFmpeg's AV_TIME_BASE
    time_base = to_fraction(first.time_base)
    if first.pts is not None and time_base is not None:
        shown = first.pts * time_base
        # so far apart, the start is that of another of several recordings that were joined
        if abs(shown - zero) > _OTHER_CLOCK:
            return shown
    return zero


def damage(named: Path, index: int, why: str) -> MediaError:
    """Say which frame cannot be had, and what to do."""
    hint = f"; use only the frames before {index}, or repair the file" if index else ""
    return MediaError(f"{named} is damaged at frame {index}: {why}{hint}")


def pictures_of(
    packets: Iterator[Packet[VideoStream]],
    stream: VideoStream,
    *,
    named: Path,
    promised: int | None = None,
    checked: bool = True,
    ledger: Ledger | None = None,
) -> Iterator[av.VideoFrame]:
    """Decode packets; interlaced pictures come out as whole ones, as many as went in.

    Args:
        packets: The stream's, the empty one of the end included.
        stream: What they belong to.
        named: For messages.
        promised: Packets that there must be, or None where the container only estimates.
        checked: Raise at damage; if False, give what the decoder makes of it.
        ledger: Where packets and pictures are noted. With several threads, FFmpeg may lose the
            last pictures and say nothing.

    Raises:
        MediaError: A packet is damaged or missing; the message has the frame's number.
    """
    count = seen = 0
    deinterlacer = Deinterlacer(stream)
    why: str | None = None
    try:
        for packet in packets:
            seen += packet.size > 0
            if ledger is not None and packet.size:
                ledger.add_packet(packet)
            cut_off = packet.is_corrupt and checked
            # where a packet is damaged, give the pictures that are in the decoder already
            decoded = stream.decode(None) if cut_off else packet.decode()
            for picture in decoded:
                if cut_off and _is_behind(picture, packet):
                    break
                if ledger is not None:
                    ledger.mark_given(picture)
                for whole in deinterlacer.push(picture):
                    yield whole
                    count += 1
            if cut_off:
                why = "its data are cut off or flagged as corrupt"
                break
    except (av.FFmpegError, OSError, ValueError) as error:
        why = reason(error)
    for late in deinterlacer.end():
        yield late
        count += 1
    if why is None and checked and promised is not None and seen < promised:
        why = f"the file ends here but promises {promised} frames"
    if why is not None:
        raise damage(named, count, why)


def _is_behind(picture: av.VideoFrame, packet: Packet[VideoStream]) -> bool:
    """Whether a picture is shown after the picture of a packet."""
    return picture.pts is not None and packet.pts is not None and picture.pts > packet.pts


class Deinterlacer:
    """Turns interlaced pictures into progressive ones (BWDIF); others pass at once."""

    def __init__(self, stream: VideoStream) -> None:
        self._stream = stream
        self._graph: Graph | None = None
        self._shape: tuple[int, int, str] | None = None
        self._stamps: list[tuple[int | None, Fraction | None]] = []

    def push(self, picture: av.VideoFrame) -> Iterator[av.VideoFrame]:
        """Take one picture; gives those that are ready."""
        shape = (picture.width, picture.height, picture.format.name)
        if self._graph is not None and shape != self._shape:
            yield from self.end()
        if self._graph is None:
            # below three lines there is nothing to deinterlace
            if not picture.interlaced_frame or min(shape[:2]) < 3:
                yield picture
                return
            self._graph, self._shape = self._made(), shape
        self._stamps.append((picture.pts, to_fraction(picture.time_base)))
        self._graph.push(picture)
        yield from self._ready()

    def end(self) -> Iterator[av.VideoFrame]:
        """Give the pictures that are left."""
        if self._graph is not None:
            self._graph.push(None)
            yield from self._ready()
            self._graph = None

    def _made(self) -> Graph:
        graph = Graph()
        chain = [
            graph.add_buffer(template=self._stream),
            graph.add("bwdif", "mode=send_frame:deint=interlaced"),
            graph.add("buffersink"),
        ]
        graph.link_nodes(*chain).configure()
        return graph

    def _ready(self) -> Iterator[av.VideoFrame]:
        assert self._graph is not None
        while self._stamps:
            try:
                picture = self._graph.pull()
            except (BlockingIOError, EOFError):
                return
            # the filter halves the time base; one picture comes for each that went in
            pts, time_base = self._stamps.pop(0)
            assert isinstance(picture, av.VideoFrame)
            picture.pts = pts
            if time_base is not None:
                picture.time_base = time_base
            yield picture


@dataclass(frozen=True, slots=True)
class Display:
    """How pictures of a stream are shown: what its first one and its container say.

    Attributes:
        coded_size: (height, width) in square pixels, before any rotation.
        turned: See `upright`.
        coded_colour: Tags of the file.
        time_base: Seconds per unit of time stamps, or None.
        frame_rate: Average frames a second, or None.
    """

    coded_size: tuple[int, int]
    turned: tuple[bool, bool, bool]
    coded_colour: ColourTags
    time_base: Fraction | None
    frame_rate: Fraction | None

    @classmethod
    def of(cls, first: av.VideoFrame, stream: VideoStream, *, named: Path) -> Display:
        """Read it from a stream's first picture; warns of HDR.

        Raises:
            MediaError: Its pixels are so wide that it would be too large.
        """
        context = stream.codec_context
        colour = ColourTags.of(
            matrix=int(first.colorspace),
            primaries=int(_known(first.color_primaries, context.color_primaries)),
            transfer=int(_known(first.color_trc, context.color_trc)),
            height=first.height,
        )
        if colour.is_hdr:
            _log.warning(
                "%s is HDR, %s: it is shown as SDR, bright light rolled off, and results are SDR "
                "but for cut-outs in .mov",
                named,
                HDR_TRANSFERS[colour.transfer],
            )
        aspect = to_fraction(stream.sample_aspect_ratio) or Fraction(1)
        width = max(1, round(first.width * aspect))
        check_pixels(width, first.height, named=f"{named}, as displayed,")
        return cls(
            coded_size=(first.height, width),
            turned=_turned(first),
            coded_colour=colour,
            time_base=to_fraction(stream.time_base),
            frame_rate=to_fraction(stream.average_rate) or to_fraction(stream.guessed_rate),
        )

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) as displayed."""
        height, width = self.coded_size
        return (width, height) if self.turned[0] else (height, width)

    @property
    def colour(self) -> ColourTags:
        """What results should be tagged with: the file's tags, BT.709 where it was HDR."""
        return ColourTags() if self.coded_colour.is_hdr else self.coded_colour

    def rgb(
        self, picture: av.VideoFrame, *, bits: Literal[8, 16] = 8, as_sdr: bool = True
    ) -> NDArray[Any]:
        """See `displayed_rgb`: HxWx3 RGB of `size`, upright, also of a picture of another size."""
        height, width = self.coded_size
        tags = self.coded_colour
        rgb = displayed_rgb(
            picture, tags=tags, width=width, height=height, bits=bits, as_sdr=as_sdr
        )
        return upright(rgb, self.turned)

    def deep(self, picture: av.VideoFrame) -> DeepPicture | None:
        """The picture with all its bits, or None if it has no more than 8."""
        return _Decoded(self, picture) if bits_of(picture) > 8 else None


@dataclass(frozen=True, slots=True)
class _Decoded(DeepPicture):
    """A picture as it was decoded."""

    display: Display
    picture: av.VideoFrame

    def rgb(self, *, hdr: bool = False) -> NDArray[np.uint16]:
        return self.display.rgb(self.picture, bits=16, as_sdr=not hdr)

    def planes(self, *, matrix: int, full: bool) -> NDArray[np.uint16] | None:
        height, width = self.display.coded_size
        tags = self.display.coded_colour
        if tags.matrix != matrix:
            return None
        found = own_planes(self.picture, tags=tags, width=width, height=height, full=full)
        return None if found is None else upright(found, self.display.turned)


def _turned(picture: av.VideoFrame) -> tuple[bool, bool, bool]:
    """Read the display matrix.

    The matrix ((a, b, u), (c, d, v), (x, y, w)) sends a pixel (p, q) to
    (a p + c q + x, b p + d q + y); only quarter turns and mirrors are displayed as such.
    """
    side_data: Mapping[str, object] = picture.side_data  # the stubs forget this key
    found = side_data.get("DISPLAYMATRIX")
    if found is None:
        return False, False, False
    matrix = np.frombuffer(bytes(cast(Buffer, found))[:36], np.int32)
    a, b, c, d = (int(matrix[i]) for i in (0, 1, 3, 4))
    if abs(b) > abs(a):
        return True, c < 0, b < 0
    return False, a < 0, d < 0


def _known(first: int, second: int) -> int:
    return second if first in (0, 2) else first
