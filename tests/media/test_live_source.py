"""Frames that come once: they are given as they come, and only once."""

from __future__ import annotations

import os
import threading

import numpy as np
import pytest
from waiting import HANG

from ddeal_core.errors import InputError, MediaError
from ddeal_core.media import LiveSource, open_source


class Pipe:
    """A pipe's reading end, as a file that cannot be rewound."""

    name = "a pipe"

    def __init__(self, number):
        self._file = os.fdopen(number, "rb", buffering=0)

    def read(self, size):
        return self._file.read(size)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._file.close()


@pytest.fixture
def stream(make_clip, tiny_clip, tmp_path):
    return make_clip(tmp_path / "in.mkv", tiny_clip.frames, options={"tune": "zerolatency"})


def test_a_pipe_gives_what_the_file_gives(stream):
    reading, writing = os.pipe()

    def pour():
        with os.fdopen(writing, "wb") as file:
            file.write(stream.read_bytes())

    thread = threading.Thread(target=pour)
    thread.start()
    with Pipe(reading) as end, open_source(stream) as file, open_source(end) as pipe:
        assert pipe.info.size == file.info.size
        assert pipe.info.is_live
        assert pipe.info.frame_count is None
        for a, b in zip(file, pipe, strict=True):
            assert (a.index, a.time, a.name) == (b.index, b.time, b.name)
            assert np.array_equal(a.image, b.image)
    thread.join()


def test_frames_come_before_the_pipe_ends(make_clip, tiny_clip, tmp_path):
    frames = [np.random.default_rng(i).integers(0, 256, (96, 128, 3), np.uint8) for i in range(60)]
    stream = make_clip(tmp_path / "in.ts", frames, options={"tune": "zerolatency"})
    data = stream.read_bytes()
    reading, writing = os.pipe()
    rest, in_time, seen = threading.Event(), [], []

    def pour():
        with os.fdopen(writing, "wb") as file:
            file.write(data[: len(data) * 3 // 4])
            file.flush()
            in_time.append(rest.wait(HANG))
            file.write(data[len(data) * 3 // 4 :])

    thread = threading.Thread(target=pour)
    thread.start()
    with Pipe(reading) as end, open_source(end) as pipe:
        for frame in pipe:
            seen.append(frame.index)
            if len(seen) == 20:  # a third is here while a quarter of the bytes is not
                rest.set()
    thread.join()
    assert in_time == [True]
    assert seen == list(range(60))


def test_it_comes_once(stream):
    with stream.open("rb") as file, open_source(file) as source:
        assert len(list(source)) == 8
        with pytest.raises(InputError, match="read already"):
            list(source)


def test_a_range(stream):
    with stream.open("rb") as file, open_source(file, start=2, end=5) as source:
        assert source.info.frame_count == 3
        assert [frame.index for frame in source] == [2, 3, 4]
    with (
        stream.open("rb") as file,
        open_source(file, start=20) as source,
        pytest.raises(MediaError, match="ends before frame 20"),
    ):
        list(source)


def test_stopping_ends_it_without_an_error(stream):
    with stream.open("rb") as file, open_source(file) as source:
        seen = []
        for frame in source:
            seen.append(frame.index)
            if frame.index == 3:
                source.stop()
    assert seen == [0, 1, 2, 3]


def test_a_device():
    """FFmpeg's own test picture stands in for a camera: it is opened the same way."""
    with LiveSource("testsrc=size=64x48:rate=10", named="camera", file_format="lavfi", end=3) as s:
        assert s.info.size == (48, 64)
        assert [frame.index for frame in s] == [0, 1, 2]


def test_no_camera_and_no_video(tmp_path):
    with pytest.raises(MediaError, match="camera"):
        open_source("camera:no such camera")
    (tmp_path / "a.mp4").write_bytes(bytes.fromhex("00000018") + b"ftypisom" + bytes(500))
    with (tmp_path / "a.mp4").open("rb") as file, pytest.raises(MediaError, match="faststart"):
        open_source(file)
