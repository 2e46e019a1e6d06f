from __future__ import annotations

import logging
import resource
from fractions import Fraction

import av
import cv2
import numpy as np
import pytest
from PIL import Image

import ddeal_core.media
from ddeal_core.errors import OutputError
from ddeal_core.media import Cutout, davis_palette, open_source, open_writer, read_mask


def scene(count, height=120, width=160):
    """Smooth frames, label maps of two objects, soft alpha of every level."""
    rng = np.random.default_rng(5)
    seed = rng.integers(20, 235, (8, 10, 3), np.uint8)
    picture = cv2.resize(seed, (width, height), interpolation=cv2.INTER_CUBIC)
    frames, labels, alphas = [], [], []
    y, x = np.mgrid[:height, :width]
    for i in range(count):
        frames.append(np.roll(picture, 2 * i, axis=1))
        distance = np.hypot(x - width / 2 - i, y - height / 2)
        alpha = np.rint(np.clip((height / 3 - distance) / 12 + 0.5, 0, 1) * 255).astype(np.uint8)
        label = (alpha >= 128).astype(np.uint8)
        label[(label == 1) & (x > width // 2)] = 38
        labels.append(label)
        alphas.append(alpha)
    return frames, labels, alphas


def segment(source_path, out, labels, alphas, *, writer_options=None, **source_options):
    """Read, write, and give the finished path."""
    with (
        open_source(source_path, **source_options) as source,
        open_writer(out, source=source, **(writer_options or {})) as writer,
    ):
        for frame, label, alpha in zip(source, labels, alphas, strict=True):
            writer.write(frame, Cutout(frame.image, label, alpha))
    return out


def lossless_clip(make_clip, path, frames, **options):
    return make_clip(path, frames, **{"options": {"qp": "0"}, "matrix": 1, **options})


def decode_with_alpha(path):
    """Give RGBA frames and time stamps, alpha planes included (VP9: by libvpx)."""
    out, times = [], []
    with av.open(path) as container:
        stream = container.streams.video[0]
        vp9 = stream.codec_context.name == "vp9" or "vp9" in stream.codec.name
        decoder = av.CodecContext.create("libvpx-vp9", "r") if vp9 else stream.codec_context
        for packet in container.demux(stream):
            for picture in decoder.decode(packet if packet.size else None):
                assert picture.format.name.startswith("yuva")
                out.append(picture.reformat(format="rgba").to_ndarray())
                times.append(picture.pts * stream.time_base)
    return out, times


def times_of(path):
    with open_source(path) as source:
        return [frame.time for frame in source]


def test_folder_of_masks_from_a_video(tiny_clip, tmp_path):
    out = segment(tiny_clip.video, tmp_path / "masks", tiny_clip.masks, tiny_clip.masks)
    names = sorted(file.name for file in out.iterdir())
    assert names == [f"{i:05d}.png" for i in range(8)]
    for name, labels in zip(names, tiny_clip.masks, strict=True):
        mask = read_mask(out / name, size=(96, 128))
        assert np.array_equal(mask.labels, labels)
        with Image.open(out / name) as image:
            assert image.getpalette() == davis_palette().ravel().tolist()


def test_masks_of_a_folder_have_its_stems(tmp_path):
    frames, labels, alphas = scene(3, 20, 30)
    (tmp_path / "in").mkdir()
    for name, image in zip(("b2", "b10", "a"), frames, strict=True):
        Image.fromarray(image).save(tmp_path / "in" / f"{name}.jpg")
    out = segment(tmp_path / "in", tmp_path / "deep" / "masks", labels, alphas)
    assert sorted(file.name for file in out.iterdir()) == ["a.png", "b10.png", "b2.png"]
    assert np.array_equal(read_mask(out / "b10.png").labels, labels[2])


@pytest.mark.parametrize(("ending", "size"), [("mov", (121, 161)), ("webm", (121, 160))])
def test_alpha_round_trip(tmp_path, make_clip, ending, size):
    frames, labels, alphas = scene(5, *size)
    clip = lossless_clip(make_clip, tmp_path / "in.mkv", frames, pix_fmt="yuv444p")
    out = segment(clip, tmp_path / f"out.{ending}", labels, alphas)
    decoded, times = decode_with_alpha(out)
    assert len(decoded) == 5
    for rgba, image, alpha in zip(decoded, frames, alphas, strict=True):
        assert rgba.shape == (*size, 4)
        error = np.abs(rgba[..., 3].astype(int) - alpha).max()
        assert error <= (0 if ending == "webm" else 1)
        inside = alpha == 255
        assert np.abs(rgba[..., :3].astype(int) - image)[inside].mean() < 5
        far = cv2.dilate(alpha, np.ones((65, 65), np.uint8)) == 0
        assert rgba[far][:, :3].mean() < 2
    assert times == times_of(clip)
    if ending == "webm":
        with av.open(out) as container:
            tags = container.streams.video[0].metadata
            assert {key.lower(): value for key, value in tags.items()}["alpha_mode"] == "1"


def test_alpha_survives_noise_and_hard_edges(tmp_path, make_clip):
    rng = np.random.default_rng(1)
    frames = [rng.integers(0, 256, (96, 96, 3), np.uint8) for _ in range(3)]
    alphas = [rng.choice(np.array([0, 255, 100], np.uint8), (96, 96)) for _ in range(3)]
    labels = [(a > 0).astype(np.uint8) for a in alphas]
    clip = lossless_clip(make_clip, tmp_path / "in.mp4", frames)
    for ending, bound in (("webm", 0), ("mov", 1)):
        decoded, _ = decode_with_alpha(segment(clip, tmp_path / f"o.{ending}", labels, alphas))
        for rgba, alpha in zip(decoded, alphas, strict=True):
            assert np.abs(rgba[..., 3].astype(int) - alpha).max() <= bound


@pytest.mark.parametrize("name", ["o.mov", "o.webm", "o.mp4", "o.mkv"])
def test_same_frames_same_bytes(tmp_path, tiny_clip, name):
    labels = tiny_clip.masks
    alphas = [mask * np.uint8(255) for mask in labels]
    first = segment(tiny_clip.video, tmp_path / "a" / name, labels, alphas)
    second = segment(tiny_clip.video, tmp_path / "b" / name, labels, alphas)
    assert first.read_bytes() == second.read_bytes()


PTS = [0, 3000, 9000, 12000, 30000, 33000, 39000, 41000]


@pytest.mark.parametrize(
    ("ending", "offset"), [("mov", 9000), ("webm", 0), ("mp4", 0), ("mkv", 9000)]
)
def test_variable_rate_survives(tmp_path, make_clip, ending, offset):
    frames, labels, alphas = scene(8, 64, 96)
    pts = [value + offset for value in PTS]
    clip = make_clip(tmp_path / "in.mp4", frames, time_base=Fraction(1, 90000), pts=pts)
    out = segment(clip, tmp_path / f"out.{ending}", labels, alphas)
    expected = [Fraction(value, 90000) for value in pts]
    assert times_of(clip) == expected
    got = times_of(out)
    if ending in ("webm", "mkv"):  # their clock ticks in milliseconds
        assert max(abs(a - b) for a, b in zip(got, expected, strict=True)) <= Fraction(1, 2000)
    else:
        assert got == expected


def test_last_frame_keeps_its_duration(tmp_path, make_clip):
    frames, labels, alphas = scene(3, 64, 96)
    clip = make_clip(
        tmp_path / "in.mp4",
        frames,
        time_base=Fraction(1, 1000),
        pts=[0, 100, 700],
        options={"bf": "0"},
    )
    out = segment(clip, tmp_path / "out.mp4", labels, alphas)
    with av.open(out) as container:
        stream = container.streams.video[0]
        assert stream.duration * stream.time_base == Fraction(1300, 1000)


def test_ntsc_rate(tmp_path, make_clip):
    frames, labels, alphas = scene(6, 64, 96)
    clip = make_clip(tmp_path / "in.mp4", frames, rate=Fraction(30000, 1001))
    out = segment(clip, tmp_path / "out.mov", labels, alphas)
    assert times_of(out) == [Fraction(1001 * i, 30000) for i in range(6)]


def test_cut_at_the_beginning_starts_at_zero(tmp_path, tiny_clip):
    out = segment(
        tiny_clip.video, tmp_path / "o.mp4", tiny_clip.masks[3:], tiny_clip.masks[3:], start=3
    )
    assert times_of(out) == [Fraction(i, 24) for i in range(5)]


def test_video_of_images(tmp_path, tiny_clip):
    masks = tiny_clip.masks
    out = segment(tiny_clip.images, tmp_path / "a.mp4", masks, masks)
    assert times_of(out) == [Fraction(i, 24) for i in range(8)]
    rate = Fraction(10)
    out = segment(tiny_clip.images, tmp_path / "b.mov", masks, masks, frame_rate=rate)
    assert times_of(out) == [Fraction(i, 10) for i in range(8)]


@pytest.mark.parametrize(
    ("ending", "size"), [("mp4", (64, 96)), ("mkv", (65, 97)), ("mp4", (64, 97)), ("mp4", (65, 96))]
)
def test_overlay_of_any_size(tmp_path, make_clip, ending, size):
    frames, labels, alphas = scene(3, *size)
    clip = lossless_clip(make_clip, tmp_path / "in.mkv", frames, pix_fmt="yuv444p")
    out = segment(clip, tmp_path / f"o.{ending}", labels, alphas)
    with open_source(out) as source:
        assert source.info.size == size
        for frame, image, label in zip(source, frames, labels, strict=True):
            expected = ddeal_core.media.overlay(image, label)
            assert np.abs(frame.image.astype(int) - expected).mean() < 7
    with av.open(out) as container:
        even = size == (64, 96)
        assert container.streams.video[0].pix_fmt == ("yuv420p" if even else "yuv444p")


@pytest.mark.parametrize("ending", ["mp4", "webm"])
def test_green_screen(tmp_path, make_clip, ending):
    frames, labels, alphas = scene(3)
    clip = lossless_clip(make_clip, tmp_path / "in.mp4", frames)
    options = {"kind": "background", "background": (0, 177, 64)}
    out = segment(clip, tmp_path / f"o.{ending}", labels, alphas, writer_options=options)
    with open_source(out) as source:
        for frame, image, alpha in zip(source, frames, alphas, strict=True):
            outside = cv2.dilate(alpha, np.ones((9, 9), np.uint8)) == 0
            inside = cv2.erode(alpha, np.ones((9, 9), np.uint8)) == 255
            assert np.abs(frame.image[outside].astype(int) - (0, 177, 64)).mean() < 4
            assert np.abs(frame.image[inside].astype(int) - image[inside]).mean() < 5


@pytest.mark.parametrize(("ending", "matrix"), [("mov", 1), ("webm", 6), ("mp4", 1), ("mp4", 6)])
def test_colours_do_not_shift(tmp_path, make_clip, matrix, ending):
    flat = np.empty((64, 96, 3), np.uint8)
    flat[:, :48], flat[:, 48:] = (200, 40, 30), (40, 160, 70)
    clip = lossless_clip(make_clip, tmp_path / "in.mp4", [flat] * 3, matrix=matrix)
    everything = [np.full((64, 96), 255, np.uint8)] * 3
    nothing = [np.zeros((64, 96), np.uint8)] * 3
    out = segment(clip, tmp_path / f"o.{ending}", nothing, everything)
    with open_source(clip) as before, open_source(out) as after:
        assert after.info.colour == before.info.colour
        assert after.info.colour.matrix in ({1} if matrix == 1 else {5, 6})
        for a, b in zip(before, after, strict=True):
            assert np.abs(a.image.astype(int) - b.image).mean() < 2.5
    with av.open(out) as container:
        picture = next(container.decode(video=0))
        assert picture.color_range == 1


def test_rotated_input_gives_upright_output(tmp_path, make_clip):
    frames, _, _ = scene(3, 64, 96)
    clip = make_clip(tmp_path / "in.mp4", frames, rotation=90)
    _, labels, alphas = scene(3, 96, 64)
    out = segment(clip, tmp_path / "o.mp4", labels, alphas, writer_options={"opacity": 0.0})
    with open_source(clip) as before, open_source(out) as after:
        assert before.info.size == after.info.size == (96, 64)
        a, b = next(iter(before)), next(iter(after))
    outside = cv2.dilate(labels[0], np.ones((9, 9), np.uint8)) == 0
    assert np.abs(a.image.astype(int) - b.image)[outside].mean() < 6


# what goes wrong


@pytest.mark.parametrize("name", ["o.mp4", "o.webm"])
def test_failure_leaves_no_video(tmp_path, tiny_clip, name):
    out = tmp_path / "out"
    with (  # noqa: PT012 - the body of `with` is what is tested
        open_source(tiny_clip.video) as source,
        pytest.raises(KeyError),
        open_writer(out / name, source=source) as writer,
    ):
        for frame, mask in zip(source, tiny_clip.masks, strict=True):
            writer.write(frame, Cutout(frame.image, mask, mask))
            if frame.index == 4:
                assert not (out / name).exists()
                raise KeyError
    assert not list(out.iterdir())


def test_failure_keeps_an_older_video(tmp_path, tiny_clip):
    out = tmp_path / "o.mp4"
    segment(tiny_clip.video, out, tiny_clip.masks, tiny_clip.masks)
    before = out.read_bytes()
    with (  # noqa: PT012 - the body of `with` is what is tested
        open_source(tiny_clip.video) as source,
        pytest.raises(KeyError),
        open_writer(out, source=source) as writer,
    ):
        frame = next(iter(source))
        writer.write(frame, Cutout(frame.image, tiny_clip.masks[0]))
        raise KeyError
    assert out.read_bytes() == before
    assert list(tmp_path.iterdir()) == [out]


def test_failure_keeps_whole_masks(tmp_path, tiny_clip):
    with (  # noqa: PT012 - the body of `with` is what is tested
        open_source(tiny_clip.video) as source,
        pytest.raises(KeyError),
        open_writer(tmp_path / "masks", source=source) as writer,
    ):
        for frame, mask in zip(source, tiny_clip.masks, strict=True):
            if frame.index == 3:
                raise KeyError
            writer.write(frame, Cutout(frame.image, mask, mask))
    names = sorted(file.name for file in (tmp_path / "masks").iterdir())
    assert names == ["00000.png", "00001.png", "00002.png"]


@pytest.mark.parametrize("name", ["masks", "o.mp4"])
def test_no_frames_is_an_error(tmp_path, tiny_clip, name):
    with (
        open_source(tiny_clip.video) as source,
        pytest.raises(OutputError, match="no frame came"),
        open_writer(tmp_path / name, source=source),
    ):
        pass
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["o.mov", "o.webm", "o.json", "masks"])
def test_no_room_is_one_line(tmp_path, make_clip, name):
    rng = np.random.default_rng(2)
    frames = [rng.integers(0, 256, (96, 128, 3), np.uint8) for _ in range(12)]
    clip = make_clip(tmp_path / "in.mp4", frames, options={"preset": "ultrafast"})
    labels = [rng.integers(0, 255, (96, 128), np.uint8) for _ in range(12)]
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8000, limits[1]))
    try:
        with pytest.raises(OutputError, match="cannot write") as caught:
            segment(clip, tmp_path / name, labels, labels)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert "\n" not in str(caught.value)
    left = {file.name for file in tmp_path.rglob("*") if file.is_file()}
    assert left == {"in.mp4"}


