from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from ddeal_core.errors import MaskError, OutputError
from ddeal_core.media import Mask, davis_palette, read_mask, write_mask


def two_objects(first=1, second=38):
    """Two areas that touch, on background."""
    labels = np.zeros((40, 50), np.uint8)
    labels[5:20, 5:30] = first
    labels[20:35, 10:40] = second
    return labels


def disc(size=64):
    """An anti-aliased disc, 0 to 255, and where it is at least half there."""
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    soft = np.clip((size / 3 - np.hypot(x, y)) * 0.7 + 0.5, 0, 1)
    grey = np.rint(soft * 255).astype(np.uint8)
    return grey, (grey >= 128).astype(np.uint8)


def save(array, path, **options):
    Image.fromarray(array).save(path, **options)
    return path


def test_palette_is_that_of_davis_and_voc():
    palette = davis_palette()
    assert palette.shape == (256, 3)
    assert palette.dtype == np.uint8
    known = {
        0: (0, 0, 0),
        1: (128, 0, 0),
        2: (0, 128, 0),
        3: (128, 128, 0),
        4: (0, 0, 128),
        8: (64, 0, 0),
        38: tuple(_bits(38)),
        255: (224, 224, 192),
    }
    for index, colour in known.items():
        assert tuple(palette[index]) == colour
    assert len(np.unique(palette, axis=0)) == 256


def _bits(index):
    """The rule once more, one id at a time."""
    colour = [0, 0, 0]
    for level in range(8):
        for channel in range(3):
            colour[channel] |= ((index >> channel) & 1) << (7 - level)
        index >>= 3
    return colour


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    labels=hnp.arrays(
        np.uint8,
        hnp.array_shapes(min_dims=2, max_dims=2, max_side=24),
        elements=st.integers(0, 254),
    )
)
def test_round_trip(tmp_path, labels):
    path = tmp_path / "mask.png"
    write_mask(path, labels)
    if not labels.any():
        with pytest.raises(MaskError, match="no object"):
            read_mask(path)
        return
    mask = read_mask(path, size=labels.shape)
    assert np.array_equal(mask.labels, labels)
    assert mask.object_ids == tuple(int(v) for v in np.unique(labels) if v)


def test_written_file_is_what_naive_readers_expect(tmp_path):
    write_mask(tmp_path / "a.png", two_objects())
    write_mask(tmp_path / "b.png", two_objects())
    data = (tmp_path / "a.png").read_bytes()
    assert data == (tmp_path / "b.png").read_bytes()
    assert data[24:26] == bytes([8, 3])  # IHDR: 8 bits, indexed
    with Image.open(tmp_path / "a.png") as image:
        assert image.mode == "P"
        assert image.getpalette() == davis_palette().ravel().tolist()
        assert np.array_equal(np.asarray(image), two_objects())
    assert {file.name for file in tmp_path.iterdir()} == {"a.png", "b.png"}


@pytest.mark.parametrize(
    "labels",
    [
        np.zeros((4, 4, 3), np.uint8),
        np.zeros((4, 4), np.int64),
        np.full((4, 4), 255, np.uint8),
        np.zeros((0, 4), np.uint8),
    ],
)
def test_no_label_map_is_refused(tmp_path, labels):
    with pytest.raises(MaskError):
        write_mask(tmp_path / "a.png", labels)
    assert not list(tmp_path.iterdir())


def test_writing_where_it_cannot_be(tmp_path):
    with pytest.raises(OutputError, match="cannot write"):
        write_mask(tmp_path / "none" / "a.png", two_objects())


def encodings(tmp_path):
    """The same two objects in every kind of file that can say so."""
    labels = two_objects()
    colours = davis_palette()[labels]
    write_mask(tmp_path / "palette.png", labels)
    save(labels, tmp_path / "grey.png")
    save(colours, tmp_path / "rgb.png")
    save(np.dstack((colours, np.full(labels.shape, 255, np.uint8))), tmp_path / "rgba.png")
    save(labels.astype(np.uint16), tmp_path / "deep.png")
    save(np.repeat(labels[..., None], 3, axis=2), tmp_path / "grey_rgb.png")
    save(labels, tmp_path / "grey.tif")
    save(labels, tmp_path / "grey.bmp")
    image = Image.fromarray(labels)
    image.putpalette(davis_palette()[:39].tobytes())
    image.save(tmp_path / "short_palette.png")
    save(colours, tmp_path / "lossless.webp", lossless=True, exact=True)
    return sorted(tmp_path.iterdir())


