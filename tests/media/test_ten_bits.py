"""More than 8 bits: what goes in comes out, plane by plane."""

from __future__ import annotations

import struct
from fractions import Fraction

import av
import cv2
import numpy as np
import pytest
from PIL import Image

from ddeal_core.media import Cutout, open_source, open_writer
from ddeal_core.media.colour import planes_of

HEIGHT, WIDTH = 592, 480  # HD: untagged, it is BT.709
INSIDE = slice(0, WIDTH // 2)
LABELS = np.tile((np.arange(WIDTH) < WIDTH * 3 // 4).astype(np.uint8), (HEIGHT, 1))


def ramp(low: int, high: int) -> np.ndarray:
    """120 levels from left to right, in each half of the picture."""
    levels = np.linspace(low, high, 120).round().astype(np.uint16)
    half = levels[np.arange(WIDTH // 2) * 120 // (WIDTH // 2)]
    return np.tile(np.concatenate([half, half]), (HEIGHT, 1))


def deep_clip(path, codec, pix_fmt, planes, *, tags=None, full=False, options=None, rotation=None):
    """Code planes of 10 bits; `tags` are matrix, primaries and transfer."""
    with av.open(path, "w") as container:
        stream = container.add_stream(codec, rate=Fraction(24), options=options or {})
        stream.height, stream.width, stream.pix_fmt = *planes[0].shape, pix_fmt
        context = stream.codec_context
        if rotation:
            stream.set_display_rotation(rotation)
        if tags or full:
            context.color_range = 2 if full else 1
        if tags:
            context.colorspace, context.color_primaries, context.color_trc = tags
        for pts in range(1):
            picture = av.VideoFrame(stream.width, stream.height, pix_fmt)
            for plane, values in zip(picture.planes, planes, strict=True):
                rows = np.zeros((plane.height, plane.line_size // 2), "<u2")
                rows[:, : plane.width] = values[: plane.height, : plane.width]
                plane.update(rows.tobytes())
            if tags:
                picture.colorspace, picture.color_primaries, picture.color_trc = tags
            if full:
                picture.color_range = 2
            picture.pts = pts
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return path


def cut(path, out, labels=LABELS, **options):
    with open_source(path) as source, open_writer(out, source=source, **options) as writer:
        for frame in source:
            probabilities = np.stack([labels == 0, labels == 1]).astype(np.float32)
            writer.write(frame, Cutout.of(frame.image, labels, lambda p=probabilities: p, (1,)))
    return out


def first_picture(path):
    with av.open(path) as container:
        return next(container.decode(video=0))


def planes10(path):
    """The first picture's planes in full size and 10 bits, and its tags."""
    picture = first_picture(path)
    range_ = picture.color_range or 1
    whole = picture.reformat(format="yuv444p10le", src_color_range=range_, dst_color_range=range_)
    tags = int(picture.colorspace), int(picture.color_primaries), int(picture.color_trc)
    return [plane.astype(int) for plane in planes_of(whole)], tags, range_


PRORES = {"codec": "prores_ks", "pix_fmt": "yuv422p10le", "options": {"profile": "3"}}
H265 = {
    "codec": "libx265",
    "pix_fmt": "yuv420p10le",
    "options": {"x265-params": "log-level=none:bframes=0:lossless=1", "preset": "ultrafast"},
}


@pytest.mark.parametrize(
    ("ending", "how", "tags"),
    [
        ("mov", PRORES, None),
        ("mov", PRORES, (9, 9, 16)),
        ("mp4", H265, (1, 1, 1)),
        ("mkv", H265, (9, 9, 18)),
        ("mkv", {"codec": "ffv1", "pix_fmt": "yuv444p10le", "rotation": 180}, None),
    ],
)
def test_opaque_pixels_of_a_cut_out_are_the_sources(tmp_path, ending, how, tags):
    grey = np.full((HEIGHT, WIDTH), 512, np.uint16)
    planes = [ramp(40, 1000), grey + ramp(0, 119), grey - ramp(0, 119)]  # beyond black and white
    clip = deep_clip(tmp_path / f"in.{ending}", planes=planes, tags=tags, **how)
    out = cut(clip, tmp_path / "cut.mov")
    before, _, _ = planes10(clip)
    if "rotation" in how:
        before = [plane[::-1, ::-1] for plane in before]
    after, kept, range_ = planes10(out)
    for old, new in zip(before, after, strict=True):
        assert np.abs(new - old)[:, INSIDE].max() <= 2, "the error of ProRes"
        assert np.abs((new - old)[:, INSIDE].mean()) < 0.2
    assert len(np.unique(np.median(after[0], axis=0)[INSIDE])) >= 120
    assert (kept, range_) == (tags or (1, 1, 1), 1)
    alpha = planes_of(first_picture(out))[3]  # of 12 bits
    assert alpha[:, INSIDE].min() == 4095
    assert alpha[:, -WIDTH // 8 :].max() == 0


def test_full_range_is_kept_where_the_codec_has_it(tmp_path):
    grey = np.full((HEIGHT, WIDTH), 512, np.uint16)
    planes = [ramp(0, 1023), grey, grey]
    clip = deep_clip(tmp_path / "in.mkv", planes=planes, tags=(1, 1, 1), full=True, **H265)
    before, _, _ = planes10(clip)
    limited, _, range_ = planes10(cut(clip, tmp_path / "cut.mov"))
    assert range_ == 1, "ProRes has no full range"
    assert np.abs(limited[0] - (before[0] * 876 / 1023 + 64))[:, INSIDE].max() <= 3
    after, tags, range_ = planes10(cut(clip, tmp_path / "new.mp4", background="#204060"))
    assert (tags, range_) == ((1, 1, 1), 2)
    assert np.abs(after[0] - before[0])[:, INSIDE].mean() < 2
    assert len(np.unique(np.median(after[0], axis=0)[INSIDE])) > 110
    assert first_picture(tmp_path / "new.mp4").format.name == "yuv420p10le"


def test_eight_bits_stay_eight_bits(tmp_path, tiny_clip):
    for ending in ("mov", "mp4"):
        usual, asked = (
            cut(tiny_clip.video, tmp_path / f"{name}.{ending}", tiny_clip.masks[0], depth=depth)
            for name, depth in (("a", None), ("b", 8))
        )
        assert usual.read_bytes() == asked.read_bytes()
    assert first_picture(tmp_path / "a.mp4").format.name == "yuv420p"


def tiff(image, orientation):
    """An uncompressed TIFF of 16-bit RGB."""
    height, width, _ = image.shape
    end = 8 + image.nbytes
    tags = [
        (256, 4, 1, width),
        (257, 4, 1, height),
        (258, 3, 3, end),
        (259, 3, 1, 1),
        (262, 3, 1, 2),
        (273, 4, 1, 8),
        (274, 3, 1, orientation),
        (277, 3, 1, 3),
        (278, 4, 1, height),
        (279, 4, 1, image.nbytes),
    ]
    entries = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    head = struct.pack("<2sHI", b"II", 42, end + 6) + image.astype("<u2").tobytes()
    return head + struct.pack("<3HH", 16, 16, 16, len(tags)) + entries + bytes(4)


@pytest.mark.parametrize(
    ("ending", "orientation"), [("png", 1), ("tiff", 1), ("tiff", 3), ("tiff", 6)]
)
def test_pictures_of_16_bits_come_back_to_the_bit(tmp_path, ending, orientation):
    y, x, c = np.ogrid[:40, :56, :3]
    image = (2000 + 701 * y + 403 * x + 5003 * c).astype(np.uint16)
    (tmp_path / "in").mkdir()
    file = tmp_path / "in" / f"0.{ending}"
    if ending == "png":
        cv2.imwrite(str(file), image[..., ::-1])
    else:
        file.write_bytes(tiff(image, orientation))
    image = np.rot90(image, {1: 0, 3: 2, 6: -1}[orientation])
    labels = np.zeros(image.shape[:2], np.uint8)
    labels[:, :30] = 1
    out = cut(tmp_path / "in", tmp_path / "out", labels, kind="rgba", hard=True)
    found = cv2.imread(str(out / "0.png"), cv2.IMREAD_UNCHANGED)
    assert found.dtype == np.uint16
    assert np.array_equal(found[:, :30, 2::-1], image[:, :30])
    assert np.array_equal(found[..., 3], labels * np.uint16(65535))
    planes, _, _ = planes10(cut(tmp_path / "in", tmp_path / "cut.mov", labels, hard=True))
    red, green, blue = (image[..., i].astype(float) / 65535 for i in range(3))
    luma = 64 + 876 * (0.2126 * red + 0.7152 * green + 0.0722 * blue)
    assert np.abs(planes[0] - luma)[:, :30].max() <= 2


def test_mattes_of_16_bits_and_half_floats(tmp_path, tiny_clip):
    ramped = np.tile(np.linspace(0, 1, 128, dtype=np.float32), (96, 1))
    labels = (ramped > 0.5).astype(np.uint8)
    with open_source(tiny_clip.video) as source:
        frame = next(iter(source))
        cutout = Cutout.of(
            frame.image, labels, lambda: np.stack([1 - ramped, ramped]), object_ids=(1,)
        )
        for name, kind, depth in (
            ("png", "mattes", 16),
            ("exr", "exr", None),
            ("8", "mattes", None),
        ):
            with open_writer(tmp_path / name, source=source, kind=kind, depth=depth) as writer:
                writer.write(frame, cutout)
    deep, eight = (np.asarray(Image.open(tmp_path / name / "1/00000.png")) for name in ("png", "8"))
    assert len(np.unique(deep)) > 1000
    assert np.abs(deep / 257.0 - eight).max() <= 0.51
    exr = first_picture(tmp_path / "exr/1/00000.exr")
    assert exr.format.name == "grayf16le"
    half = np.frombuffer(exr.planes[0], "<f2").reshape(96, -1)[:, :128]
    assert np.abs(half - deep / 65535).max() < 5e-4
