"""Carrying sound into an output: copied where its container can hold it, else coded anew."""

from __future__ import annotations

import contextlib
import logging
import os
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from fractions import Fraction
from math import floor
from typing import cast

import av
from av.audio.codeccontext import AudioCodecContext
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.format import Flags
from av.packet import Packet

from ddeal_core.media.frame import to_fraction
from ddeal_core.media.sources.sound import Sound, starts_at

_log = logging.getLogger(__name__)

_ENCODERS = {"webm": "libopus", "matroska": "libopus", "mp4": "aac", "mov": "aac"}
_SHOWN = {"libopus": "Opus", "aac": "AAC"}
_OPUS_RATE = 48000
_SAMPLE = 16  # packets of each stream that are tried before the first frame
_TOLD = Fraction(1, 2)  # seconds of sound that may be left out without a word

_Errors = (av.FFmpegError, OSError, ValueError, OverflowError)


class SoundTrack:
    """All audio streams of a source, muxed between an output's frames.

    What becomes of a stream is found by trying, before the first frame: its first packets are
    muxed into nothing. Later on, each packet that is copied is tried in that way as well, so that
    a packet that the muxer refuses never reaches the file with the picture.

    Nothing has been muxed into the container yet, whose format FFmpeg calls `container_name`.
    `origin` are the seconds of the source that are the output's 0; what is before is left out.
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
        self._sound, self._origin, self._named = sound, origin, named
        self._tracks: dict[int, _Track] = {}
        beginning = sound.beginning(_SAMPLE)
        for stream in sound.streams:
            sample = [packet for packet in beginning if packet.stream is stream]
            way = self._way(stream, sample, container_name)
            if way is not None:
                self._tracks[stream.index] = _Track(container, container_name, way)

    def _way(
        self, stream: AudioStream, sample: list[Packet[AudioStream]], container_name: str
    ) -> _Way | None:
        """Find what can be done with a stream; None if it must be left out, with a warning."""
        # None where FFmpeg has no decoder for it, whatever the type says
        context = cast("AudioCodecContext | None", stream.codec_context)
        if context is None:
            _log.warning(
                "%s goes without audio stream %d: its coding is unknown here",
                self._named,
                stream.index,
            )
            return None
        if _is_taken(_Copy(stream), sample, container_name):
            return _Copy(stream)
        encoder, codec = _ENCODERS[container_name], context.codec.canonical_name
        if not _is_taken(_Transcoder(stream, encoder), sample, container_name):
            _log.warning(
                "%s goes without audio stream %d: it cannot hold its %s sound, nor can that be "
                "coded as %s",
                self._named,
                stream.index,
                codec,
                _SHOWN[encoder],
            )
            return None
        way = _Transcoder(stream, encoder)
        changed = "" if way.rate == context.sample_rate else f" at {way.rate} Hz"
        if context.layout.nb_channels > way.channels:
            changed += f", its {context.layout.nb_channels} channels as stereo"
        _log.warning(
            "%s cannot hold %s sound: it is coded as %s%s",
            self._named,
            f"this {codec}" if codec in _into_nothing(container_name).supported_codecs else codec,
            _SHOWN[encoder],
            changed,
        )
        return way

    def advance(self, until: Fraction | None) -> None:
        """Mux what begins before `until` seconds of the source; None for all that is left."""
        for packet in self._sound.packets(until):
            track = self._tracks.get(packet.stream.index)
            if track is not None:
                track.take(packet, self._origin)

    def finish(self) -> None:
        """Flush the encoders, and warn of sound that could not be kept."""
        for index, track in self._tracks.items():
            track.finish()
            if track.way.damaged:
                _log.warning(
                    "%s: %d packets of audio stream %d are damaged and left out",
                    self._named,
                    track.way.damaged,
                    index,
                )
            if track.left_out > _TOLD:
                _log.warning(
                    "%s: %.1f s of audio stream %d are left out: of times that go back, or such "
                    "as it cannot hold",
                    self._named,
                    float(track.left_out),
                    index,
                )


class _Way(ABC):
    """What becomes of one stream of sound."""

    def __init__(self, source: AudioStream) -> None:
        self.source = source
        self.damaged = 0  # packets that cannot be decoded

    @abstractmethod
    def add_to(self, container: OutputContainer) -> AudioStream:
        """Make the stream of the output."""

    @abstractmethod
    def coded(self, packet: Packet[AudioStream], origin: Fraction) -> Iterable[Packet[AudioStream]]:
        """Give what is muxed for a packet of the source, in the output's time."""

    def rest(self) -> Iterable[Packet[AudioStream]]:
        """Give what is left at the end."""
        return ()