def test_every_encoding_gives_the_same_ids(tmp_path):
    files = encodings(tmp_path)
    assert len(files) == 10
    for file in files:
        mask = read_mask(file, size=(40, 50))
        assert mask.object_ids == (1, 38), file.name
        assert np.array_equal(mask.labels, two_objects()), file.name
        assert mask.understood.startswith("2 objects: ids 1, 38 ("), file.name


def binary(tmp_path):
    """One object in every kind of black and white."""
    grey, inside = disc()
    hard = inside * np.uint8(255)
    save(hard, tmp_path / "0_255.png")
    save(inside, tmp_path / "0_1.png")
    Image.fromarray(hard).convert("1").save(tmp_path / "bool.png")
    save(grey, tmp_path / "soft.png")
    save(grey, tmp_path / "soft.jpg", quality=90)
    save(np.repeat(hard[..., None], 3, axis=2), tmp_path / "rgb.png")
    save(np.repeat(grey[..., None], 3, axis=2), tmp_path / "rgb.jpg", quality=95)
    save(hard, tmp_path / "grey.webp", quality=95)
    save((grey.astype(np.uint16) * 257), tmp_path / "soft16.png")
    save((inside.astype(np.uint16) * 65535), tmp_path / "hard16.png")
    save(grey.astype(np.float32) / 255, tmp_path / "float.tif")
    photo = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    save(np.dstack((photo, grey)), tmp_path / "cutout.png")
    save(np.dstack((photo[..., 0], grey)), tmp_path / "la.png")
    write_mask(tmp_path / "palette.png", inside)
    image = Image.fromarray(hard)
    image.putpalette(bytes(v for i in range(256) for v in (i, i, i)))
    image.save(tmp_path / "grey_palette.png")
    return sorted(tmp_path.iterdir())


def test_one_object_however_it_is_painted(tmp_path):
    _, inside = disc()
    files = binary(tmp_path)
    assert len(files) == 15
    for file in files:
        mask = read_mask(file)
        assert mask.object_ids == (1,), file.name
        assert mask.understood.startswith("1 object: id 1 ("), file.name
        # lossy files may move an edge pixel
        wrong = np.count_nonzero(mask.labels != inside)
        assert wrong <= (12 if file.suffix in (".jpg", ".webp") else 0), file.name


def test_one_grey_value_is_its_id(tmp_path):
    path = save(two_objects(first=38), tmp_path / "a.png")
    assert read_mask(path).object_ids == (38,)


def test_all_254_ids(tmp_path):
    labels = np.kron(
        np.arange(256, dtype=np.uint8).reshape(16, 16) % 255, np.ones((4, 4), np.uint8)
    )
    write_mask(tmp_path / "palette.png", labels)
    save(labels, tmp_path / "grey.png")
    save(davis_palette()[labels], tmp_path / "rgb.png")
    for file in tmp_path.iterdir():
        mask = read_mask(file)
        assert mask.object_ids == tuple(range(1, 255))
        assert np.array_equal(mask.labels, labels)


@pytest.mark.parametrize("ids", [(1, 38), (3, 7), (200, 254)])
def test_a_gif_keeps_ids_though_its_writer_numbers_colours_anew(tmp_path, ids):
    labels = two_objects(*ids)
    write_mask(tmp_path / "mask.png", labels)
    with Image.open(tmp_path / "mask.png") as image:
        image.save(tmp_path / "mask.gif")
    mask = read_mask(tmp_path / "mask.gif")
    assert mask.object_ids == ids
    np.testing.assert_array_equal(mask.labels, labels)


def test_ignore_in_a_palette_becomes_background(tmp_path):
    labels = two_objects()
    expected = labels.copy()
    labels[18:22] = 255
    expected[18:22] = 0
    image = Image.fromarray(labels)
    image.putpalette(davis_palette().tobytes())
    image.save(tmp_path / "palette.png")
    save(davis_palette()[labels], tmp_path / "rgb.png")
    for file in tmp_path.iterdir():
        mask = read_mask(file)
        assert np.array_equal(mask.labels, expected)
        assert "255" in mask.understood


def test_a_thin_line_of_255_in_grey_ids_is_dropped(tmp_path):
    labels = two_objects(1, 2)
    labels[19:21] = 255
    mask = read_mask(save(labels, tmp_path / "a.png"))
    assert mask.object_ids == (1, 2)
    assert "255" in mask.understood


