"""Videos read from their end: the frames that going forward gives, in reverse order."""

from fractions import Fraction

import av
import numpy as np
import pytest
from PIL import Image

from ddeal_core.errors import InputError, MediaError
from ddeal_core.media import open_source
from ddeal_core.media.sources import backwards as module
from ddeal_core.media.sources.array_source import ArraySource
from ddeal_core.media.sources.backwards import backwards, last_frame
from ddeal_core.media.sources.live_source import LiveSource

CHUNK = 7 * 3 * 48 * 64  # seven frames
OPEN_GOP = "open-gop=1:bframes=3:keyint=12:min-keyint=6:scenecut=0"
CLIPS = {
    "one key frame.mp4": {},
    "b-frames.mkv": {"options": {"g": "12", "bf": "3"}},
    "open.mp4": {"options": {"x264-params": OPEN_GOP}},
    "mpeg2.ts": {"codec": "mpeg2video", "options": {"g": "12", "bf": "2"}},
    "woven.mp4": {"options": {"x264-params": "interlaced=1:keyint=10", "flags": "+ildct+ilme"}},
    "vp9.webm": {"codec": "libvpx-vp9", "options": {"g": "16"}},
    "uneven.mp4": {
        "options": {"g": "8"},
        "pts": [i * i for i in range(30)],
        "time_base": Fraction(1, 1000),
        "rotation": 90,
    },
}


@pytest.fixture(scope="module")
def frames():
    rng = np.random.default_rng(2)
    ground = rng.integers(0, 255, (48, 64, 3), np.uint8)
    return [np.roll(ground, 2 * i, axis=1) for i in range(30)]


def agree(backward, forward):
    assert len(backward) == len(forward)
    for one, other in zip(reversed(backward), forward, strict=True):
        assert np.array_equal(one.image, other.image)
        fields = ("index", "pts", "duration", "time_base", "name")
        assert [getattr(one, f) for f in fields] == [getattr(other, f) for f in fields]


@pytest.mark.parametrize("name", CLIPS)
def test_the_frames_are_those_of_going_forward(name, frames, make_clip, tmp_path):
    path = make_clip(tmp_path / name, frames, **CLIPS[name])
    with open_source(path) as source:
        forward = list(source)
        assert last_frame(source) == 29
        agree(list(backwards(source, 30, chunk_bytes=CHUNK)), forward)
    with open_source(path, start=5, end=25) as source:
        assert last_frame(source) == 24
        agree(list(backwards(source, 20, chunk_bytes=CHUNK)), forward[5:20])


def test_chunks_begin_at_key_frames_and_not_at_the_beginning(
    frames, make_clip, tmp_path, monkeypatch
):
    path = make_clip(tmp_path / "clip.mp4", frames, options={"g": "10"})
    decoded = []
    before = module.Seeker.pictures_from

    def counting(self, pts):
        for picture in before(self, pts):
            decoded.append(picture.pts)
            yield picture

    monkeypatch.setattr(module.Seeker, "pictures_from", counting)
    with open_source(path) as source:
        agree(list(backwards(source, 30, chunk_bytes=CHUNK)), list(source))
    # from the beginning each time it would be 30 + 23 + 16 + 9 + 2
    assert 30 <= len(decoded) <= 70


def test_where_a_key_frame_does_not_do_it_the_result_is_right_all_the_same(
    frames, make_clip, tmp_path, monkeypatch
):
    path = make_clip(tmp_path / "clip.mp4", frames, options={"g": "10"})
    before = module.Seeker.pictures_from

    def damaged(self, pts):
        for picture in before(self, pts):
            image = picture.to_ndarray(format="rgb24") ^ 1
            other = av.VideoFrame.from_ndarray(image, format="rgb24")
            other.pts = picture.pts
            yield other

    monkeypatch.setattr(module.Seeker, "pictures_from", damaged)
    with open_source(path) as source:
        agree(list(backwards(source, 30, chunk_bytes=CHUNK)), list(source))


def test_images_and_arrays(frames, tmp_path):
    source = ArraySource(np.stack(frames))
    agree(list(backwards(source, 30, chunk_bytes=CHUNK)), list(source))
    for index in range(9):
        Image.fromarray(frames[index]).save(tmp_path / f"{index}.png")
    with open_source(tmp_path, start=2) as images:
        agree(list(backwards(images, 8, chunk_bytes=1)), list(images)[:6])


def test_damage_is_told_as_going_forward_tells_it(frames, make_clip, tmp_path):
    path = make_clip(tmp_path / "clip.mp4", frames, options={"g": "10"})
    content = bytearray(path.read_bytes())
    middle = content.find(b"mdat") + 6000
    content[middle : middle + 3000] = bytes(3000)
    path.write_bytes(content)
    with open_source(path) as source:
        with pytest.raises(MediaError) as forward:
            list(source)
        with pytest.raises(MediaError) as backward:
            list(backwards(source, 30, chunk_bytes=CHUNK))
    assert str(backward.value) == str(forward.value)


def test_a_live_source_is_refused(tiny_clip):
    with tiny_clip.video.open("rb") as file, LiveSource(file, named="a pipe") as source:
        with pytest.raises(InputError, match="a pipe comes once"):
            next(backwards(source, 8))
        with pytest.raises(InputError, match="a pipe comes once"):
            last_frame(source)
