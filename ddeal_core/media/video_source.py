"""Frames of a video file, as a player would show them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from ddeal_core.errors import MediaError
from ddeal_core.media.colour import ColourTags
from ddeal_core.media.continuity import without_holes
from ddeal_core.media.decoding import Display, damage, open_container, pictures_of, video_stream
from ddeal_core.media.frame import Frame
from ddeal_core.media.frame_source import FrameSource
from ddeal_core.media.identity import Settings, file_identity
from ddeal_core.media.sound import FileSound, Sound

__all__ = ["VideoSource"]


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

    Rotation, mirroring and the sample aspect ratio are applied, interlaced pictures are made
    whole, HDR is shown as SDR; time stamps are passed through. The size is that of the first
    frame; later frames of another size are scaled to it.

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
            packets = container.demux(stream)
            first = next(pictures_of(packets, stream, named=path, checked=False), None)
            if first is None:
                raise MediaError(f"{path} has a video stream but no frame that can be decoded")
            self._display = Display.of(first, stream, named=path)
            self._declared = stream.frames or None
            self._has_sound = bool(container.streams.audio)
            # the sample table of MP4 and QuickTime is exact; other containers only estimate
            self._sure_count = "mov" in container.format.name.split(",")
        if self._declared is not None and self.start >= self._declared and self._sure_count:
            raise MediaError(
                f"{path} has {self._declared} frames: there is no frame {self.start} to start at"
            )

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) as displayed."""
        return self._display.size

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
        return self._display.frame_rate

    @property
    def time_base(self) -> Fraction | None:
        """The stream's time base."""
        return self._display.time_base

    @property
    def is_video(self) -> bool:
        """True."""
        return True

    @property
    def colour(self) -> ColourTags:
        """The stream's colour tags, with what it leaves unsaid filled in; BT.709 if it is HDR."""
        return self._display.colour

    def sound(self) -> Sound | None:
        """The file's sound, opened anew for each who asks; None if it has none."""
        return FileSound(self.path) if self._has_sound else None

    def _identify(self) -> Settings:
        try:
            return file_identity(self.path)
        except OSError as error:
            raise MediaError(f"{self.path} cannot be read: {error.strerror or error}") from None

    def __iter__(self) -> Iterator[Frame]:
        """Decode from the beginning, with several threads.

        Raises:
            MediaError: A packet is damaged or missing; the message has the frame's number.
        """
        display, given = self._display, 0
        with self._opened() as (container, stream):
            stream.thread_type = "AUTO"
            pictures = pictures_of(
                without_holes(container, stream, path=self.path),
                stream,
                named=self.path,
                promised=stream.frames if self._sure_count else None,
            )
            for index, (picture, duration) in enumerate(_with_durations(pictures)):
                if index < self.start:
                    continue
                if picture.is_corrupt:
                    raise damage(self.path, index, "the decoder had to make up parts of it")
                given += 1
                yield Frame(
                    image=display.image(picture),
                    index=index,
                    pts=picture.pts if display.time_base is not None else None,
                    duration=duration,
                    time_base=display.time_base,
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
        container = open_container(self.path, named=self.path)
        self._active.append(container)
        try:
            yield container, video_stream(container, named=self.path)
        finally:
            if container in self._active:
                self._active.remove(container)
            container.close()
