"""Frames of a video file, as a player would show them."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import numpy as np
from av.buffer import Buffer
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream
from numpy.typing import NDArray

from ddeal_core.errors import MediaError
from ddeal_core.media.colour import HDR_TRANSFERS, ColourTags, displayed_rgb
from ddeal_core.media.frame import Frame
from ddeal_core.media.frame_source import FrameSource
from ddeal_core.media.rational import to_fraction

__all__ = ["VideoSource"]

_log = logging.getLogger(__name__)


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def _orientation(picture: av.VideoFrame) -> tuple[bool, bool, bool]:
    """Read the display matrix as (transpose, then mirror left-right, then mirror up-down).

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


def _oriented(image: NDArray[np.uint8], orientation: tuple[bool, bool, bool]) -> NDArray[np.uint8]:
    transpose, mirror, flip = orientation
    if transpose:
        image = image.transpose(1, 0, 2)
    if mirror:
        image = image[:, ::-1]
    if flip:
        image = image[::-1]
    return np.ascontiguousarray(image)


def _with_durations(
    pictures: Iterator[av.VideoFrame],
) -> Iterator[tuple[av.VideoFrame, int | None]]:
    """Pair each picture with the time until the next one.

    What decoders report belongs to the order of coding: wrong where there are B-frames and a
    variable rate. A failure is raised after the picture before it has been given.
    """
    held: av.VideoFrame | None = None
    failure: MediaError | None = None
    try:
        for picture in pictures:
            if held is not None:
                gap = None
                if held.pts is not None and picture.pts is not None and picture.pts > held.pts:
                    gap = picture.pts - held.pts
                yield held, gap
            held = picture
    except MediaError as error:
        failure = error
    if held is not None:
        yield held, held.duration or None
    if failure is not None:
        raise failure


