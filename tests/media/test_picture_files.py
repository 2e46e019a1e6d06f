"""Images, masks and videos that claim too much, or are not what their name says."""

import struct
import zlib
from fractions import Fraction

import numpy as np
import pytest
from PIL import Image

from ddeal_core.datasets.pictures import read_picture
from ddeal_core.errors import DatasetError, InputError, MaskError, MediaError
from ddeal_core.media import max_pixels, open_source, read_image, read_mask, set_max_pixels
from ddeal_core.media.masks.label_images import read_labels
from ddeal_core.media.picture_files import opened_picture
from ddeal_core.media.pixel_limit import DEFAULT_MAX_PIXELS, check_pixels


@pytest.fixture(autouse=True)
def _limit(monkeypatch):
    before = Image.MAX_IMAGE_PIXELS
    monkeypatch.delenv("DDEAL_MAX_PIXELS", raising=False)
    yield
    set_max_pixels(None)
    Image.MAX_IMAGE_PIXELS = before


def png_bomb(path, width, height):
    """A PNG of a few bytes that claims to be large."""

    def chunk(kind, data):
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(64))) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body)
    return path


def bmp_of(path, width, height):
    path.write_bytes(
        b"BM"
        + struct.pack("<IHHIIiiHHIIiiII", 54, 0, 0, 54, 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)
    )
    return path


@pytest.mark.parametrize("size", [(8193, 8192), (60000, 60000), (2**31 - 1, 1), (2**20, 2**20)])
def test_bombs_are_refused_by_their_claims(tmp_path, size):
    bomb = png_bomb(tmp_path / "bomb.png", *size)
    for read, error in (
        (read_image, MediaError),
        (read_mask, MaskError),
        (read_labels, MaskError),
        (read_picture, DatasetError),
        (open_source, MediaError),
    ):
        with pytest.raises(error, match=r"limit|at most") as caught:
            read(bomb)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("size", [(0, 8), (8, 0)])
def test_images_without_pixels(tmp_path, size):
    with pytest.raises(MediaError):
        read_image(bmp_of(tmp_path / "none.bmp", *size))
    with pytest.raises(MediaError, match="no pixels"):
        check_pixels(*size, named="it")


def test_the_limit_can_be_set(tmp_path, monkeypatch):
    path = tmp_path / "small.png"
    Image.fromarray(np.zeros((20, 30, 3), np.uint8)).save(path)
    assert max_pixels() == DEFAULT_MAX_PIXELS
    monkeypatch.setenv("DDEAL_MAX_PIXELS", "599")
    with pytest.raises(MediaError, match=r"30x20.*DDEAL_MAX_PIXELS"):
        read_image(path)
    set_max_pixels(600)  # over the environment's
    assert read_image(path).shape == (20, 30, 3)
    set_max_pixels(None)
    for odd in ("many", "-1", "0", "1e6", "9" * 40):
        monkeypatch.setenv("DDEAL_MAX_PIXELS", odd)
        with pytest.raises(InputError, match="DDEAL_MAX_PIXELS is a number of pixels"):
            read_image(path)
    for odd in (0, -5, 2**31):
        with pytest.raises(InputError, match="1 to"):
            set_max_pixels(odd)


def test_a_limit_above_pillows_own(tmp_path):
    Image.MAX_IMAGE_PIXELS = 100  # it refuses twice as many
    path = tmp_path / "small.png"
    Image.fromarray(np.zeros((20, 30, 3), np.uint8)).save(path)
    assert read_image(path).shape == (20, 30, 3)


def test_coded_videos_are_held_to_the_limit(tmp_path, make_clip, tiny_clip):
    set_max_pixels(96 * 128 - 1)
    with pytest.raises(MediaError, match=r"128x96.*more than the limit"):
        open_source(tiny_clip.video)
    set_max_pixels(96 * 128)
    assert open_source(tiny_clip.video).info.size == (96, 128)


def test_videos_are_held_to_the_limit_as_displayed(tmp_path, make_clip, tiny_clip):
    """What the container says of a pixel's shape decides how large a frame is shown."""
    wide = make_clip(tmp_path / "wide.mov", tiny_clip.frames[:2], aspect=Fraction(2, 1))
    set_max_pixels(96 * 256 - 1)
    with pytest.raises(MediaError, match="as displayed, is 256x96"):
        open_source(wide)


def test_a_video_that_grows_past_the_limit(tmp_path, make_clip, tiny_clip):
    """Two streams of H.264 one after the other, the second one larger."""
    large = [np.zeros((192, 256, 3), np.uint8)] * 3
    first = make_clip(tmp_path / "a.h264", tiny_clip.frames[:3], options={"bf": "0"})
    second = make_clip(tmp_path / "b.h264", large, options={"bf": "0"})
    both = tmp_path / "both.h264"
    both.write_bytes(first.read_bytes() + second.read_bytes())
    assert {frame.size for frame in open_source(both)} == {(96, 128)}
    set_max_pixels(96 * 128)
    with pytest.raises(MediaError, match=r"limit|frame"):
        list(open_source(both))


def test_postscript_is_no_image(tmp_path):
    """Pillow would hand it to Ghostscript."""
    script = tmp_path / "mask.png"
    script.write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n")
    with Image.open(script) as seen:
        assert seen.format == "EPS"  # Pillow would
    with pytest.raises(MediaError, match="no image"):
        read_image(script)
    with pytest.raises(MaskError, match="no image"):
        read_mask(script)


def test_whatever_fails_inside_is_one_error(tmp_path):
    path = tmp_path / "small.png"
    Image.fromarray(np.zeros((2, 2, 3), np.uint8)).save(path)
    for error in (struct.error("odd\ntext"), KeyError(3), MemoryError(), EOFError()):
        with pytest.raises(MediaError) as caught, opened_picture(path):
            raise error
        assert "\n" not in str(caught.value)
    with pytest.raises(MediaError, match="is a folder"), opened_picture(tmp_path):
        pass


def test_floating_images_with_holes(tmp_path):
    values = np.full((4, 5), 100, np.float32)
    values[0, :3] = np.nan, np.inf, -np.inf
    Image.fromarray(values).save(tmp_path / "f.tif")
    image = read_image(tmp_path / "f.tif")
    assert image.shape == (4, 5, 3)
    with pytest.raises(MaskError, match="outside"):
        read_mask(tmp_path / "f.tif")
