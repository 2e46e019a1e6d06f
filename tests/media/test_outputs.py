"""Outputs of every kind, as a user names them, from one pass."""

import json
from fractions import Fraction

import av
import numpy as np
import pytest
from PIL import Image

from ddeal_core.errors import InputError
from ddeal_core.media import Cutout, OutputLook, open_outputs, open_source
from ddeal_core.media.masks.run_lengths import pack_counts, run_lengths

SIZE = (96, 128)


def answers(count=8, ids=(3, 200)):
    """Probabilities of two soft discs that touch, and their labels."""
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    for index in range(count):
        each = [
            np.clip((20 - np.hypot(x - 40 - 36 * k - index, y - 48)) / 8 + 0.5, 0, 1)
            for k in range(len(ids))
        ]
        background = 1 - np.maximum(*each)
        maps = np.stack([background, *each]).astype(np.float32)
        maps /= maps.sum(0)
        yield np.array([0, *ids], np.uint8)[maps.argmax(0)], maps


def write(clip, words, *, kind=None, **look):
    with open_source(clip) as source:
        writers = open_outputs(words, source=source, kind=kind, look=OutputLook(**look))
        for frame, (labels, maps) in zip(source, answers(), strict=True):
            cutout = Cutout.of(frame.image, labels, lambda maps=maps: maps, (3, 200))
            for writer in writers:
                writer.write(frame, cutout)
        for writer in writers:
            writer.finish()
    return writers


def unpacked(counts):
    """COCO's string read back, as its documentation says."""
    values, at = [], 0
    while at < len(counts):
        value, shift, more = 0, 0, True
        while more:
            bits = ord(counts[at]) - 48
            value |= (bits & 0x1F) << shift
            more, shift, at = bool(bits & 0x20), shift + 5, at + 1
        if bits & 0x10:
            value -= 1 << shift
        values.append(value + (values[-2] if len(values) > 2 else 0))
    return values


def decoded(segmentation):
    height, width = segmentation["size"]
    runs = unpacked(segmentation["counts"])
    flat = np.repeat(np.arange(len(runs)) % 2, runs)
    return flat.reshape(width, height).T.astype(bool)


@pytest.mark.parametrize("seed", range(4))
def test_run_lengths_survive_packing(seed):
    rng = np.random.default_rng(seed)
    mask = rng.random((37, 53)) < (0.02, 0.5, 0.98, 0)[seed]
    counts = pack_counts(run_lengths(mask))
    assert np.array_equal(decoded({"size": mask.shape, "counts": counts}), mask)


def test_coco_holds_every_object_of_every_frame(tiny_clip, tmp_path):
    write(tiny_clip.video, [tmp_path / "out.json"])
    record = json.loads((tmp_path / "out.json").read_text())
    assert [image["frame"] for image in record["images"]] == list(range(8))
    assert [category["id"] for category in record["categories"]] == [3, 200]
    by_frame = {(a["image_id"] - 1, a["track_id"]): a for a in record["annotations"]}
    for index, (labels, _) in enumerate(answers()):
        for i in (3, 200):
            annotation = by_frame[index, i]
            mask = decoded(annotation["segmentation"])
            assert np.array_equal(mask, labels == i)
            assert annotation["area"] == mask.sum()
            left, top, across, down = annotation["bbox"]
            rows, columns = np.nonzero(mask)
            assert (left, top) == (columns.min(), rows.min())
            assert (across, down) == (np.ptp(columns) + 1, np.ptp(rows) + 1)


def test_rgba_and_mattes_say_the_same_alpha(tiny_clip, tmp_path):
    write(tiny_clip.video, [tmp_path / "rgba"], kind="rgba")
    write(tiny_clip.video, [tmp_path / "mattes"], kind="mattes")
    assert sorted(p.name for p in (tmp_path / "mattes").iterdir()) == ["200", "3"]
    for index in range(8):
        name = f"{index:05d}.png"
        rgba = np.asarray(Image.open(tmp_path / "rgba" / name))
        parts = [np.asarray(Image.open(tmp_path / "mattes" / i / name)) for i in ("3", "200")]
        assert rgba.shape == (*SIZE, 4)
        assert np.array_equal(rgba[..., 3], sum(part.astype(int) for part in parts))
        assert rgba[rgba[..., 3] == 0].max() == 0, "what cannot be seen holds nothing"
        assert np.count_nonzero((rgba[..., 3] > 0) & (rgba[..., 3] < 255)) > 0, "soft edges"


def test_an_object_that_comes_later_has_black_mattes_before(tiny_clip, tmp_path):
    labels = np.zeros((8, *SIZE), np.uint8)
    labels[:, 10:40, 10:40] = 3
    labels[5:, 50:80, 50:90] = 200
    with open_source(tiny_clip.video) as source:
        (writer,) = open_outputs([tmp_path / "m"], source=source, kind="mattes")
        with writer:
            for frame, plane in zip(source, labels, strict=True):
                writer.write(frame, Cutout(frame.image, plane))
    for i in (3, 200):
        pictures = [np.asarray(Image.open(p)) for p in sorted((tmp_path / f"m/{i}").iterdir())]
        assert np.array_equal(pictures, np.where(labels == i, 255, 0))


