"""Videos with damage in the middle: where it stops, what is skipped, what is held."""

import logging

import av
import numpy as np
import pytest

from ddeal_core.errors import InputError, MediaError
from ddeal_core.media import open_source

COUNT = 24


def noisy(tiny_clip):
    rng = np.random.default_rng(1)
    frames = [tiny_clip.frames[i % 8].astype(int) for i in range(COUNT)]
    return [np.clip(f + rng.integers(-9, 9, f.shape), 0, 255).astype(np.uint8) for f in frames]


def hurt(path, number, how="noise"):
    """Damage the data of the packet that is so many in the file's order."""
    with av.open(str(path)) as container:
        packets = [(p.pos, p.size) for p in container.demux(video=0) if p.size]
    place, size = packets[number]
    data = bytearray(path.read_bytes())
    if how == "noise":
        data[place + 4 : place + size] = np.random.default_rng(3).bytes(size - 4)
    elif how == "nothing":
        data[place : place + size] = bytes(size)
    elif how == "before":
        del data[place - 8 :]  # with its chunk's head
    else:
        del data[place + size // 2 :]
    path.write_bytes(data)
    return path


@pytest.fixture
def clip(tmp_path, make_clip, tiny_clip):
    def make(name, codec="libx264", **more):
        if name.endswith(("mp4", "mov")):
            more["container_options"] = {"movflags": "+faststart"}
        return make_clip(tmp_path / name, noisy(tiny_clip), codec=codec, **more)

    return make


def read(path, on_error, **more):
    with open_source(path, on_error=on_error, **more) as source:
        frames = list(source)
    assert [f.index for f in frames] == sorted({f.index for f in frames})
    if frames[0].pts is not None:
        assert [f.pts for f in frames] == sorted({f.pts for f in frames})
    return frames, source.damage


INTRA = [("intra.mov", "mjpeg", "yuvj420p"), ("intra2.mov", "prores_ks", "yuv422p10le")]


@pytest.mark.parametrize(("name", "codec", "pix_fmt"), INTRA)
def test_a_frame_by_itself(clip, name, codec, pix_fmt, caplog):
    path = clip(name, codec, pix_fmt=pix_fmt)
    whole, _ = read(path, "stop")
    hurt(path, 7)
    with pytest.raises(MediaError, match="damaged at frame 7"):
        read(path, "stop")
    skipped, damage = read(path, "skip")
    assert [f.index for f in skipped] == [i for i in range(COUNT) if i != 7]
    assert damage.ranges == [(7, 7)]
    caplog.clear()
    held, damage = read(path, "hold")
    assert [f.index for f in held if f.held] == [7]
    assert damage.count == 1
    np.testing.assert_array_equal(held[7].image, held[6].image)
    assert [f.pts for f in held] == [f.pts for f in whole]
    assert [f.duration for f in held] == [f.duration for f in whole]
    told = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert "damaged at frame 7" in told[0]
    assert "1 damaged frame held: 7" in told[-1]
    # the last frame before the hole stays on screen until the next one comes
    assert skipped[6].duration == 2 * whole[6].duration


@pytest.mark.parametrize(
    ("number", "how"), [(0, "noise"), (7, "nothing"), (12, "noise"), (12, "nothing"), (23, "noise")]
)
def test_frames_that_others_refer_to(clip, number, how):
    """With B-frames and lost key frames, pictures come in any order and some never."""
    path = clip("inter.mp4", options={"bf": "2", "g": "12"})
    whole, _ = read(path, "stop")
    hurt(path, number, how)
    held, damage = read(path, "hold")
    assert damage.count >= 1
    before = []
    with pytest.raises(MediaError, match=f"damaged at frame {damage.ranges[0][0]}:"):
        before.extend(frame.index for frame in open_source(path))
    assert before == list(range(damage.ranges[0][0]))  # several threads lose none of them
    first = damage.unheld
    assert [f.pts for f in held] == [f.pts for f in whole][first:]
    skipped, again = read(path, "skip")
    assert again.ranges == damage.ranges
    assert [f.index for f in skipped] == [f.index for f in held if not f.held]
    for frame in skipped:
        if frame.index < damage.ranges[0][0]:
            np.testing.assert_array_equal(frame.image, whole[frame.index].image)


def test_ranges_count_from_the_beginning_of_the_video(clip):
    path = hurt(clip("intra.mov", "mjpeg", pix_fmt="yuvj420p"), 7)
    held, damage = read(path, "hold", start=5, end=9)
    assert [(f.index, f.held) for f in held] == [(5, False), (6, False), (7, True), (8, False)]
    skipped, _ = read(path, "skip", start=5, end=8)
    assert [f.index for f in skipped] == [5, 6]
    # nothing to hold yet
    late, damage = read(path, "hold", start=7, end=9)
    assert [f.index for f in late] == [8]
    assert damage.unheld == 1
    # damage outside of the range is nobody's business
    assert read(path, "hold", start=8)[1].count == 0
    assert read(path, "hold", end=7)[1].count == 0


@pytest.mark.parametrize("name", ["short.mp4", "short.mkv", "short.avi"])
def test_a_file_that_is_cut_off(clip, name, caplog):
    path = hurt(clip(name, "mpeg4" if name.endswith("avi") else "libx264"), 9, "end")
    with pytest.raises(MediaError, match=r"cut off|promises|corrupt|damaged"):
        read(path, "stop")
    caplog.clear()
    frames, damage = read(path, "skip")
    assert 5 <= len(frames) <= 10
    assert damage.count or damage.others
    assert any("short" in r.getMessage() for r in caplog.records)


def test_an_avi_that_is_cut_off_between_frames(clip):
    whole = clip("whole.avi", "mjpeg", pix_fmt="yuvj420p")
    count = len(read(whole, "stop")[0])
    path = hurt(clip("short.avi", "mjpeg", pix_fmt="yuvj420p"), 9, "before")
    with pytest.raises(MediaError, match="frame 9: the file is cut off"):
        read(path, "stop")
    frames, damage = read(path, "hold")
    assert len(frames) == 9 < count
    assert damage.others


def test_a_hole_at_the_beginning_of_matroska(clip, caplog):
    """FFmpeg looks for the next cluster and says nothing of those before it."""
    path = hurt(clip("hole.mkv", options={"g": "6", "crf": "4"}), 0, "nothing")
    with pytest.raises(MediaError):
        read(path, "stop")


def test_whole_files_are_the_same_in_all_modes(clip, caplog):
    for path in (clip("a.mp4", options={"bf": "2"}), clip("b.webm", "libvpx-vp9")):
        whole, _ = read(path, "stop")
        for mode in ("skip", "hold"):
            frames, damage = read(path, mode)
            assert damage.count == 0
            assert not damage.others
            for one, other in zip(frames, whole, strict=True):
                assert (one.pts, one.duration, one.held) == (other.pts, other.duration, False)
                np.testing.assert_array_equal(one.image, other.image)
    assert not caplog.records


def test_live_input(clip):
    path = hurt(clip("intra.mkv", "mjpeg", pix_fmt="yuvj420p"), 7)
    for mode, expected in (("skip", COUNT - 1), ("hold", COUNT)):
        with path.open("rb") as pipe:
            frames, damage = read(pipe, mode)
        assert len(frames) == expected
        assert damage.ranges == [(7, 7)]


def test_image_files(tmp_path, tiny_clip):
    for file in tiny_clip.images.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "00003.png").write_bytes(b"no picture")
    data = (tmp_path / "00005.png").read_bytes()
    (tmp_path / "00005.png").write_bytes(data[: len(data) // 2])
    with pytest.raises(MediaError):
        read(tmp_path, "stop")
    held, damage = read(tmp_path, "hold")
    assert [f.index for f in held if f.held] == [3, 5]
    assert [f.name for f in held] == [f"{i:05d}" for i in range(8)]
    assert damage.ranges == [(3, 3), (5, 5)]
    assert [f.index for f in read(tmp_path, "skip")[0]] == [0, 1, 2, 4, 6, 7]
    for file in tmp_path.iterdir():
        file.write_bytes(b"")
    with pytest.raises(MediaError, match="no image that can be read"):
        read(tmp_path, "skip")


def test_an_unknown_mode(tiny_clip):
    with pytest.raises(InputError, match="stop, skip, hold"):
        open_source(tiny_clip.video, on_error="guess")
