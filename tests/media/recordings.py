"""Small recordings with sound of any coding, at any time, for tests."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

RATE = 25


def record(
    path: Path,
    *,
    frames: int = 8,
    codec: str = "mpeg4",
    file_format: str | None = None,
    audio: str | None = "aac",
    rate: int = 48000,
    layout: str = "mono",
    begins: Fraction | float = 0,
    sound_begins: Fraction | float | None = None,
    options: dict[str, str] | None = None,
    tracks: int = 1,
    size: tuple[int, int] = (48, 64),
) -> Path:
    """Encode pictures, each of its own grey, at 25 a second, and a tone of the same length.

    Raises:
        av.FFmpegError, ValueError: The container or the codec does not take it.
    """
    begins = Fraction(begins)
    late = begins if sound_begins is None else Fraction(sound_begins)
    with av.open(path, "w", format=file_format) as container:
        video: Any = container.add_stream(codec, rate=RATE)
        video.height, video.width = size
        video.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        sounds: list[Any] = []
        for _ in range(tracks if audio else 0):
            sound: Any = container.add_stream(
                audio or "", rate=rate, layout=layout, options=options
            )
            sound.codec_context.open(strict=False)
            sounds.append(sound)
        tones = [_tone(sound, frames, late) for sound in sounds]
        for index in range(frames):
            image = np.full((*size, 3), 40 + 200 * index // frames, np.uint8)
            picture = av.VideoFrame.from_ndarray(image, format="rgb24")
            picture.pts, picture.time_base = round(begins * RATE) + index, Fraction(1, RATE)
            container.mux(video.encode(picture))
            for sound, tone in zip(sounds, tones, strict=True):
                for piece in (next(tone, None), next(tone, None)):
                    if piece is not None:
                        container.mux(sound.encode(piece))
        for sound, tone in zip(sounds, tones, strict=True):
            for piece in tone:
                container.mux(sound.encode(piece))
            container.mux(sound.encode(None))
        container.mux(video.encode(None))
    return path


def _tone(stream: Any, frames: int, begins: Fraction) -> Iterator[av.AudioFrame]:
    context = stream.codec_context
    rate, layout = context.sample_rate, context.layout
    resampler = av.AudioResampler(
        format=context.format, layout=layout, rate=rate, frame_size=context.frame_size or None
    )
    total, step = rate * frames // RATE, 1024
    for at in range(0, total, step):
        count = min(step, total - at)
        wave = np.sin((at + np.arange(count)) * 440 * 2 * np.pi / rate) * 8000
        samples = np.repeat(wave.astype(np.int16)[:, None], layout.nb_channels, 1)
        frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout=layout.name)
        frame.sample_rate, frame.pts = rate, at + round(begins * rate)
        frame.time_base = Fraction(1, rate)
        yield from resampler.resample(frame)
    yield from resampler.resample(None)


def joined(path: Path, *parts: Path) -> Path:
    """Join files byte by byte, as ``cat`` does."""
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    return path
