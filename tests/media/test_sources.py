from __future__ import annotations

import logging
from fractions import Fraction

import av
import numpy as np
import pytest
from PIL import Image

from ddeal_core.errors import InputError, MediaError
from ddeal_core.media import ColourTags, Frame, VideoSource, natural_key, open_source, read_image

QUADRANTS = ((220, 30, 30), (30, 200, 40), (40, 60, 210), (230, 230, 230))


def quadrants(height=64, width=96):
    """Red and green above blue and white: every turn and mirror can be told apart."""
    image = np.empty((height, width, 3), np.uint8)
    h, w = height // 2, width // 2
    image[:h, :w], image[:h, w:], image[h:, :w], image[h:, w:] = QUADRANTS
    return image


def corners(image):
    h, w = image.shape[:2]
    places = (
        (h // 4, w // 4),
        (h // 4, 3 * w // 4),
        (3 * h // 4, w // 4),
        (3 * h // 4, 3 * w // 4),
    )
    seen = [image[y, x].astype(int) for y, x in places]
    return tuple(int(np.argmin([np.abs(np.array(q) - s).sum() for q in QUADRANTS])) for s in seen)


def read(path, **options):
    with open_source(path, **options) as source:
        return source, list(source)


def refuse(path, *, match, **options):
    """Opening or reading fails with one line that fits `match`."""
    with pytest.raises(MediaError, match=match) as caught:
        read(path, **options)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)
    return str(caught.value)


def test_mp4_gives_every_frame(tiny_clip):
    source, frames = read(tiny_clip.video)
    assert source.info.size == (96, 128)
    assert source.info.frame_count == 8
    assert source.info.frame_rate == 24
    assert source.info.is_video
    assert [f.index for f in frames] == list(range(8))
    assert [f.name for f in frames] == [f"{i:05d}" for i in range(8)]
    assert [f.time for f in frames] == [Fraction(i, 24) for i in range(8)]
    for frame, truth in zip(frames, tiny_clip.frames, strict=True):
        assert np.abs(frame.image.astype(int) - truth).mean() < 4


def test_source_can_be_read_twice_and_left_half_way(tiny_clip):
    with open_source(tiny_clip.video) as source:
        first = next(iter(source))
        again = list(source)
    assert np.array_equal(first.image, again[0].image)
    assert len(again) == 8


def test_start_and_end_keep_the_index(tiny_clip):
    _, whole = read(tiny_clip.video)
    source, part = read(tiny_clip.video, start=3, end=6)
    assert source.info.frame_count == 3
    assert [(f.index, f.pts, f.name) for f in part] == [
        (f.index, f.pts, f.name) for f in whole[3:6]
    ]
    assert all(np.array_equal(a.image, b.image) for a, b in zip(part, whole[3:6], strict=True))
    source, part = read(tiny_clip.images, start=3, end=6)
    assert source.info.frame_count == 3
    assert [(f.index, f.name) for f in part] == [(3, "00003"), (4, "00004"), (5, "00005")]


def test_end_beyond_the_video_gives_what_there_is(tiny_clip):
    source, frames = read(tiny_clip.video, start=6, end=100)
    assert (len(frames), source.info.frame_count) == (2, 2)


@pytest.mark.parametrize(("start", "end"), [(-1, None), (3, 3), (5, 2), (None, 0)])
def test_contradicting_range(tiny_clip, start, end):
    with pytest.raises(InputError):
        open_source(tiny_clip.video, start=start, end=end)


def test_start_beyond_the_end(tiny_clip, tmp_path, make_clip):
    refuse(tiny_clip.video, match="8 frames.*no frame 8", start=8)
    refuse(tiny_clip.images, match="8 images.*no frame 9", start=9)
    webm = make_clip(tmp_path / "a.webm", [quadrants()] * 3, codec="libvpx-vp9")
    refuse(webm, match="ends before frame 7", start=7)


@pytest.mark.parametrize(
    ("rotation", "expected", "size"),
    [
        (0, (0, 1, 2, 3), (64, 96)),
        (90, (1, 3, 0, 2), (96, 64)),  # counter-clockwise
        (180, (3, 2, 1, 0), (64, 96)),
        (270, (2, 0, 3, 1), (96, 64)),
    ],
)
def test_rotation_is_applied(tmp_path, make_clip, rotation, expected, size):
    clip = make_clip(tmp_path / "turned.mp4", [quadrants()] * 2, rotation=rotation)
    source, frames = read(clip)
    assert source.info.size == size
    assert frames[0].size == size
    assert corners(frames[1].image) == expected


def test_mirrors_are_applied(tmp_path, make_clip):
    frames = [quadrants()] * 2
    path = tmp_path / "mirror.mp4"
    with av.open(path, "w") as container:
        stream = container.add_stream("libx264", rate=24)
        stream.height, stream.width, stream.pix_fmt = 64, 96, "yuv420p"
        stream.set_display_rotation(90, hflip=True)
        for image in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode(None))
    image = read(path)[1][0].image
    # the order of turning and mirroring is FFmpeg's: mirrored first, then turned
    mirrored = np.rot90(quadrants()[:, ::-1])
    turned = np.rot90(quadrants())[:, ::-1]
    assert corners(image) in (corners(mirrored), corners(turned))
    assert corners(image) not in {(1, 3, 0, 2), (2, 0, 3, 1)}


def test_sample_aspect_ratio_is_applied(tmp_path, make_clip):
    for rotation, size, seen in ((None, (64, 128), (0, 1, 2, 3)), (90, (128, 64), (1, 3, 0, 2))):
        path = tmp_path / f"{rotation}.mp4"
        clip = make_clip(path, [quadrants()] * 2, aspect=Fraction(4, 3), rotation=rotation)
        source, frames = read(clip)
        assert source.info.size == frames[0].size == size
        assert corners(frames[0].image) == seen


@pytest.mark.parametrize("size", [(65, 97), (64, 97)])
def test_odd_sizes(tmp_path, make_clip, size):
    clip = make_clip(tmp_path / "odd.webm", [quadrants(*size)] * 2, codec="libvpx-vp9")
    source, frames = read(clip)
    assert source.info.size == frames[0].size == size
    assert corners(frames[0].image) == (0, 1, 2, 3)


PTS = [0, 3000, 9000, 12000, 30000, 33000]


def test_variable_rate_keeps_time_stamps(tmp_path, make_clip):
    clip = make_clip(tmp_path / "vfr.mp4", [quadrants()] * 6, time_base=Fraction(1, 90000), pts=PTS)
    source, frames = read(clip)
    assert source.info.time_base == Fraction(1, 90000)
    assert [f.pts for f in frames] == PTS
    assert [f.duration for f in frames] == [3000, 6000, 3000, 18000, 3000, 3000]


def test_webm_does_not_say_its_frame_count(tmp_path, make_clip):
    clip = make_clip(tmp_path / "a.webm", [quadrants()] * 5, codec="libvpx-vp9")
    source, frames = read(clip)
    assert source.info.frame_count is None
    assert len(frames) == 5


def test_one_frame(tmp_path, make_clip):
    source, frames = read(make_clip(tmp_path / "one.mp4", [quadrants()]))
    assert (len(frames), source.info.frame_count) == (1, 1)


def test_b_frames_come_in_order_of_display(tmp_path, make_clip):
    ramp = [np.full((64, 64, 3), 20 + 10 * i, np.uint8) for i in range(16)]
    options = {"bf": "3", "x264-params": "b-adapt=0:scenecut=0"}
    _, frames = read(make_clip(tmp_path / "b.mp4", ramp, options=options))
    means = [f.image.mean() for f in frames]
    assert len(means) == 16
    assert means == sorted(means)
    assert [f.time for f in frames] == [Fraction(i, 24) for i in range(16)]


@pytest.mark.parametrize(
    ("matrix", "full_range", "pix_fmt"),
    [
        (1, False, "yuv420p"),
        (6, True, "yuv420p"),
        (9, False, "yuv420p10le"),
        (1, True, "yuv420p10le"),
        (6, False, "yuv420p10le"),
    ],
)
def test_colours_are_those_encoded(tmp_path, make_clip, matrix, full_range, pix_fmt):
    clip = make_clip(
        tmp_path / "colour.mp4",
        [quadrants()] * 2,
        pix_fmt=pix_fmt,
        matrix=matrix,
        full_range=full_range,
        options={"qp": "0" if pix_fmt == "yuv420p" else "1"},
    )
    image = read(clip)[1][0].image
    for (y, x), colour in zip(((16, 24), (16, 72), (48, 24), (48, 72)), QUADRANTS, strict=True):
        assert np.abs(image[y, x].astype(int) - colour).max() <= 4


@pytest.mark.parametrize(("height", "matrix"), [(480, 6), (720, 1)])
def test_untagged_matrix_is_guessed_by_height(tmp_path, make_clip, height, matrix):
    flat = np.empty((height, 64, 3), np.uint8)
    flat[:] = (200, 40, 30)
    tagged = make_clip(tmp_path / "tagged.mp4", [flat] * 2, matrix=matrix, options={"qp": "1"})
    path = tmp_path / "untagged.mp4"
    with av.open(path, "w") as container:
        stream = container.add_stream("libx264", rate=24, options={"qp": "1"})
        stream.height, stream.width, stream.pix_fmt = height, 64, "yuv420p"
        for _ in range(2):
            picture = av.VideoFrame.from_ndarray(flat, format="rgb24").reformat(
                format="yuv420p", dst_colorspace=5 if matrix == 6 else 1, dst_color_range=1
            )
            picture.colorspace = 2
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    with open_source(tagged) as a, open_source(path) as b:
        assert a.info.colour.matrix == b.info.colour.matrix == matrix
        left, right = next(iter(a)).image, next(iter(b)).image
    assert np.abs(left.astype(int) - right).max() <= 1


@pytest.mark.parametrize("transfer", [16, 18])
def test_hdr_is_warned_about_once(tmp_path, make_clip, caplog, transfer):
    clip = make_clip(
        tmp_path / "hdr.mp4", [quadrants()] * 3, pix_fmt="yuv420p10le", matrix=9, transfer=transfer
    )
    with caplog.at_level(logging.WARNING):
        source, frames = read(clip)
    assert [("HDR" in r.message) for r in caplog.records] == [True]
    assert source.info.colour == ColourTags(), "what is shown, and written, is SDR"
    assert all(frame.image.shape == (64, 96, 3) for frame in frames)


def test_sdr_warns_of_nothing(tiny_clip, caplog):
    with caplog.at_level(logging.WARNING):
        read(tiny_clip.video)
    assert not caplog.records


def test_interlaced_pictures_are_made_whole(tmp_path, make_clip):
    """A bar that moves between the two fields combs, unless they are taken apart."""
    images = [np.full((64, 96, 3), 40, np.uint8) for _ in range(6)]
    for index, image in enumerate(images):
        image[0::2, 12 * index : 12 * index + 12] = 220
        image[1::2, 12 * index + 6 : 12 * index + 18] = 220
    options = {"x264-params": "tff=1:qp=4"}
    clip = make_clip(tmp_path / "fields.mkv", images, options=options, rate=Fraction(25))
    _, frames = read(clip)
    assert [frame.time for frame in frames] == [Fraction(i, 25) for i in range(6)]
    for frame in frames[1:-1]:
        rows = frame.image[20:44, :, 1].astype(int)
        assert np.abs(np.diff(rows, axis=0)).mean() < 8


@pytest.mark.parametrize("codec", ["libx264", "libvpx-vp9"])
def test_bytes_that_matroska_skips_are_told(tmp_path, make_clip, codec):
    frames = [np.random.default_rng(i).integers(0, 256, (64, 96, 3), np.uint8) for i in range(12)]
    clip = make_clip(tmp_path / "a.mkv", frames, codec=codec)
    assert len(read(clip)[1]) == 12
    with av.open(clip) as container:
        packets = [(p.pos, p.size) for p in container.demux(video=0) if p.size]
    data = bytearray(clip.read_bytes())
    data[packets[6][0] : packets[6][0] + packets[6][1]] = bytes(packets[6][1])
    clip.write_bytes(data)
    seen = []
    with open_source(clip) as source, pytest.raises(MediaError, match=r"damaged at frame \d+: "):
        seen.extend(source)
    assert 1 <= len(seen) <= 6


def test_an_animated_png_is_a_video_and_an_animated_webp_is_refused(tmp_path):
    pictures = [Image.fromarray(np.roll(quadrants(), 8 * i, 1)) for i in range(3)]
    for ending in ("png", "webp"):
        path = tmp_path / f"a.{ending}"
        pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=100)
    source, frames = read(tmp_path / "a.png")
    assert isinstance(source, VideoSource)
    assert len(frames) == 3
    with pytest.raises(MediaError, match="several pictures"):
        open_source(tmp_path / "a.webp")


def test_gif(tmp_path):
    pictures = [Image.fromarray(np.roll(quadrants(), 8 * i, 1)) for i in range(4)]
    path = tmp_path / "a.gif"
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=100)
    source, frames = read(path)
    assert isinstance(source, VideoSource)
    assert len(frames) == 4
    assert [f.time for f in frames] == [Fraction(i, 10) for i in range(4)]