def test_a_video_behind_the_objects_runs_at_its_own_speed(tiny_clip, make_clip, tmp_path):
    """12 pictures a second behind 24, and from the beginning when it ends."""
    grey = [np.full((96, 128, 3), value, np.uint8) for value in (40, 120, 200)]
    back = make_clip(tmp_path / "back.mp4", grey, rate=Fraction(12), options={"qp": "1"})
    with open_source(tiny_clip.video) as source:
        (writer,) = open_outputs(
            [tmp_path / "out.mp4"], source=source, look=OutputLook(background=back)
        )
        with writer:
            for frame in source:
                writer.write(frame, Cutout(frame.image, np.zeros(SIZE, np.uint8)))
    means = [image.mean() for image in decode(tmp_path / "out.mp4")]
    assert means == pytest.approx([40, 40, 120, 120, 200, 200, 40, 40], abs=6)


def test_hard_edges(tiny_clip, tmp_path):
    write(tiny_clip.video, [tmp_path / "rgba"], kind="rgba", hard=True)
    for index, (labels, _) in enumerate(answers()):
        rgba = np.asarray(Image.open(tmp_path / "rgba" / f"{index:05d}.png"))
        assert np.array_equal(rgba[..., 3], np.where(labels > 0, 255, 0))


def decode(path):
    with av.open(path) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def test_a_colour_behind_the_objects(tiny_clip, tmp_path):
    write(tiny_clip.video, [tmp_path / "red.mp4"], background="#ff0000")
    for image, (labels, _) in zip(decode(tmp_path / "red.mp4"), answers(), strict=True):
        red, green, blue = image[:20, -20:].reshape(-1, 3).mean(0)
        assert red > 200 > 60 > max(green, blue)
        assert labels[:20, -20:].max() == 0


def test_a_picture_behind_the_objects(tiny_clip, tmp_path):
    Image.new("RGB", (300, 200), (10, 40, 230)).save(tmp_path / "sea.png")
    write(tiny_clip.video, [tmp_path / "sea.mp4"], background=tmp_path / "sea.png")
    red, green, blue = decode(tmp_path / "sea.mp4")[3][:20, -20:].reshape(-1, 3).mean(0)
    assert blue > 180
    assert max(red, green) < 90


def test_a_blurred_background_keeps_the_object(tiny_clip, tmp_path):
    write(tiny_clip.video, [tmp_path / "blur.mp4"], background="blur")
    before, after = decode(tiny_clip.video)[4], decode(tmp_path / "blur.mp4")[4]
    labels = list(answers())[4][0]
    inside = np.abs(before.astype(int) - after)[labels > 0]
    assert inside.mean() < 12


def test_a_grey_matte_video(tiny_clip, tmp_path):
    write(tiny_clip.video, [f"matte={tmp_path / 'key.mp4'}"])
    for image, (labels, _) in zip(decode(tmp_path / "key.mp4"), answers(), strict=True):
        assert image[labels == 0].mean() < 40
        assert image[labels > 0].mean() > 200


@pytest.mark.parametrize(
    ("words", "options", "reason"),
    [
        (["out.json"], {"look": OutputLook(background="white")}, "no output shows the background"),
        (["a.mov", "a.mov"], {}, "named twice"),
        (["a.mp4"], {"kind": "mattes"}, "write mattes=a.mp4 for a folder of this name"),
        (["a.png"], {}, "png"),
        (["b.mp4"], {"look": OutputLook(background="no such colour")}, "no such colour"),
    ],
)
def test_refusals_leave_nothing(tiny_clip, tmp_path, monkeypatch, words, options, reason):
    monkeypatch.chdir(tmp_path)
    with open_source(tiny_clip.video) as source, pytest.raises(InputError, match=reason):
        open_outputs(words, source=source, **options)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("word", "says"),
    [
        ("rbga=frames", "write rgba=frames"),
        ("mask=out", "write masks=out"),
        ("/", "root"),
        ("mattes=/", "root"),
        ("", "no name"),
    ],
)
def test_a_word_that_is_no_output_is_refused(tiny_clip, tmp_path, monkeypatch, word, says):
    monkeypatch.chdir(tmp_path)
    with open_source(tiny_clip.video) as source, pytest.raises(InputError, match=says):
        open_outputs([word], source=source)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "word", [".", "./rbga=frames", "date=2024", "masks=../here", "masks=shot.mov"]
)
def test_unusual_names_are_taken(tiny_clip, tmp_path, monkeypatch, word):
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    (writer,) = write(tiny_clip.video, [word])
    assert len(list(writer.path.resolve().glob("*.png"))) == 8
    assert writer.path.name not in ("", "..")
