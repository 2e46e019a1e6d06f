"""Recordings that were joined byte by byte: all frames, at times that run on, and one warning."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import av
import numpy as np
import pytest

from ddeal_core.errors import MediaError
from ddeal_core.media import Cutout, FrameReader, open_source, open_writer
from tests.media.recordings import joined, record


def frames_of(path):
    """Times in seconds and mean greys of all frames."""
    with open_source(path) as source:
        found = [(frame.time, int(frame.image.mean())) for frame in source]
    return [time for time, _ in found], [grey for _, grey in found]


def check_runs_on(path, parts, caplog, *, told=True, slack=Fraction(1, 10)):
    """Every frame of the parts is there, in order, none far from the one before it."""
    wanted = [grey for part in parts for grey in frames_of(part)[1]]
    caplog.clear()
    times, greys = frames_of(path)
    assert greys == wanted
    assert all(0 < b - a <= Fraction(1, 25) + slack for a, b in pairwise(times))
    assert caplog.text.count("was joined from recordings") == told
    assert len(caplog.records) == told


def pair(tmp_path, ending, begin, second, **settings):
    first = record(tmp_path / f"a.{ending}", begins=begin, **settings)
    return [first, record(tmp_path / f"b.{ending}", begins=second, **settings)]


@pytest.mark.parametrize(
    ("codec", "audio", "begin", "second"),
    [
        ("libx264", "aac", 100, 20),
        ("mpeg2video", None, 100, 4000),
        ("libx264", None, 0, 0),
        ("libx265", "aac", 30, 30),
        ("mpeg2video", "aac", 95440, 10),
        ("libx265", None, 10, 95440),
    ],
)
def test_transport_streams(tmp_path, caplog, codec, audio, begin, second):
    parts = pair(tmp_path, "ts", begin, second, codec=codec, audio=audio)
    check_runs_on(joined(tmp_path / "both.ts", *parts), parts, caplog)


def test_many_transport_streams(tmp_path, caplog):
    parts = [
        record(tmp_path / f"{begins}.ts", codec="libx264", begins=begins)
        for begins in (100, 20, 4000, 0, 30)
    ]
    parts.append(parts[0])
    check_runs_on(joined(tmp_path / "all.ts", *parts), parts, caplog)


def test_segments_of_one_clock(tmp_path, caplog):
    """The counters of a transport stream's parts begin anew with each segment of a download."""
    parts = pair(tmp_path, "ts", 1, 1 + Fraction(8, 25), codec="libx264")
    check_runs_on(joined(tmp_path / "both.ts", *parts), parts, caplog, told=False)


def test_packets_with_arrival_times(tmp_path, caplog):
    parts = []
    for part in pair(tmp_path, "ts", 1, 1 + Fraction(8, 25), codec="libx264"):
        data = part.read_bytes()
        packets = [data[at : at + 188] for at in range(0, len(data), 188)]
        stamped = [(7919 * at).to_bytes(4, "big") + each for at, each in enumerate(packets)]
        parts.append(part.with_suffix(".m2ts"))
        parts[-1].write_bytes(b"".join(stamped))
    check_runs_on(joined(tmp_path / "both.m2ts", *parts), parts, caplog, told=False)


@pytest.mark.parametrize(
    ("ending", "codec", "audio"), [("ts", "libx264", "aac"), ("vob", "mpeg2video", None)]
)
def test_a_gap_of_a_few_seconds_stays_and_is_told(tmp_path, caplog, ending, codec, audio):
    """Nobody can say whether something is missing there or another recording begins."""
    parts = pair(tmp_path, ending, 20, 24, codec=codec, audio=audio)
    path = joined(tmp_path / f"both.{ending}", *parts)
    caplog.clear()
    times, greys = frames_of(path)
    assert greys == [grey for part in parts for grey in frames_of(part)[1]]
    gaps = [b - a for a, b in pairwise(times)]
    assert sorted(gaps)[-1] == pytest.approx(4 - 7 / 25, abs=0.1)
    assert sorted(gaps)[-2] < 0.1
    assert caplog.text.count("no pictures and no sound for 3.") == 1
    assert "was joined from" not in caplog.text


@pytest.mark.parametrize(
    ("ending", "audio", "begin", "second"),
    [("vob", "ac3", 100, 20), ("mpg", "mp2", 1, 1), ("vob", None, 5, 900), ("mpg", None, 100, 20)],
)
def test_program_streams(tmp_path, caplog, ending, audio, begin, second):
    parts = pair(tmp_path, ending, begin, second, codec="mpeg2video", audio=audio)
    check_runs_on(joined(tmp_path / f"both.{ending}", *parts), parts, caplog)