def test_a_full_disk_is_named(tmp_path):
    error = OSError(28, "No space left on device")
    from ddeal_core.whole_files import output_error

    assert "disk is full" in str(output_error(tmp_path / "o.mov", error))


@pytest.mark.parametrize(
    ("name", "kind", "match"),
    [
        ("o.avi", None, "no writer for the ending"),
        ("o.png", None, "no writer for the ending"),
        ("o.mp4", "alpha", "no alpha"),
        ("o.mkv", "alpha", "no alpha"),
        ("folder", "overlay", "a folder, which cannot hold"),
        ("folder", "alpha", "a folder, which cannot hold"),
    ],
)
def test_wrong_combinations(tmp_path, tiny_clip, name, kind, match):
    with open_source(tiny_clip.video) as source, pytest.raises(OutputError, match=match):
        open_writer(tmp_path / name, source=source, kind=kind)
    assert not list(tmp_path.iterdir())


def test_the_input_is_not_overwritten(tmp_path, tiny_clip):
    with open_source(tiny_clip.video) as source, pytest.raises(OutputError, match="own place"):
        open_writer(tiny_clip.video, source=source)
    for path in (tiny_clip.images, tiny_clip.images / "*.png"):
        with open_source(path) as source, pytest.raises(OutputError, match="own place"):
            open_writer(tiny_clip.images, source=source)


def test_a_file_in_the_place_of_a_folder(tmp_path, tiny_clip):
    (tmp_path / "masks").write_text("")
    with open_source(tiny_clip.video) as source, pytest.raises(OutputError, match="is a file"):
        open_writer(tmp_path / "masks", source=source)


def test_old_masks_are_warned_about(tmp_path, tiny_clip, caplog):
    masks = tmp_path / "masks"
    masks.mkdir()
    (masks / "00099.png").write_bytes(b"")
    with caplog.at_level(logging.WARNING):
        segment(tiny_clip.video, masks, tiny_clip.masks, tiny_clip.masks)
    assert "00099.png" in caplog.text


@pytest.mark.parametrize("name", ["o.mp4", "masks", "o.json"])
def test_a_cutout_of_another_size_is_refused(tmp_path, tiny_clip, name):
    small = Cutout(tiny_clip.frames[0][:-1], tiny_clip.masks[0][:-1])
    with (
        open_source(tiny_clip.video) as source,
        pytest.raises(ValueError, match="frame 0 is"),
        open_writer(tmp_path / name, source=source) as writer,
    ):
        writer.write(next(iter(source)), small)
    assert not list(tmp_path.iterdir())