# what goes wrong


def test_missing(tmp_path):
    refuse(tmp_path / "none.mp4", match="no file or folder")


def test_not_a_video(tmp_path):
    for name, data in (("text.mp4", b"hello" * 99), ("empty.mp4", b"")):
        path = tmp_path / name
        path.write_bytes(data)
        refuse(path, match="no video that can be read")


def test_sound_only(sound_only):
    refuse(sound_only, match="only sound")


def test_sound_with_a_cover_picture_is_no_video(tmp_path, sound_only):
    path = tmp_path / "cover.m4a"
    with av.open(sound_only) as source, av.open(path, "w", format="mp4") as out:
        sound = out.add_stream_from_template(source.streams.audio[0])
        cover = out.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 64, 64, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        packets = cover.encode(av.VideoFrame.from_ndarray(quadrants(64, 64), format="rgb24"))
        out.mux(packets + cover.encode(None))
        for packet in source.demux(audio=0):
            if packet.dts is not None:
                packet.stream = sound
                out.mux(packet)
    refuse(path, match="only sound")


def packets_of(path):
    with av.open(path) as container:
        return [(p.pos, p.size) for p in container.demux(video=0) if p.size]


def noisy(count, size=(64, 96)):
    rng = np.random.default_rng(1)
    return [rng.integers(0, 256, (*size, 3), np.uint8) for _ in range(count)]