class VideoSource(FrameSource):
    """A video file of any container and codec that PyAV opens.

    Rotation, mirroring and the sample aspect ratio are applied; time stamps are passed through.
    The size is that of the first frame; later frames of another size are scaled to it.

    Args:
        path: The file.
        start: First frame to give (those before are decoded, not converted).
        end: Frame to stop before.

    Raises:
        MediaError: Missing, no video, sound only, without frames, or not decodable.
        InputError: `start` and `end` contradict each other.
    """

    def __init__(self, path: Path, *, start: int | None = None, end: int | None = None) -> None:
        super().__init__(path, start=start, end=end)
        self._active: list[InputContainer] = []
        with self._opened() as (container, stream):
            # one packet in, one frame out: frame threads would read ahead
            stream.thread_type = "SLICE"
            first = next(self._pictures(container, stream, checked=False), None)
            if first is None:
                raise MediaError(f"{path} has a video stream but no frame that can be decoded")
            self._time_base = to_fraction(stream.time_base)
            self._rate = to_fraction(stream.average_rate) or to_fraction(stream.guessed_rate)
            self._declared = stream.frames or None
            context = stream.codec_context
            self._colour = ColourTags.of(
                matrix=int(first.colorspace),
                primaries=int(_known(first.color_primaries, context.color_primaries)),
                transfer=int(_known(first.color_trc, context.color_trc)),
                height=first.height,
            )
            self._orientation = _orientation(first)
            aspect = to_fraction(stream.sample_aspect_ratio) or Fraction(1)
            self._coded_size = (first.height, max(1, round(first.width * aspect)))
        if self._declared is not None and self.start >= self._declared and self._sure_count:
            raise MediaError(
                f"{path} has {self._declared} frames: there is no frame {self.start} to start at"
            )
        if self._colour.transfer in HDR_TRANSFERS:
            _log.warning(
                "%s is HDR, %s: colours are read without tone mapping and look flat; "
                "masks may suffer, convert it to SDR for best results",
                path,
                HDR_TRANSFERS[self._colour.transfer],
            )

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) as displayed."""
        height, width = self._coded_size
        return (width, height) if self._orientation[0] else (height, width)

    @property
    def frame_count(self) -> int | None:
        """Frames between `start` and `end` if the container is right, or None."""
        if self._declared is None:
            return None
        stop = self._declared if self.end is None else min(self.end, self._declared)
        return max(0, stop - self.start)

    @property
    def frame_count_is_exact(self) -> bool:
        """True for MP4 and QuickTime; other containers only estimate."""
        return self._declared is not None and self._sure_count

    @property
    def frame_rate(self) -> Fraction | None:
        """Average rate as the container says, or None."""
        return self._rate

    @property
    def time_base(self) -> Fraction | None:
        """The stream's time base."""
        return self._time_base

    @property
    def is_video(self) -> bool:
        """True."""
        return True

    @property
    def colour(self) -> ColourTags:
        """The stream's colour tags, with what it leaves unsaid filled in."""
        return self._colour

    def __iter__(self) -> Iterator[Frame]:
        """Decode from the beginning, with several threads.

        Raises:
            MediaError: A packet is damaged or missing; the message has the frame's number.
        """
        height, width = self._coded_size
        given = 0
        with self._opened() as (container, stream):
            stream.thread_type = "AUTO"
            pictures = _with_durations(self._pictures(container, stream, checked=True))
            for index, (picture, duration) in enumerate(pictures):
                if index < self.start:
                    continue
                if picture.is_corrupt:
                    raise self._damaged(index, "the decoder had to make up parts of it")
                rgb = displayed_rgb(picture, tags=self._colour, width=width, height=height)
                given += 1
                yield Frame(
                    image=_oriented(rgb, self._orientation),
                    index=index,
                    pts=picture.pts if self._time_base is not None else None,
                    duration=duration,
                    time_base=self._time_base,
                    name=f"{index:05d}",
                )
                if index + 1 == self.end:
                    return
        if not given:
            raise MediaError(f"{self.path} ends before frame {self.start}: nothing to read")

    def close(self) -> None:
        """End iterations that were left half-way."""
        for container in self._active:
            container.close()
        self._active.clear()

    @contextmanager
    def _opened(self) -> Iterator[tuple[InputContainer, VideoStream]]:
        try:
            # absolute: FFmpeg takes "a:" at the beginning of a name for a protocol
            container = av.open(self.path.absolute(), "r")
        except FileNotFoundError:
            raise MediaError(f"there is no file {self.path}") from None
        except PermissionError:
            raise MediaError(f"{self.path} may not be read: permission denied") from None
        except (av.FFmpegError, OSError, ValueError) as error:
            raise MediaError(
                f"{self.path} is no video that can be read, or is damaged ({_reason(error)})"
            ) from None
        self._active.append(container)
        try:
            yield container, self._stream(container)
        finally:
            if container in self._active:
                self._active.remove(container)
            container.close()

    def _stream(self, container: InputContainer) -> VideoStream:
        # a cover picture in a sound file is a video stream too
        streams = [
            s for s in container.streams.video if not s.disposition & Disposition.attached_pic
        ]
        if not streams:
            what = "only sound" if container.streams.audio else "no video stream"
            raise MediaError(f"{self.path} has {what}: a video is needed")
        stream = next((s for s in streams if s.disposition & Disposition.default), streams[0])
        if stream.codec_context is None:
            raise MediaError(f"{self.path} is coded in a way that this build cannot decode")
        self._sure_count = "mov" in container.format.name.split(",")
        return stream

    def _pictures(
        self, container: InputContainer, stream: VideoStream, *, checked: bool
    ) -> Iterator[av.VideoFrame]:
        """Decode; with `checked`, complain of a file that ends before what it promises."""
        count = packets = 0
        try:
            for packet in container.demux(stream):
                packets += packet.size > 0
                if packet.is_corrupt and checked:
                    for picture in stream.decode(None):  # whole frames on their way
                        yield picture
                        count += 1
                    raise self._damaged(count, "its data are cut off or flagged as corrupt")
                for picture in packet.decode():
                    yield picture
                    count += 1
        except (av.FFmpegError, OSError, ValueError) as error:
            raise self._damaged(count, _reason(error)) from None
        # the sample table of MP4 and QuickTime is exact; other containers only estimate
        if checked and self._sure_count and packets < stream.frames:
            raise self._damaged(count, f"the file ends here but promises {stream.frames} frames")

    def _damaged(self, index: int, why: str) -> MediaError:
        hint = f"; use only the frames before {index}, or repair the file" if index else ""
        return MediaError(f"{self.path} is damaged at frame {index}: {why}{hint}")


def _known(first: int, second: int) -> int:
    return second if first in (0, 2) else first
