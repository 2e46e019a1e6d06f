"""Twins of videos with odd time stamps."""

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import av
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ddeal_core.errors import OutputError
from ddeal_core.media import Cutout, Frame, open_source, open_writer
from ddeal_core.media.sources.array_source import ArraySource

IMAGE = np.full((16, 16, 3), 90, np.uint8)
LABELS = np.eye(16, dtype=np.uint8)


class Stamped(ArraySource):
    """Frames whose time stamps are given."""

    def __init__(self, stamps, time_base):
        super().__init__(np.stack([IMAGE] * len(stamps)))
        self.stamps, self.base = stamps, time_base
        self.info = replace(self.info, time_base=time_base)

    def __iter__(self):
        for index, pts in enumerate(self.stamps):
            yield Frame(IMAGE, index, pts, None, self.base, f"{index:05d}")


@pytest.mark.parametrize("ending", [".mov", ".mp4", ".mkv", ".webm"])
@given(
    stamps=st.lists(st.none() | st.integers(0, 5000) | st.integers(-50, 50), min_size=1, max_size=9)
)
@example(stamps=[7, 7, 7])
@example(stamps=[5, 6, 40])
@example(stamps=[100, 50, None, 0, 4000])
@example(stamps=[-9, -3, 0])
@settings(max_examples=6, deadline=None)
def test_stamps_rise_and_good_ones_stay(tmp_path_factory, ending, stamps):
    path = tmp_path_factory.mktemp("stamps") / f"twin{ending}"
    source = Stamped(stamps, Fraction(1, 1000))
    with open_writer(path, source=source) as writer:
        for frame in source:
            writer.write(frame, Cutout(IMAGE, LABELS))
    twin = [frame.pts * frame.time_base for frame in open_source(path)]
    assert len(twin) == len(stamps)
    assert all(a < b for a, b in pairwise(twin))
    good = None not in stamps and all(a < b for a, b in pairwise(stamps)) and stamps[0] >= 0
    if good:
        shift = twin[0] - Fraction(stamps[0], 1000)
        assert [t - shift for t in twin] == [Fraction(s, 1000) for s in stamps]


def first_stamps(path):
    """Seconds at which picture and sound of a file begin."""
    found = {}
    with av.open(path) as container:
        for packet in container.demux():
            if packet.size:
                found.setdefault(packet.stream.type, packet.pts * packet.time_base)
    return found["video"], found["audio"]


def test_the_clock_of_a_broadcast_begins_at_zero(tmp_path):
    hours = 11 * 3600
    path = tmp_path / "broadcast.ts"
    with av.open(path, "w", format="mpegts") as container:
        picture = container.add_stream("mpeg2video", rate=25, width=16, height=16)
        picture.pix_fmt = "yuv420p"
        sound = container.add_stream("mp2", rate=48000, layout="mono")
        for index in range(4):
            image = av.VideoFrame.from_ndarray(IMAGE, format="rgb24")
            image.pts = hours * 25 + index
            container.mux(picture.encode(image))
            samples = av.AudioFrame.from_ndarray(
                np.zeros((1, 1152), np.int16), format="s16", layout="mono"
            )
            samples.rate, samples.pts = 48000, hours * 48000 + index * 1152
            container.mux(sound.encode(samples))
        container.mux(picture.encode(None))
        container.mux(sound.encode(None))
    with open_source(path) as source, open_writer(tmp_path / "twin.mkv", source=source) as writer:
        for frame in source:
            writer.write(frame, Cutout(frame.image, LABELS))
    late, firsts = first_stamps(path), first_stamps(tmp_path / "twin.mkv")
    assert min(late) > hours - 1
    assert min(firsts) < Fraction(1, 500)
    assert abs((firsts[1] - firsts[0]) - (late[1] - late[0])) < Fraction(1, 500)


@pytest.mark.parametrize("pts", [2**62, -(2**62), 2**63 - 1, 2**70])
def test_absurd_stamps_are_an_error_or_a_video(tmp_path, pts):
    source = Stamped([0, pts], Fraction(1, 1000))
    failed = False
    try:
        with open_writer(tmp_path / "twin.mkv", source=source) as writer:
            for frame in source:
                writer.write(frame, Cutout(IMAGE, LABELS))
    except OutputError:
        failed = True
    if failed:
        assert list(tmp_path.iterdir()) == []
    else:
        assert len(list(open_source(tmp_path / "twin.mkv"))) == 2
