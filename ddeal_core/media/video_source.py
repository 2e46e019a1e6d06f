"""Frames of a video file, as a player would show them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from functools import partial
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream
from numpy.typing import NDArray

from ddeal_core.errors import MediaError
from ddeal_core.media.colour import ColourTags
from ddeal_core.media.continuity import without_holes
from ddeal_core.media.damage import DamageRecord, OnError
from ddeal_core.media.decoding import (
    Display,
    clock_zero,
    damage,
    open_container,
    pictures_of,
    video_stream,
)
from ddeal_core.media.frame import Frame
from ddeal_core.media.frame_source import FrameSource
from ddeal_core.media.identity import Settings, file_identity
from ddeal_core.media.ledger import Ledger, Lost
from ddeal_core.media.sound import FileSound, Sound
from ddeal_core.media.timeline import tell_of_join
from ddeal_core.media.tolerant_decoding import pictures_and_losses

__all__ = ["VideoSource"]


def _up_to_a_hole(
    packets: Iterator[Packet[VideoStream]], holes: list[MediaError]
) -> Iterator[Packet[VideoStream]]:
    """End at a hole as if the file did, so that pictures before it still come; note the error."""
    try:
        yield from packets
    except MediaError as error:
        holes.append(error)


_Numbered = tuple[int, av.VideoFrame | Lost]


def _with_durations(pictures: Iterator[_Numbered]) -> Iterator[tuple[_Numbered, int | None]]:
    """Pair each numbered picture with the time until the next one.

    What decoders report belongs to the order of coding: wrong where there are B-frames and a
    variable rate. A failure is raised after the picture before it has been given.
    """
    held: _Numbered | None = None
    failure: MediaError | None = None
    try:
        for numbered in pictures:
            if held is not None:
                begin, end = held[1].pts, numbered[1].pts
                gap = None
                if begin is not None and end is not None and end > begin:
                    gap = end - begin
                yield held, gap
            held = numbered
    except MediaError as error:
        failure = error
    if held is not None:
        yield held, held[1].duration or None
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
        on_error: What to do about frames that cannot be read. Where bytes are missing between
            frames, nobody knows how many: they are warned of, and frames behind them are numbered
            as if there had been none.

    Raises:
        MediaError: Missing, no video, sound only, without frames, or not decodable.
        InputError: `start` and `end` contradict each other.
    """

    def __init__(
        self,
        path: Path,
        *,
        start: int | None = None,
        end: int | None = None,
        on_error: OnError = "stop",
    ) -> None:
        super().__init__(path, start=start, end=end, on_error=on_error)
        self._active: list[InputContainer] = []
        self._joined = False
        with self._opened() as (container, stream):
            # one packet in, one frame out: frame threads would read ahead
            stream.thread_type = "SLICE"
            packets = without_holes(
                container, stream, path=path, record=DamageRecord(path, on_error)
            )
            if on_error == "stop":
                first = next(pictures_of(packets, stream, named=path, checked=False), None)
            else:
                found = pictures_and_losses(packets, stream, record=self.damage)
                first = next((each for each in found if not isinstance(each, Lost)), None)
            if first is None:
                raise MediaError(f"{path} has a video stream but no frame that can be decoded")
            self._display = Display.of(first, stream, named=path)
            self._declared = stream.frames or None
            self._zero = clock_zero(container, first)
            self._has_sound = bool(container.streams.audio)
            # the sample table of MP4 and QuickTime is exact; other containers only estimate
            self._sure_count = "mov" in container.format.name.split(",")
        if self._declared is not None and self.start >= self._declared and self._sure_count:
            raise MediaError(
                f"{path} has {self._declared} frames: there is no frame {self.start} to start at"
            )

    @property
    def display(self) -> Display:
        """How the stream's pictures are shown."""
        return self._display

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
    def zero(self) -> Fraction:
        """Where the clock of a transport or program stream stood at the beginning; else 0."""
        return self._zero

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
        """Decode from the beginning; with several threads of packets where it stops at damage.

        Raises:
            MediaError: A packet is damaged or missing; the message has the frame's number.
        """
        display, given = self._display, 0
        last: NDArray[np.uint8] | None = None
        record = self.damage = DamageRecord(self.path, self.on_error)
        with self._opened() as (container, stream):
            for (index, picture), duration in _with_durations(self._kept(container, stream)):
                if self.end is not None and index >= self.end:
                    break
                if not isinstance(picture, Lost):
                    if picture.is_corrupt:
                        raise damage(self.path, index, "the decoder had to make up parts of it")
                    last = display.image(picture)
                if last is None:  # damage before there is anything to hold
                    record.unheld += 1
                    continue
                given += 1
                yield Frame(
                    image=last,
                    index=index,
                    pts=picture.pts if display.time_base is not None else None,
                    duration=duration,
                    time_base=display.time_base,
                    name=f"{index:05d}",
                    held=isinstance(picture, Lost),
                )
                if index + 1 == self.end:
                    break
        record.tell()
        if not given:
            raise MediaError(f"{self.path} ends before frame {self.start}: nothing to read")

    def _kept(self, container: InputContainer, stream: VideoStream) -> Iterator[_Numbered]:
        """The pictures from `start` on, and those that are lost if they shall be held."""
        record = self.damage
        promised = stream.frames if self._sure_count else None
        pictures: Iterator[av.VideoFrame | Lost]
        if self.on_error == "stop":
            pictures = self._until_damage(container, stream, promised)
        else:
            packets = without_holes(
                container, stream, path=self.path, record=record, on_join=self._tell_of_join
            )
            pictures = pictures_and_losses(packets, stream, record=record, promised=promised)
        for index, picture in enumerate(pictures):
            if index < self.start:
                continue
            if isinstance(picture, Lost):
                if self.end is None or index < self.end:
                    record.lose(index, picture.why)
                if self.on_error == "skip":
                    continue
            yield index, picture

    def _until_damage(
        self, container: InputContainer, stream: VideoStream, promised: int | None
    ) -> Iterator[av.VideoFrame | Lost]:
        """Decode in several threads; where that fails, look again, in one, for the very frame.

        Several threads lose good pictures around a failure, and report it late or, at the end of
        a file, never.
        """
        stream.thread_type = "AUTO"
        ledger = Ledger()
        given = 0
        try:
            packets = without_holes(container, stream, path=self.path, on_join=self._tell_of_join)
            for picture in pictures_of(
                packets, stream, named=self.path, promised=promised, ledger=ledger
            ):
                yield picture
                given += 1
            if not ledger.is_short:
                return
        except MediaError:
            pass
        holes: list[MediaError] = []
        record = DamageRecord(self.path, self.on_error)
        index = -1
        with self._opened() as (again, stream):
            packets = _up_to_a_hole(without_holes(again, stream, path=self.path), holes)
            found = pictures_and_losses(packets, stream, record=record, promised=promised)
            for index, each in enumerate(found):
                if isinstance(each, Lost) and index >= self.start:
                    raise damage(self.path, index, each.why)
                if index >= given:
                    yield each
        if holes:
            raise holes[0]
        if record.others:
            raise damage(self.path, index + 1, record.others[0])

    def _tell_of_join(self, seconds: Fraction) -> None:
        if not self._joined:
            tell_of_join(self.path, seconds - self._zero)
        self._joined = True

    def pictures_from(
        self, pts: int
    ) -> Iterator[tuple[int | None, Callable[[], NDArray[np.uint8]]]]:
        """Decode from the last key frame that the container knows before a time stamp.

        Whether a picture is what decoding from the beginning gives depends on the stream: the
        first ones may refer to what was passed over. See `backwards`.

        Args:
            pts: In units of `time_base`.

        Yields:
            A picture's time stamp, and what makes its image as displayed, which takes time.

        Raises:
            MediaError: The container cannot seek, or a picture cannot be decoded.
        """
        with self._opened() as (container, stream):
            stream.thread_type = "AUTO"
            try:
                container.seek(pts, stream=stream)
            except (av.FFmpegError, OSError, ValueError):
                raise MediaError(f"{self.path} cannot be read from the middle") from None
            packets = container.demux(stream)
            for picture in pictures_of(packets, stream, named=self.path, checked=False):
                yield picture.pts, partial(self._display.image, picture)

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
