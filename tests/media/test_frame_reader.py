"""Frames in any order are those of iterating."""

import random
import shutil
from fractions import Fraction
from io import BytesIO

import av
import numpy as np
import pytest

from ddeal_core.errors import InputError, MediaError
from ddeal_core.media import FrameReader, open_source

KINDS = {
    "b-frames": ("clip.mp4", {"options": {"g": "6", "bf": "3", "crf": "20"}}),
    "open groups": ("clip.mp4", {"options": {"x264-params": "open-gop=1:keyint=7:bframes=3"}}),
    "one key frame": ("clip.mkv", {"options": {"g": "500"}}),
    "webm": ("clip.webm", {"codec": "libvpx-vp9", "options": {"g": "8", "cpu-used": "8"}}),
    "only key frames": ("clip.mov", {"codec": "mjpeg", "pix_fmt": "yuvj420p"}),
    "transport stream": ("clip.ts", {"options": {"g": "8"}}),
    "turned": ("clip.mp4", {"options": {"g": "5"}, "rotation": 90}),
    "avi": ("clip.avi", {"codec": "mpeg4", "options": {"g": "9"}}),
    "no time stamps": ("clip.h264", {"options": {"g": "9"}}),
}


@pytest.mark.parametrize("kind", KINDS)
def test_any_order_gives_the_frames_of_iterating(kind, make_clip, tiny_clip, tmp_path):
    name, options = KINDS[kind]
    frames = [np.roll(f, k, axis=1) for k in range(4) for f in tiny_clip.frames]
    video = make_clip(tmp_path / name, frames, **options)
    with open_source(video) as source, FrameReader(source, cache=1) as reader:
        expected = [frame.image for frame in source]
        assert len(reader) == len(expected) == 32
        order = [*range(0, 32, 5), *range(31, 0, -4), *random.Random(5).sample(range(32), 8)]
        for index in order:
            np.testing.assert_array_equal(reader.read(index), expected[index])
        assert reader.size == source.info.size
        assert reader.name(7) == "00007"


def test_variable_rates_and_a_late_beginning(make_clip, tiny_clip, tmp_path):
    stamps = [7, 8, 9, 30, 31, 90, 95, 400]
    video = make_clip(
        tmp_path / "late.mp4", tiny_clip.frames, pts=stamps, time_base=Fraction(1, 90)
    )
    with open_source(video) as source, FrameReader(source) as reader:
        expected = [frame.image for frame in source]
        for index in (7, 0, 3, 6, 1):
            np.testing.assert_array_equal(reader.read(index), expected[index])


def test_a_stream_cut_off_before_its_first_key_frame(make_clip, tiny_clip, tmp_path):
    whole = make_clip(tmp_path / "whole.mkv", list(tiny_clip.frames) * 3, options={"g": "8"})
    cut = tmp_path / "cut.mkv"
    with av.open(whole) as taken, av.open(cut, "w") as written:
        stream = written.add_stream_from_template(taken.streams.video[0])
        for number, packet in enumerate(taken.demux(taken.streams.video[0])):
            if number >= 3 and packet.dts is not None:
                packet.stream = stream
                written.mux(packet)
    with open_source(cut) as source, FrameReader(source) as reader:
        expected = [frame.image for frame in source]
        assert len(reader) == len(expected)
        for index in (len(expected) - 1, 0, len(expected) // 2):
            np.testing.assert_array_equal(reader.read(index), expected[index])


def test_images_go_by_their_own_names(tiny_clip, tmp_path):
    folder = tmp_path / "shots"
    folder.mkdir()
    for index, name in enumerate(("a2", "a10", "b")):
        shutil.copy(tiny_clip.images / f"{index:05d}.png", folder / f"{name}.png")
    with open_source(folder) as source, FrameReader(source) as reader:
        assert [reader.name(i) for i in range(len(reader))] == ["a2", "a10", "b"]
        np.testing.assert_array_equal(reader.read(1), tiny_clip.frames[1])


def test_few_frames_stay_in_memory(tiny_clip):
    frame = 96 * 128 * 3
    with open_source(tiny_clip.video) as source, FrameReader(source, cache=3 * frame) as reader:
        for index in (0, 5, 2, 7, 3, 1):
            reader.read(index)
            assert len(reader._cache) <= 3
        kept = reader.read(1)
        assert reader.read(1) is kept
        with pytest.raises(ValueError, match="read-only"):
            kept[0, 0] = 0


@pytest.mark.parametrize("index", [-1, 8, 10**9])
def test_there_is_no_such_frame(index, tiny_clip):
    with (
        open_source(tiny_clip.video) as source,
        FrameReader(source) as reader,
        pytest.raises(InputError, match="from 0 to 7"),
    ):
        reader.read(index)


def test_a_pipe_cannot_be_read_in_any_order(tiny_clip, make_clip, tmp_path):
    video = make_clip(tmp_path / "clip.mkv", tiny_clip.frames)
    with (
        open_source(BytesIO(video.read_bytes())) as source,
        pytest.raises(InputError, match="comes once"),
    ):
        FrameReader(source)


def test_a_damaged_frame_is_told_and_the_others_are_given(make_clip, tiny_clip, tmp_path):
    video = make_clip(
        tmp_path / "hurt.mov", list(tiny_clip.frames), codec="mjpeg", pix_fmt="yuvj420p"
    )
    with av.open(video) as container:
        packets = [(p.pos, p.size) for p in container.demux(video=0) if p.size]
    content = bytearray(video.read_bytes())
    at, size = packets[4]
    content[at : at + size] = bytes(size)
    video.write_bytes(content)
    with open_source(video) as source, FrameReader(source) as reader:
        assert len(reader) == 8
        with pytest.raises(MediaError, match="frame 4"):
            reader.read(4)
        assert reader.read(5).shape == (96, 128, 3)