class _Copy(_Way):
    """Packets as they are."""

    def add_to(self, container: OutputContainer) -> AudioStream:
        return container.add_stream_from_template(self.source)

    def coded(self, packet: Packet[AudioStream], origin: Fraction) -> Iterable[Packet[AudioStream]]:
        if origin:
            if starts_at(packet) < origin:
                return
            shift = round(origin / (to_fraction(packet.time_base) or origin))
            packet.pts = None if packet.pts is None else packet.pts - shift
            packet.dts = None if packet.dts is None else packet.dts - shift
        yield packet


class _Transcoder(_Way):
    """Decodes a stream and encodes it in another codec, at a rate that the codec has."""

    def __init__(self, source: AudioStream, encoder: str) -> None:
        super().__init__(source)
        self.rate = _rate_for(encoder, source.codec_context.sample_rate)
        self._name = encoder
        self.channels = 1 if source.codec_context.layout.nb_channels == 1 else 2
        self._resampler: AudioResampler | None = None
        self._kind: object = None
        self._end: Fraction | None = None

    def add_to(self, container: OutputContainer) -> AudioStream:
        stream = container.add_stream(
            self._name,
            rate=self.rate,
            layout="mono" if self.channels == 1 else "stereo",
            options={"b": f"{96 * self.channels}k"},
        )
        assert isinstance(stream, AudioStream)
        self._stream, self._encoder = stream, stream.codec_context
        return stream

    def coded(self, packet: Packet[AudioStream], origin: Fraction) -> Iterable[Packet[AudioStream]]:
        try:
            frames = list(packet.decode())
        except _Errors:
            self.damaged += 1
            return
        for frame in frames:
            time_base = to_fraction(frame.time_base)
            if frame.pts is None or time_base is None or frame.pts * time_base < origin:
                continue
            begins = frame.pts * time_base
            lasts = Fraction(frame.samples, frame.sample_rate or self.rate)
            if self._end is not None and begins + lasts / 2 < self._end:
                continue  # of a time that has been heard
            self._end = begins + lasts
            frame.pts -= round(origin / time_base)
            yield from self._encoded(frame)

    def rest(self) -> Iterable[Packet[AudioStream]]:
        if self._resampler is not None:
            yield from self._resampled(None)
            yield from self._stream.encode(None)

    def _encoded(self, frame: AudioFrame) -> Iterator[Packet[AudioStream]]:
        kind = (frame.format.name, frame.layout.name, frame.sample_rate)
        if self._resampler is not None and kind != self._kind:  # it changes on the way
            yield from self._resampled(None)
            self._resampler = None
        if self._resampler is None:
            if not self._encoder.is_open:
                self._encoder.open(strict=False)
            self._kind = kind
            self._resampler = AudioResampler(
                format=self._encoder.format,
                layout=self._encoder.layout,
                rate=self.rate,
                frame_size=self._encoder.frame_size or None,
            )
        yield from self._resampled(frame)

    def _resampled(self, frame: AudioFrame | None) -> Iterator[Packet[AudioStream]]:
        assert self._resampler is not None
        for piece in self._resampler.resample(frame):
            yield from self._stream.encode(piece)