@pytest.mark.parametrize("offset", [0, 5, 40])
def test_damaged_packet_is_an_error_with_its_frame(tmp_path, make_clip, offset):
    clip = make_clip(tmp_path / "bad.mp4", noisy(12), options={"bf": "0"})
    position, size = packets_of(clip)[5]
    assert size > 60
    data = bytearray(clip.read_bytes())
    data[position + offset : position + offset + 12] = b"\xa5" * 12
    clip.write_bytes(data)
    message = refuse(clip, match="damaged at frame 5")
    assert "before 5" in message
    assert len(read(clip, end=5)[1]) == 5


def test_damaged_vp9_packet(tmp_path, make_clip):
    clip = make_clip(
        tmp_path / "bad.webm", noisy(8), codec="libvpx-vp9", options={"lag-in-frames": "0"}
    )
    position, _ = packets_of(clip)[4]
    data = bytearray(clip.read_bytes())
    data[position + 4 : position + 24] = b"\xa5" * 20
    clip.write_bytes(data)
    refuse(clip, match="damaged at frame 4")


@pytest.mark.parametrize("inside", [True, False])
def test_cut_off_file(tmp_path, make_clip, inside):
    clip = make_clip(
        tmp_path / "cut.mp4",
        noisy(10),
        options={"bf": "0"},
        container_options={"movflags": "+faststart"},
    )
    position, size = packets_of(clip)[6]
    clip.write_bytes(clip.read_bytes()[: position + (size // 2 if inside else 0)])
    refuse(clip, match="damaged at frame [56]")


def test_video_cut_before_its_index(tmp_path, make_clip):
    clip = make_clip(tmp_path / "head.mp4", noisy(10))
    clip.write_bytes(clip.read_bytes()[:2000])
    refuse(clip, match="no video that can be read")


# images


def test_folder_in_natural_order(tmp_path):
    for number in (10, 9, 1, 2):
        Image.new("RGB", (8, 6), (number, 0, 0)).save(tmp_path / f"shot{number}.png")
    (tmp_path / "notes.txt").write_text("not an image")
    (tmp_path / "._shot1.png").write_bytes(b"junk of another system")
    (tmp_path / "folder.png").mkdir()
    source, frames = read(tmp_path)
    assert [f.name for f in frames] == ["shot1", "shot2", "shot9", "shot10"]
    assert [f.image[0, 0, 0] for f in frames] == [1, 2, 9, 10]
    assert (source.info.size, source.info.frame_count, source.info.frame_rate) == ((6, 8), 4, 24)
    assert [f.time for f in frames] == [Fraction(i, 24) for i in range(4)]
    assert not source.info.is_video


def test_frame_rate_of_images(tiny_clip):
    _, frames = read(tiny_clip.images, frame_rate=Fraction(30000, 1001))
    assert frames[5].time == Fraction(5 * 1001, 30000)


def test_pattern_and_single_image(tiny_clip):
    _, frames = read(tiny_clip.images / "0000[2-4].png")
    assert [f.name for f in frames] == ["00002", "00003", "00004"]
    _, frames = read(tiny_clip.images / "00003.png")
    assert np.array_equal(frames[0].image, tiny_clip.frames[3])
    refuse(tiny_clip.images / "*.jpg", match="no image fits")


@pytest.mark.parametrize("ending", ["jpg", "webp", "bmp", "tif", "PNG"])
def test_image_formats(tmp_path, ending):
    Image.fromarray(quadrants()).save(tmp_path / f"a.{ending}")
    _, frames = read(tmp_path)
    assert corners(frames[0].image) == (0, 1, 2, 3)


@pytest.mark.parametrize(("orientation", "expected"), [(3, (3, 2, 1, 0)), (6, (2, 0, 3, 1))])
def test_exif_orientation_is_applied(tmp_path, orientation, expected):
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(quadrants()).save(tmp_path / "a.jpg", exif=exif, quality=95)
    source, frames = read(tmp_path)
    assert source.info.size == frames[0].size
    assert corners(frames[0].image) == expected


def test_images_of_other_modes(tmp_path):
    ramp = np.arange(256, dtype=np.uint16)[None].repeat(4, 0)
    Image.fromarray((ramp * 257).astype(np.uint16)).save(tmp_path / "deep.png")
    assert np.array_equal(read_image(tmp_path / "deep.png")[..., 1], ramp)
    Image.fromarray(quadrants()).convert("P").save(tmp_path / "indexed.png")
    assert corners(read_image(tmp_path / "indexed.png")) == (0, 1, 2, 3)
    Image.fromarray(quadrants()).convert("CMYK").save(tmp_path / "print.jpg", quality=95)
    assert read_image(tmp_path / "print.jpg").shape == (64, 96, 3)
    rgba = np.dstack((quadrants(), np.full((64, 96), 90, np.uint8)))
    Image.fromarray(rgba).save(tmp_path / "alpha.png")
    assert np.array_equal(read_image(tmp_path / "alpha.png"), quadrants())


def test_folder_errors(tmp_path):
    refuse(tmp_path, match="holds no images")
    Image.new("RGB", (8, 6)).save(tmp_path / "a.png")
    Image.new("RGB", (9, 6)).save(tmp_path / "b.png")
    message = refuse(tmp_path, match="one size")
    assert "b.png" in message
    assert "9x6" in message
    assert "8x6" in message


def test_two_files_of_one_stem(tmp_path):
    Image.new("RGB", (8, 6)).save(tmp_path / "a.png")
    Image.new("RGB", (8, 6)).save(tmp_path / "a.jpg")
    refuse(tmp_path, match="same result name")


def test_damaged_image_is_named(tmp_path):
    for name in ("a.png", "b.png"):
        Image.fromarray(noisy(1)[0]).save(tmp_path / name)
    data = (tmp_path / "b.png").read_bytes()
    (tmp_path / "b.png").write_bytes(data[: len(data) // 2])
    assert "b.png" in refuse(tmp_path, match="frame 1:")
    (tmp_path / "b.png").write_bytes(b"no image")
    assert "b.png" in refuse(tmp_path, match="no image that can be read")


def test_natural_key():
    names = ["b1", "a10", "a2", "A1", "a02", "10", "9"]
    assert sorted(names, key=natural_key) == ["9", "10", "A1", "a02", "a2", "a10", "b1"]


@pytest.mark.parametrize(
    "change",
    [
        {"image": np.zeros((4, 4), np.uint8)},
        {"image": np.zeros((4, 4, 3), np.float32)},
        {"image": np.zeros((0, 4, 3), np.uint8)},
        {"index": -1},
        {"time_base": None},
        {"time_base": Fraction(0)},
        {"duration": -2},
        {"name": "a/b"},
        {"name": ""},
    ],
)
def test_frame_checks_its_fields(change):
    fields = {
        "image": np.zeros((4, 5, 3), np.uint8),
        "index": 0,
        "pts": 7,
        "duration": 1,
        "time_base": Fraction(1, 24),
        "name": "00000",
    }
    assert Frame(**fields).time == Fraction(7, 24)
    with pytest.raises(ValueError, match=r"frame|time base"):
        Frame(**{**fields, **change})
