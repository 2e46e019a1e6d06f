"""Sound is carried along: packet by packet where the container can hold it."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import pytest

from ddeal_core.media import Cutout, open_source, open_writer


@pytest.fixture(scope="module")
def clip(make_clip, tiny_clip, tmp_path_factory):
    """Eight pictures and 0.2 s of AAC."""
    return make_clip(tmp_path_factory.mktemp("sound") / "in.mp4", tiny_clip.frames, audio=True)


def write(source_path, out, *, sound=True, **range_):
    with (
        open_source(source_path, **range_) as source,
        open_writer(out, source=source, sound=sound) as writer,
    ):
        for frame in source:
            writer.write(frame, Cutout(frame.image, np.zeros(frame.size, np.uint8)))
    return out


def packets(path):
    """Time stamps in seconds and bytes of the sound."""
    with av.open(path) as container:
        if not container.streams.audio:
            return None, []
        stream = container.streams.audio[0]
        found = [p for p in container.demux(stream) if p.size]
        name = stream.codec_context.codec.canonical_name
        return name, [(p.pts * p.time_base, bytes(p)) for p in found]


def picture_times(path):
    with open_source(path) as source:
        return [frame.time for frame in source]


@pytest.mark.parametrize("ending", ["mp4", "mov", "mkv"])
def test_packets_are_copied_and_pictures_keep_their_times(clip, tmp_path, ending):
    out = write(clip, tmp_path / f"out.{ending}")
    before, after = packets(clip), packets(out)
    assert after[0] == before[0] == "aac"
    assert [data for _, data in after[1]] == [data for _, data in before[1]]
    # Matroska's clock ticks in milliseconds
    slack = Fraction(1, 1000) if ending == "mkv" else 0
    for (a, _), (b, _) in zip(after[1], before[1], strict=True):
        assert abs(a - b) <= slack
    for a, b in zip(picture_times(out), picture_times(clip), strict=True):
        assert abs(a - b) <= slack


@pytest.mark.parametrize(("ending", "codec"), [("webm", "opus"), ("mov", "aac")])
def test_what_a_container_cannot_hold_is_coded_anew(clip, tmp_path, caplog, ending, codec):
    if ending == "mov":
        clip = write(clip, tmp_path / "opus.webm")
        caplog.clear()
    out = write(clip, tmp_path / f"out.{ending}")
    assert packets(out)[0] == codec
    assert "cannot hold" in caplog.text
    with av.open(out) as container:
        heard = [f.to_ndarray().astype(float).ravel() for f in container.decode(audio=0)]
        rate = container.streams.audio[0].rate
    wave = np.concatenate(heard)
    peak = np.argmax(np.abs(np.fft.rfft(wave * np.hanning(len(wave)))))
    assert peak * rate / len(wave) == pytest.approx(0.06 * 44100 / (2 * np.pi), rel=0.05)
    assert picture_times(out)[0] == 0
    again = write(clip, tmp_path / f"again.{ending}")
    assert again.read_bytes() == out.read_bytes()


def test_sound_follows_a_cut(clip, tmp_path):
    out = write(clip, tmp_path / "out.mov", start=2, end=4)
    _, found = packets(out)
    whole = [data for _, data in packets(clip)[1]]
    assert 0 < len(found) < len(whole)
    assert all(data in whole for _, data in found)
    begins, ends = found[0][0], found[-1][0]
    assert 0 <= begins < Fraction(1024, 44100)
    assert ends < Fraction(2, 24)


def test_no_sound_if_none_is_wanted(clip, tiny_clip, tmp_path):
    assert packets(write(clip, tmp_path / "a.mp4", sound=False)) == (None, [])
    assert packets(write(tiny_clip.video, tmp_path / "b.mp4")) == (None, [])


def test_sound_of_a_pipe(clip, tmp_path):
    stream = write(clip, tmp_path / "in.mkv")
    with stream.open("rb") as file, open_source(file) as source:
        out = tmp_path / "out.mp4"
        with open_writer(out, source=source) as writer:
            for frame in source:
                writer.write(frame, Cutout(frame.image, np.zeros(frame.size, np.uint8)))
    assert [data for _, data in packets(out)[1]] == [data for _, data in packets(clip)[1]]