def test_areas_of_255_beside_other_ids_are_ambiguous(tmp_path):
    with pytest.raises(MaskError, match="127 and 255 all fill areas"):
        read_mask(save(two_objects(127, 255), tmp_path / "a.png"))


def test_other_colours_are_numbered_in_reading_order(tmp_path):
    table = np.array([(0, 0, 0), (0, 0, 255), (255, 0, 0)], np.uint8)
    labels = two_objects(1, 2)
    mask = read_mask(save(table[labels], tmp_path / "a.png"))
    assert np.array_equal(mask.labels, labels)
    assert "1 = #0000ff, 2 = #ff0000" in mask.understood


def test_background_of_another_colour_is_named(tmp_path):
    table = np.array([(255, 255, 255), (0, 0, 255), (255, 0, 0)], np.uint8)
    labels = two_objects(1, 2)
    mask = read_mask(save(table[labels], tmp_path / "a.png"))
    assert np.array_equal(mask.labels, labels)
    assert "background #ffffff" in mask.understood


def test_soft_edges_between_colours_go_to_the_nearest(tmp_path):
    table = np.array([(0, 0, 0), (0, 0, 255), (255, 0, 0)], np.uint8)
    labels = np.kron(two_objects(1, 2), np.ones((4, 4), np.uint8))
    picture = Image.fromarray(table[labels])
    small = picture.resize((60, 49), Image.Resampling.LANCZOS)
    small.save(tmp_path / "a.png")
    mask = read_mask(tmp_path / "a.png")
    assert mask.object_ids == (1, 2)
    assert "nearest" in mask.understood


def test_a_photograph_is_no_mask(tmp_path):
    rng = np.random.default_rng(0)
    photo = rng.integers(0, 256, (40, 50, 3), np.uint8)
    with pytest.raises(MaskError, match="picture, not a mask"):
        read_mask(save(photo, tmp_path / "a.png"))
    with pytest.raises(MaskError, match="lossy"):
        read_mask(save(photo, tmp_path / "a.jpg"))


def test_another_size_is_enlarged_by_nearest_pixels(tmp_path, caplog):
    labels = two_objects()
    path = save(labels, tmp_path / "a.png")
    mask = read_mask(path, size=(labels.shape[0] * 3, labels.shape[1] * 3))
    assert np.array_equal(mask.labels, np.kron(labels, np.ones((3, 3), np.uint8)))
    assert not caplog.records
    mask = read_mask(path, size=(480, 854))
    assert mask.labels.shape == (480, 854)
    assert mask.object_ids == tuple(int(i) for i in np.unique(labels) if i)
    assert "50x40" in caplog.text, "its shape differs from the video's"


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "I;16"])
def test_empty_mask(tmp_path, mode):
    Image.new(mode, (8, 6)).save(tmp_path / "a.png")
    with pytest.raises(MaskError, match="no object"):
        read_mask(tmp_path / "a.png")


def test_unreadable_files(tmp_path):
    with pytest.raises(MaskError, match="there is no mask file"):
        read_mask(tmp_path / "none.png")
    (tmp_path / "text.png").write_text("not an image")
    with pytest.raises(MaskError, match="no image"):
        read_mask(tmp_path / "text.png")
    path = save(np.random.default_rng(0).integers(0, 9, (64, 64), np.uint8), tmp_path / "cut.png")
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(MaskError, match="cannot be read"):
        read_mask(path)


def test_deep_ids_are_out_of_range(tmp_path):
    labels = two_objects().astype(np.uint16) * 1000
    with pytest.raises(MaskError, match=r"38000.*ids are 1 to 254"):
        read_mask(save(labels, tmp_path / "a.png"))


def test_mask_checks_its_fields():
    labels = two_objects()
    assert Mask(labels=labels, object_ids=(1, 38)).object_ids == (1, 38)
    with pytest.raises(MaskError, match="holds ids"):
        Mask(labels=labels, object_ids=(1, 2))
    with pytest.raises(MaskError, match="no object"):
        Mask(labels=np.zeros_like(labels), object_ids=())
    with pytest.raises(MaskError, match="255"):
        Mask(labels=np.full_like(labels, 255), object_ids=(255,))


def test_a_wide_feather_is_soft(tmp_path):
    ramp = np.rint(np.clip(np.linspace(-60, 315, 800), 0, 255)).astype(np.uint8)
    grey = np.repeat(ramp[None], 30, axis=0)
    mask = read_mask(save(grey, tmp_path / "a.png"))
    assert np.array_equal(mask.labels, grey >= 128)
    assert "soft" in mask.understood
