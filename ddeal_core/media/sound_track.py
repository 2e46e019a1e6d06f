"""Carrying sound into an output: copied where its container can hold it, else coded anew."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from fractions import Fraction
from typing import cast

import av
from av.audio.codeccontext import AudioCodecContext
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.packet import Packet

from ddeal_core.media.decoding import reason
from ddeal_core.media.rational import to_fraction
from ddeal_core.media.sound import Sound, starts_at

__all__ = ["SoundTrack"]

_log = logging.getLogger(__name__)

_ENCODERS = {"webm": "libopus", "matroska": "libopus", "mp4": "aac", "mov": "aac"}
# FFmpeg lists them for .mov, and refuses them when the file is begun ("only supported in MP4")
_NOT_IN_MOV = ("flac", "opus", "truehd")
_OPUS_RATE = 48000


class SoundTrack:
    """All audio streams of a source, muxed between an output's frames.

    Args:
        container: The output; nothing has been muxed yet.
        container_name: FFmpeg's name of its format.
        sound: Of the source.
        origin: Seconds of the source that are the output's 0; what is before is left out.
        named: For messages.
    """

    def __init__(
        self,
        container: OutputContainer,
        *,
        container_name: str,
        sound: Sound,
        origin: Fraction,
        named: str,
    ) -> None:
        self._container, self._sound, self._origin, self._named = container, sound, origin, named
        self._copies: dict[int, AudioStream] = {}
        self._transcoders: dict[int, _Transcoder] = {}
        for stream in sound.streams:
            # None where FFmpeg has no decoder for it, whatever the type says
            context = cast("AudioCodecContext | None", stream.codec_context)
            codec = None if context is None else context.codec.canonical_name
            refused = container_name == "mov" and codec in _NOT_IN_MOV
            if codec in container.supported_codecs and not refused:
                self._copies[stream.index] = container.add_stream_from_template(stream)
            elif codec is None:
                _log.warning(
                    "%s goes without audio stream %d: its coding is unknown here",
                    named,
                    stream.index,
                )
            else:
                encoder = _ENCODERS[container_name]
                _log.warning(
                    "%s cannot hold %s sound: it is coded as %s", named, codec, _shown(encoder)
                )
                self._transcoders[stream.index] = _Transcoder(container, stream, encoder)

    def advance(self, until: Fraction | None) -> None:
        """Mux what begins before `until` seconds of the source; None for all that is left."""
        for packet in self._sound.packets(until):
            index = packet.stream.index
            if index in self._transcoders:
                self._container.mux(list(self._transcoders[index].coded(packet, self._origin)))
            elif index in self._copies:
                self._copy(packet, self._copies[index])

    def finish(self) -> None:
        """Flush the encoders."""
        for transcoder in self._transcoders.values():
            self._container.mux(list(transcoder.rest()))

    def close(self) -> None:
        """Let go of the source's sound."""
        self._sound.close()

    def _copy(self, packet: Packet[AudioStream], stream: AudioStream) -> None:
        if self._origin:
            if starts_at(packet) < self._origin:
                return
            time_base = to_fraction(packet.time_base)
            if time_base is not None:
                shift = round(self._origin / time_base)
                packet.pts = None if packet.pts is None else packet.pts - shift
                packet.dts = None if packet.dts is None else packet.dts - shift
        packet.stream = stream
        self._container.mux(packet)


def _shown(encoder: str) -> str:
    return {"libopus": "Opus", "aac": "AAC"}[encoder]


class _Transcoder:
    """Decodes one stream and encodes it in another codec."""

    def __init__(self, container: OutputContainer, source: AudioStream, encoder: str) -> None:
        context = source.codec_context
        rate = _OPUS_RATE if encoder == "libopus" else context.sample_rate
        channels = context.layout.nb_channels
        layout = context.layout.name if channels <= 2 else "stereo"
        self._source = source
        stream = container.add_stream(
            encoder, rate=rate, layout=layout, options={"b": f"{96 * min(channels, 2)}k"}
        )
        assert isinstance(stream, AudioStream)
        self._stream = stream
        self._encoder: AudioCodecContext = self._stream.codec_context
        self._resampler: AudioResampler | None = None
        self._rate = rate

    def coded(self, packet: Packet[AudioStream], origin: Fraction) -> Iterator[Packet[AudioStream]]:
        try:
            frames = list(packet.decode())
        except av.FFmpegError as error:
            _log.warning("sound at %.3f s is damaged: %s", starts_at(packet), reason(error))
            return
        for frame in frames:
            time_base = to_fraction(frame.time_base)
            if frame.pts is None or time_base is None or frame.pts * time_base < origin:
                continue
            frame.pts -= round(origin / time_base)
            yield from self._encoded(frame)

    def rest(self) -> Iterator[Packet[AudioStream]]:
        if self._resampler is not None:
            yield from self._encoded(None)
            yield from self._stream.encode(None)

    def _encoded(self, frame: AudioFrame | None) -> Iterator[Packet[AudioStream]]:
        if self._resampler is None:
            self._encoder.open(strict=False)
            self._resampler = AudioResampler(
                format=self._encoder.format,
                layout=self._encoder.layout,
                rate=self._rate,
                frame_size=self._encoder.frame_size or None,
            )
        for piece in self._resampler.resample(frame):
            yield from self._stream.encode(piece)
