"""Frames that come once: from a pipe, a camera or a network stream."""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterator, Mapping
from dataclasses import replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import BinaryIO, Unpack, cast

import numpy as np
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from ddeal_core.errors import InputError, MediaError
from ddeal_core.media.frame import Frame
from ddeal_core.media.sources.decoded_source import DecodedSource
from ddeal_core.media.sources.decoding import Display, open_container, pictures_of, video_stream
from ddeal_core.media.sources.frame_source import SourceOptions
from ddeal_core.media.sources.ledger import Lost
from ddeal_core.media.sources.sound import Sound
from ddeal_core.media.sources.timeline import Timeline, tell_of_join
from ddeal_core.media.sources.tolerant_decoding import pictures_and_losses

_CAMERAS = {"linux": "v4l2", "darwin": "avfoundation", "win32": "dshow"}


class LiveSource(DecodedSource):
    """A video that cannot be read again; every frame is given as soon as it is decoded.

    The first frame is decoded when it is opened, so that its size is known.

    Args:
        what: An open binary file (of a pipe), the path of a pipe, an address such as
            ``rtsp://...``, or a device.
        named: What messages call it.
        file_format: FFmpeg's name of the format, if it cannot be recognised.
        demuxer: Options of FFmpeg's demuxer.
        options: See `open_source`.

    Raises:
        MediaError: It holds no video, or cannot be decoded.
        InputError: `start` and `end` contradict each other.
    """

    def __init__(
        self,
        what: str | Path | BinaryIO,
        *,
        named: str,
        file_format: str | None = None,
        demuxer: Mapping[str, str] | None = None,
        **options: Unpack[SourceOptions],
    ) -> None:
        super().__init__(Path(named), **options)
        self._used = False
        self._sounds: list[Sound] = []
        try:
            self._container: InputContainer = open_container(
                what, named=self.path, file_format=file_format, options=demuxer
            )
            try:
                self._begin()
            except BaseException:
                self._container.close()
                raise
        except MediaError as error:
            if isinstance(what, str):
                raise
            raise MediaError(
                f"{error}; an MP4 that comes through a pipe needs its index at the beginning "
                "(ffmpeg -movflags +faststart), or send Matroska: ffmpeg -f matroska"
            ) from None

    def _begin(self) -> None:
        """Decode the first frame."""
        self._stream: VideoStream = video_stream(self._container, named=self.path)
        self._stream.thread_type = "SLICE"  # one packet in, one picture out
        self._early: list[Packet[AudioStream]] = []
        self._pictures: Iterator[VideoFrame | Lost]
        if self.on_error == "stop":
            self._pictures = pictures_of(self._packets(), self._stream, named=self.path)
        else:
            self._pictures = pictures_and_losses(self._packets(), self._stream, record=self.damage)
        self._first: list[VideoFrame | Lost] = []
        for picture in self._pictures:
            self._first.append(picture)
            if not isinstance(picture, Lost):
                display = Display.of(picture, self._stream, named=self.path)
                self._see(display, picture, self._container)
                count = None if self.end is None else self.end - self.start
                self.info = replace(self.info, is_live=True, frame_count=count)
                return
        raise MediaError(f"{self.path} has a video stream but no frame that can be decoded")

    def sound(self) -> Sound | None:
        """The stream's sound; ask before the frames are read, for it is not kept otherwise."""
        if not self._container.streams.audio:
            return None
        sound = Sound(self._container.streams.audio)
        for packet in self._early:
            sound.add(packet)
        self._sounds.append(sound)
        return sound

    def first_image(self) -> NDArray[np.uint8]:
        """The first frame's image, before it is given.

        Raises:
            InputError: Frames have been read already, or the range starts later.
        """
        picture = self._first[0] if self._first else None
        if picture is None or isinstance(picture, Lost) or self.start:
            raise InputError(
                f"{self.path} comes once: only frame 0 can be looked at before it is segmented"
            )
        return self.display.rgb(picture)

    def stop(self) -> None:
        """End after the frame that is being read; may be called from a signal's handler."""
        self._stopped = True

    def __iter__(self) -> Generator[Frame]:
        """Give the frames as they come.

        Raises:
            InputError: It has been read already.
            MediaError: A packet is damaged; the message has the frame's number.
        """
        if self._used:
            raise InputError(f"{self.path} comes once and has been read already")
        self._used = True
        self._early.clear()
        kept = self._kept(self._all_pictures())
        yield from self._frames((each, each[1].duration or None) for each in kept)

    def close(self) -> None:
        """Close the pipe, device or connection."""
        self._pictures.close()  # type: ignore[attr-defined]  # a generator
        self._container.close()

    def _all_pictures(self) -> Iterator[VideoFrame | Lost]:
        first, self._first = self._first, []
        for picture in chain(first, self._pictures):
            if self._stopped:
                return
            yield picture

    def _packets(self) -> Iterator[Packet[VideoStream]]:
        """Hand sound to those who asked for it, and give the video's packets."""
        for packet in Timeline(self._container, on_join=partial(tell_of_join, self.path)).packets():
            if packet.stream is self._stream:
                yield cast("Packet[VideoStream]", packet)
            elif packet.size > 0 and packet.stream.type == "audio":
                heard = cast("Packet[AudioStream]", packet)
                if not self._used:
                    self._early.append(heard)
                for sound in self._sounds:
                    sound.add(heard)


def open_camera(name: str, **options: Unpack[SourceOptions]) -> LiveSource:
    """Open a camera: "camera", "camera:1", or "camera:" and the system's own name for it.

    Raises:
        MediaError: There is no such camera, or it may not be used.
    """
    device = name.partition(":")[2] or "0"
    file_format = _CAMERAS.get(sys.platform)
    if file_format is None:
        raise MediaError(f"cameras are not supported on {sys.platform}")
    if sys.platform == "linux" and device.isdecimal():
        device = f"/dev/video{device}"
    if sys.platform == "win32":
        if device.isdecimal():
            raise MediaError(
                'a camera has a name on Windows: "camera:Integrated Camera"; '
                "`ffmpeg -list_devices true -f dshow -i dummy` lists them"
            )
        device = f"video={device}"
    demuxer = {"framerate": "30"} if sys.platform == "darwin" else {}
    named = f"{name} ({device})"
    return LiveSource(device, named=named, file_format=file_format, demuxer=demuxer, **options)