@pytest.mark.parametrize(
    ("name", "codec", "audio", "ending"),
    [("ts", "libx264", "aac", "mp4"), ("vob", "mpeg2video", "ac3", "mkv")],
)
def test_sound_stays_with_the_picture(tmp_path, ending, name, codec, audio):
    parts = pair(tmp_path, name, 100, 20, codec=codec, audio=audio, frames=50, size=(32, 32))
    path = joined(tmp_path / f"both.{name}", *parts)
    out = tmp_path / f"out.{ending}"
    with open_source(path) as source, open_writer(out, source=source) as writer:
        for frame in source:
            writer.write(frame, Cutout(frame.image, np.zeros(frame.size, np.uint8)))
    with av.open(out) as container:
        heard = [float(p.pts * p.time_base) for p in container.demux(audio=0) if p.size]
    with av.open(out) as container:
        seen = [float(p.pts * p.time_base) for p in container.demux(video=0) if p.size]
    assert len(seen) == 100
    assert all(0 <= b - a < 0.15 for a, b in pairwise(heard))
    assert all(0 <= b - a < 0.15 for a, b in pairwise(seen))
    assert heard[0] == pytest.approx(seen[0], abs=0.05)
    assert heard[-1] == pytest.approx(seen[-1], abs=0.1)


def test_sound_only_in_the_second(tmp_path, caplog):
    parts = [
        record(tmp_path / "a.ts", codec="libx264", begins=200, audio=None),
        record(tmp_path / "b.ts", codec="libx264", begins=30),
    ]
    path = joined(tmp_path / "both.ts", *parts)
    check_runs_on(path, parts, caplog)
    with open_source(path) as source:
        assert next(iter(source)).time - source.info.zero < 1


def test_from_a_pipe(tmp_path, caplog):
    parts = pair(tmp_path, "ts", 100, 20, codec="libx264")
    path = joined(tmp_path / "both.ts", *parts)
    with path.open("rb") as file, open_source(file) as source:
        times = [frame.time for frame in source]
    assert times == frames_of(path)[0]
    assert caplog.text.count("was joined") == 2


def test_any_frame_of_it(tmp_path):
    parts = pair(tmp_path, "ts", 100, 20, codec="libx264")
    path = joined(tmp_path / "both.ts", *parts)
    greys = frames_of(path)[1]
    with FrameReader(open_source(path)) as reader:
        assert len(reader) == 16
        assert [int(reader.read(index).mean()) for index in (12, 3, 15, 8, 0)] == [
            greys[index] for index in (12, 3, 15, 8, 0)
        ]


def test_a_pause_in_the_sound_is_no_join(tmp_path, caplog):
    """Broadcast sound stops for 11 s while the picture goes on."""
    quiet = tmp_path / "quiet.ts"
    tone = record(tmp_path / "tone.ts", frames=25 * 14, codec="mpeg2video", size=(16, 16))
    with av.open(tone) as before, av.open(quiet, "w") as container:
        streams = {s.index: container.add_stream_from_template(s) for s in before.streams}
        for packet in before.demux():
            silent = packet.stream.type == "audio" and 2 < (packet.pts or 0) / 90000 < 13
            if packet.size and not silent:
                packet.stream = streams[packet.stream.index]
                container.mux(packet)
    times, _ = frames_of(quiet)
    assert len(times) == 350
    assert {b - a for a, b in pairwise(times)} == {Fraction(1, 25)}
    assert "joined" not in caplog.text


def test_pictures_that_refer_to_what_was_cut_off_are_damage(tmp_path):
    """The second recording begins in the middle of a group: its frames cannot be decoded."""
    parts = pair(tmp_path, "ts", 100, 20, codec="libx264", frames=40)
    data = parts[1].read_bytes()
    parts[1].write_bytes(data[188 * (len(data) // 188 // 3) :])
    path = joined(tmp_path / "both.ts", *parts)
    given = []
    with (
        open_source(path) as source,
        pytest.raises(MediaError, match=r"damaged at frame 40:") as told,
    ):
        given.extend(frame.index for frame in source)
    assert given == list(range(40))
    assert "use only the frames before 40" in str(told.value)


def test_the_frame_named_is_the_first_that_is_not_given(tmp_path):
    """A part of a transport stream is lost: what is given before the error is right."""
    clean = record(tmp_path / "clean.ts", codec="libx264", frames=40, size=(96, 128))
    greys = frames_of(clean)[1]
    data = clean.read_bytes()
    parts = [data[at : at + 188] for at in range(0, len(data), 188)]
    pictures = [i for i, part in enumerate(parts) if part[1] & 0x1F == 1 and part[2] == 0]
    refused = 0
    for lost in pictures[len(pictures) // 4 : -4 : 5]:
        path = tmp_path / "lost.ts"
        path.write_bytes(b"".join(parts[:lost] + parts[lost + 1 :]))
        given, told = [], None
        with open_source(path) as source:
            try:
                given.extend(int(frame.image.mean()) for frame in source)
            except MediaError as error:
                told = str(error)
        if told is not None:
            refused += 1
            assert f"damaged at frame {len(given)}:" in told
        assert given == greys[: len(given)]
    assert refused > 3
