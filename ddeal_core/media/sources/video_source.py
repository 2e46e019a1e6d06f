"""Frames of a video file, as a player would show them."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Unpack

import av
from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from ddeal_core.errors import MediaError
from ddeal_core.media.frame import Frame
from ddeal_core.media.identity import Settings, file_identity
from ddeal_core.media.sources.container_gaps import without_holes
from ddeal_core.media.sources.damage import DamageRecord
from ddeal_core.media.sources.decoded_source import DecodedSource, with_durations
from ddeal_core.media.sources.decoding import (
    Display,
    damage,
    open_container,
    pictures_of,
    video_stream,
)
from ddeal_core.media.sources.frame_source import SourceOptions
from ddeal_core.media.sources.ledger import Ledger, Lost
from ddeal_core.media.sources.sound import FileSound, Sound
from ddeal_core.media.sources.timeline import tell_of_join
from ddeal_core.media.sources.tolerant_decoding import pictures_and_losses


def _up_to_a_hole(
    packets: Iterator[Packet[VideoStream]], holes: list[MediaError]
) -> Iterator[Packet[VideoStream]]:
    """End at a hole as if the file did, so that pictures before it still come; note the error."""
    try:
        yield from packets
    except MediaError as error:
        holes.append(error)


class VideoSource(DecodedSource):
    """A video file of any container and codec that PyAV opens.

    Rotation, mirroring and the sample aspect ratio are applied, interlaced pictures are made
    whole, HDR is shown as SDR; time stamps are passed through. The size is that of the first
    frame; later frames of another size are scaled to it. Where bytes are missing, nobody knows how
    many frames are: unless `on_error` is "stop", a warning says so, and the frames behind them are
    numbered as if no frame were missing.

    Args:
        path: The file.
        options: See `open_source`; frames before the first are decoded, not converted.

    Raises:
        MediaError: Missing, no video, sound only, without frames, or not decodable.
        InputError: `start` and `end` contradict each other.
    """

    def __init__(self, path: Path, **options: Unpack[SourceOptions]) -> None:
        super().__init__(path, **options)
        self._active: list[InputContainer] = []
        self._told: set[bool] = set()  # of gaps, and of joins without one
        with self._opened() as (container, stream):
            # one packet in, one frame out: frame threads would read ahead
            stream.thread_type = "SLICE"
            packets = without_holes(
                container, stream, path=path, record=DamageRecord(path, self.on_error)
            )
            if self.on_error == "stop":
                first = next(pictures_of(packets, stream, named=path, checked=False), None)
            else:
                found = pictures_and_losses(packets, stream, record=self.damage)
                first = next((each for each in found if not isinstance(each, Lost)), None)
            if first is None:
                raise MediaError(f"{path} has a video stream but no frame that can be decoded")
            self._see(Display.of(first, stream, named=path), first, container)
            self._has_sound = bool(container.streams.audio)
            declared = stream.frames or None
            # the sample table of MP4 and QuickTime is exact; other containers only estimate
            self._is_exact = "mov" in container.format.name.split(",")
        if declared is not None:
            if self.start >= declared and self._is_exact:
                raise MediaError(
                    f"{path} has {declared} frames: there is no frame {self.start} to start at"
                )
            stop = min(self.end or declared, declared)
            self.info = replace(
                self.info,
                frame_count=max(0, stop - self.start),
                frame_count_is_exact=self._is_exact,
            )

    def sound(self) -> Sound | None:
        """The file's sound, opened anew for each who asks; None if it has none."""
        return FileSound(self.path) if self._has_sound else None

    def _identify(self) -> Settings:
        return file_identity(self.path, MediaError)

    def __iter__(self) -> Generator[Frame]:
        """Decode from the beginning, in several threads where `on_error` is "stop".

        Raises:
            MediaError: A packet is damaged or missing; the message has the frame's number.
        """
        self.damage = DamageRecord(self.path, self.on_error)
        with self._opened() as (container, stream):
            pictures = self._kept(self._pictures(container, stream))
            yield from self._frames(with_durations(pictures))

    def _pictures(
        self, container: InputContainer, stream: VideoStream
    ) -> Iterator[av.VideoFrame | Lost]:
        promised = stream.frames if self._is_exact else None
        if self.on_error == "stop":
            return self._until_damage(container, stream, promised)
        packets = without_holes(
            container, stream, path=self.path, record=self.damage, on_join=self._tell_of_join
        )
        return pictures_and_losses(packets, stream, record=self.damage, promised=promised)

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

    def _tell_of_join(self, gap: Fraction) -> None:
        if (gap > 0) not in self._told:
            tell_of_join(self.path, gap)
        self._told.add(gap > 0)

    def close(self) -> None:
        """End iterations that were left half-way."""
        for container in self._active:
            container.close()
        self._active.clear()

    @contextmanager
    def _opened(self) -> Iterator[tuple[InputContainer, VideoStream]]:
        container = open_container(self.path)
        self._active.append(container)
        try:
            yield container, video_stream(container, named=self.path)
        finally:
            if container in self._active:
                self._active.remove(container)
            container.close()
