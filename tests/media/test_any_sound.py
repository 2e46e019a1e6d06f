"""Sound never costs the picture: every coding in every container that is written."""

from __future__ import annotations

from collections import deque

import av
import numpy as np
import pytest

from ddeal_core.media import Cutout, open_source, open_writer
from tests.media.recordings import joined, record

ENDINGS = ("mp4", "mov", "mkv", "webm")
# Each kind of coding once, in a container that holds it: lossless, lossy, of telephones, of
# cameras, in frames of odd lengths, in both byte orders; each goes into two kinds of output.
CODINGS = [
    ("aac", "mkv", 48000),
    ("libopus", "mkv", 48000),
    ("flac", "mkv", 96000),
    ("alac", "mov", 44100),
    ("wavpack", "mkv", 44100),
    ("pcm_s16le", "avi", 48000),
    ("pcm_s24be", "mov", 48000),
    ("pcm_f32le", "mkv", 32000),
    ("pcm_u8", "avi", 11025),
    ("pcm_mulaw", "mov", 8000),
    ("adpcm_ms", "avi", 22050),
    ("adpcm_ima_qt", "mov", 44100),
    ("ac3", "ts", 48000),
    ("mp2", "avi", 44100),
    ("libmp3lame", "flv", 44100),
    ("nellymoser", "flv", 22050),
]


def written(path, out):
    """Write a video of a file; gives how many pictures it has, and the sound of each track."""
    with open_source(path) as source, open_writer(out, source=source, kind="matte") as writer:
        for frame in source:
            writer.write(frame, Cutout(frame.image, np.zeros(frame.size, np.uint8)))
    with av.open(out) as container:
        pictures = sum(1 for _ in container.decode(video=0))
    return pictures, [length(out, index) for index in range(tracks(out))]


def tracks(path):
    with av.open(path) as container:
        return len(container.streams.audio)


def length(path, index=0):
    """Seconds from 0 to the end of a track's sound, decoded; None if there is none."""
    with av.open(path) as container:
        last = next(iter(deque(container.decode(audio=index), maxlen=1)), None)
        if last is None or last.pts is None:
            return None
        return float(last.pts * last.time_base) + last.samples / last.sample_rate