class _Track:
    """One audio stream of an output; only what the muxer takes, at times that rise, goes into it.

    A trial fails rather than leave anything out. Attributes count the packets that are in the
    output (`muxed`), and the seconds of sound that are not (`left_out`).
    """

    def __init__(
        self, container: OutputContainer, container_name: str, way: _Way, *, is_trial: bool = False
    ) -> None:
        self.muxed, self.left_out = 0, Fraction(0)
        self.way = way
        self._container, self._stream = container, way.add_to(container)
        self._rehearsal: OutputContainer | None = None
        self._is_trial = is_trial
        if isinstance(way, _Copy) and not is_trial:
            self._rehearsal = _into_nothing(container_name)
            self._rehearsed = way.add_to(self._rehearsal)
        self._strict = Flags.ts_nonstrict not in Flags(container.format.flags)
        self._last: int | None = None
        self._end = Fraction(0)

    def take(self, packet: Packet[AudioStream], origin: Fraction) -> None:
        """Mux a packet of the source, or leave it out."""
        with _kept(packet):
            self._mux_all(self.way.coded(packet, origin))

    def finish(self) -> None:
        self._mux_all(self.way.rest())
        if self._rehearsal is not None:
            with contextlib.suppress(*_Errors):
                self._rehearsal.close()

    def _mux_all(self, packets: Iterable[Packet[AudioStream]]) -> None:
        coded = iter(packets)
        while True:
            try:
                packet = next(coded, None)
            except _Errors:
                if self._is_trial:
                    raise
                self.way.damaged += 1
                return
            if packet is None:
                return
            if self._is_timed(packet) and self._is_rehearsed(packet):
                packet.stream = self._stream
                self._container.mux(packet)
                self.muxed += 1
            else:
                self.left_out += (packet.duration or 0) * (
                    to_fraction(packet.time_base) or Fraction(0)
                )

    def _is_timed(self, packet: Packet[AudioStream]) -> bool:
        """Make a packet's time rise; False where it is one that has been heard."""
        self._container.start_encoding()
        ticks = to_fraction(self._stream.time_base)
        assert ticks is not None
        time_base = to_fraction(packet.time_base) or ticks
        stamp = packet.dts if packet.dts is not None else packet.pts
        begins = self._end if stamp is None else stamp * time_base
        lasts = (packet.duration or 0) * time_base
        tick = _nearest(begins / ticks)
        if self._last is not None and tick < self._last + self._strict:
            if begins + lasts / 2 < self._end - lasts / 2:
                return False
            tick, stamp = self._last + self._strict, None
        if stamp is None:
            packet.duration = _nearest(lasts / ticks)
            packet.time_base = ticks
            packet.pts = packet.dts = tick
        self._last, self._end = tick, max(self._end, begins + lasts)
        return True

    def _is_rehearsed(self, packet: Packet[AudioStream]) -> bool:
        if self._rehearsal is None:
            return True
        try:
            with _kept(packet):
                packet.stream = self._rehearsed
                self._rehearsal.mux(packet)
        except _Errors:
            return False
        return True


def _is_taken(way: _Way, sample: Iterable[Packet[AudioStream]], container_name: str) -> bool:
    """Whether a container of that format takes packets in this way, from header to trailer."""
    try:
        container = _into_nothing(container_name)
        track = _Track(container, container_name, way, is_trial=True)
        container.start_encoding()
        for packet in sample:
            track.take(packet, Fraction(0))
        track.finish()
        container.close()
    except _Errors:
        return False
    finally:
        way.source.codec_context.flush_buffers()
    return track.muxed > 0 or not way.damaged


def _rate_for(encoder: str, rate: int) -> int:
    """The rate itself, else the next higher one that the encoder has, else its highest."""
    if encoder == "libopus":
        return _OPUS_RATE
    rates = sorted(av.Codec(encoder, "w").audio_rates or [rate])
    return next((each for each in rates if each >= rate), rates[-1])


def _nearest(value: Fraction) -> int:
    """Round as FFmpeg does, halves away from 0."""
    return floor(value + Fraction(1, 2)) if value >= 0 else -floor(Fraction(1, 2) - value)


@contextlib.contextmanager
def _kept(packet: Packet[AudioStream]) -> Iterator[None]:
    """Give a packet back as it was: muxing changes it, and other outputs want it too."""
    before = packet.pts, packet.dts, packet.duration, packet.time_base, packet.stream
    try:
        yield
    finally:
        packet.time_base = before[3]
        packet.pts, packet.dts, packet.duration = before[:3]
        packet.stream = before[4]


def _into_nothing(container_name: str) -> OutputContainer:
    """Open a container of that format whose bytes go nowhere."""
    return av.open(os.devnull, "w", format=container_name)