@pytest.mark.parametrize(
    ("coding", "endings"),
    [
        (coding, (ENDINGS[i % 4], ENDINGS[(i + 1 + i // 4 % 3) % 4]))
        for i, coding in enumerate(CODINGS)
    ],
    ids=lambda value: value[0],
)
def test_codings_in_containers(tmp_path, coding, endings, caplog):
    encoder, container, rate = coding
    picture = {"flv": "flv"}.get(container, "mpeg4")
    path = record(tmp_path / f"in.{container}", frames=4, size=(32, 32), codec=picture,
                  audio=encoder, rate=rate, options={"b": "64k"})  # fmt: skip
    sound = length(path)
    assert sound is not None
    for ending in endings:
        caplog.clear()
        pictures, heard = written(path, tmp_path / f"out.{ending}")
        assert pictures == 4
        assert len(heard) == 1
        assert -0.08 < heard[0] - sound < 0.16  # whole packets, which are long at low rates
        assert len(caplog.records) <= 1


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("in.avi", {"audio": "pcm_s16le", "layout": "stereo"}),
        ("in.avi", {"codec": "mjpeg", "audio": "pcm_u8", "rate": 11025}),
        ("in.avi", {"codec": "dvvideo", "audio": "pcm_s16le", "size": (576, 720), "frames": 2}),
        ("in.mkv", {"audio": "flac", "rate": 192000}),
        ("in.mkv", {"audio": "flac", "rate": 22222}),
        ("in.avi", {"audio": "pcm_s16le", "layout": "5.1"}),
        ("in.mkv", {"audio": "pcm_s24le", "layout": "7.1"}),
        ("in.mkv", {"audio": "flac", "layout": "2.1", "rate": 96000}),
        ("in.mov", {"audio": "pcm_s8", "rate": 5512}),
        ("in.mkv", {"audio": "aac", "sound_begins": 1}),
        ("in.mkv", {"audio": "pcm_s16le", "begins": 1, "sound_begins": 0}),
    ],
)
def test_what_cameras_write(tmp_path, name, settings, caplog):
    path = record(tmp_path / name, **settings)
    for ending in ("mp4", "webm"):
        pictures, heard = written(path, tmp_path / f"out.{ending}")
        assert pictures == settings.get("frames", 8)
        assert heard == [pytest.approx(length(path), abs=0.15)]
    surround = settings.get("layout") in ("5.1", "7.1", "2.1")
    assert ("channels as stereo" in caplog.text) is surround


def test_one_track_of_several_that_cannot_be_kept(tmp_path, caplog):
    """Sound without what its decoder needs: it is left out, and the other tracks are not."""
    path = record(tmp_path / "in.nut", audio="adpcm_ima_wav", tracks=2)
    kinds = []
    for ending in ENDINGS:
        pictures, heard = written(path, tmp_path / f"out.{ending}")
        kinds.append((pictures, len(heard)))
    assert kinds == [(8, 0)] * 4
    assert caplog.text.count("goes without audio stream") == 8


def test_several_tracks_each_in_its_way(tmp_path):
    path = record(tmp_path / "in.mkv", audio="wavpack", tracks=3)
    for ending in ("mov", "webm"):
        pictures, heard = written(path, tmp_path / f"out.{ending}")
        assert (pictures, len(heard)) == (8, 3)


@pytest.mark.parametrize("seconds", [-0.06, 0.5])
def test_times_of_sound_that_jump(tmp_path, seconds):
    """The clock of the sound alone jumps by some packets, or by more: all pictures stay."""
    path = record(tmp_path / "in.ts", frames=50, size=(32, 32), codec="libx264", begins=1)
    shift_clock(path, stream=257, after=2, seconds=seconds)
    for ending in ("mp4", "mkv"):
        pictures, heard = written(path, tmp_path / f"out.{ending}")
        assert pictures == 50
        assert 1.8 < heard[0] < 2.7


def shift_clock(path, *, stream, after, seconds):
    """Shift the time stamps of a transport stream's sound from a time on, in the bytes."""
    data = bytearray(path.read_bytes())
    shifted = 0
    for at in range(0, len(data), 188):
        head = int.from_bytes(data[at : at + 4], "big")
        if (head >> 8) & 0x1FFF != stream or not head & 0x400000:
            continue
        pes = at + 4 + (1 + data[at + 4] if head & 0x20 else 0)
        stamp = pes + 9
        bits = int.from_bytes(data[stamp : stamp + 5], "big")
        ticks = (bits >> 33 & 7) << 30 | (bits >> 17 & 0x7FFF) << 15 | bits >> 1 & 0x7FFF
        if ticks < after * 90000:
            continue
        ticks += round(seconds * 90000)
        marked = bits >> 36 << 36 | 1 << 32 | 1 << 16 | 1
        marked |= (ticks >> 30 & 7) << 33 | (ticks >> 15 & 0x7FFF) << 17 | (ticks & 0x7FFF) << 1
        data[stamp : stamp + 5] = marked.to_bytes(5, "big")
        shifted += 1
    assert shifted
    path.write_bytes(data)


def test_sound_that_changes_on_the_way(tmp_path):
    parts = [
        record(tmp_path / "a.ts", codec="mpeg2video", begins=9, audio="mp2", layout="mono"),
        record(
            tmp_path / "b.ts",
            codec="mpeg2video",
            begins=2,
            audio="mp2",
            layout="stereo",
            rate=44100,
        ),
    ]
    path = joined(tmp_path / "in.ts", *parts)
    for ending in ENDINGS:
        pictures, heard = written(path, tmp_path / f"out.{ending}")
        assert pictures == 16
        assert heard[0] is not None
