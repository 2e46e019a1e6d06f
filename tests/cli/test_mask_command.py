"""``ddeal mask``, and the same hints given to ``ddeal segment``."""

import numpy as np
import pytest
from PIL import Image

from ddeal_core import Hints, Segmenter, cut_out, read_mask

HINTS = ["--box", "16,24,32,32"]  # the square of the tiny clip's first frame


@pytest.fixture
def segment(ddeal, tiny_clip, tiny_weights):
    def call(*words, video=tiny_clip.video):
        return ddeal("segment", video, "--weights", tiny_weights, "--device", "cpu", *words)

    return call


def overlap(labels, truth):
    return ((labels > 0) & (truth > 0)).sum() / ((labels > 0) | (truth > 0)).sum()


def test_a_box_becomes_a_mask_and_a_preview(ddeal, tiny_clip, tmp_path):
    run = ddeal(
        "mask", tiny_clip.video, "--box", "5=14,22,36,36", "-o", "a.png", "--preview", "a.jpg",
        "--json",
    )  # fmt: skip
    assert run.status == 0, run.err
    mask = read_mask("a.png")
    assert mask.object_ids == (5,)
    assert overlap(mask.labels, tiny_clip.masks[0]) > 0.9
    record = run.json
    assert (record["frame"], record["width"], record["height"]) == (0, 128, 96)
    assert record["objects"][0]["id"] == 5
    assert record["objects"][0]["pixels"] == (mask.labels == 5).sum()
    assert (record["output"], record["preview"]) == ("a.png", "a.jpg")
    with Image.open("a.jpg") as preview:
        shown = np.asarray(preview.convert("RGB")).astype(int)
    with Image.open(tiny_clip.images / "00000.png") as image:
        frame = np.asarray(image.convert("RGB")).astype(int)
    changed = np.abs(shown - frame).max(axis=2) > 40
    assert changed[mask.labels == 5].mean() > 0.5
    assert changed[mask.labels == 0].mean() < 0.1


def test_the_default_name_and_another_frame(ddeal, tiny_clip, tmp_path):
    assert ddeal("mask", tiny_clip.video, "--point", "48,46", "--at", 7).status == 0
    assert overlap(read_mask("square_mask.png").labels, tiny_clip.masks[7]) > 0.8


def test_strokes_and_shares(ddeal, tiny_clip):
    strokes = np.zeros((96, 128), np.uint8)
    strokes[38:42, 20:44] = 3
    strokes[5:8, :] = 255
    Image.fromarray(strokes).save("strokes.png")
    assert ddeal("mask", tiny_clip.images, "--scribble", "strokes.png", "-o", "a.png").status == 0
    mask = read_mask("a.png")
    assert mask.object_ids == (3,)
    assert overlap(mask.labels, tiny_clip.masks[0]) > 0.8
    words = ["--box", "10%,20%,32%,42%", "--not-point", "90%,90%", "-o", "b.png"]
    assert ddeal("mask", tiny_clip.images, *words).status == 0
    assert overlap(read_mask("b.png").labels, tiny_clip.masks[0]) > 0.8


def test_a_mask_is_mended_in_place_if_that_is_allowed(ddeal, tiny_clip):
    rough = np.zeros((96, 128), np.uint8)
    rough[21:59, 13:51] = 4
    Image.fromarray(rough).save("rough.png")
    words = ["mask", tiny_clip.images, "--mask", "rough.png", "-o", "rough.png"]
    assert "exists" in ddeal(*words).complaint
    assert ddeal(*words, "--overwrite").status == 0
    mask = read_mask("rough.png")
    assert mask.object_ids == (4,)
    assert overlap(mask.labels, tiny_clip.masks[0]) > overlap(rough, tiny_clip.masks[0]) + 0.1


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "where is the object?"),
        (["--not-point", "3,3"], "what is not the object does not say where it is"),
        (["--box", "1,2,3"], "a box is x,y,width,height"),
        (["--box", "500,2,3,3"], "lies outside the frame, which is 128x96"),
        (["--point", "128,3"], "lies outside the frame"),
        (["--scribble", "none.png"], "no image of strokes none.png"),
        (["--mask", "none.png"], "no mask file none.png"),
        ([*HINTS, "--frame", "8"], "8"),
        ([*HINTS, "--frame", "-1"], "there is no frame -1"),
        ([*HINTS, "-o", "mask.jpg"], "name it with .png"),
        ([*HINTS, "--preview", "a.gif"], "ends in .jpg or .png"),
        ([*HINTS, "-o", "a.png", "--preview", "a.png"], "named twice"),
        ([*HINTS, "-o", "."], "name"),
    ],
)
def test_what_cannot_be_used_is_one_line(ddeal, tiny_clip, tmp_path, words, says):
    run = ddeal("mask", tiny_clip.video, *words)
    assert run.status == 2
    assert says in run.complaint
    assert not list(tmp_path.iterdir())


def test_segment_by_a_box_is_mask_then_segment(ddeal, segment, tiny_clip, tiny_weights, tmp_path):
    assert ddeal("mask", tiny_clip.video, *HINTS, "-o", "first.png").status == 0
    assert segment("--mask", "first.png", "-o", "one").status == 0
    assert segment(*HINTS, "-o", "two").status == 0
    segmenter = Segmenter.load(tiny_weights, device="cpu")
    hints = {1: Hints(box=(16, 24, 32, 32))}
    cut_out(tiny_clip.video, [], tmp_path / "three", segmenter=segmenter, hints=hints)
    for index in range(8):
        contents = {
            (tmp_path / d / f"{index:05d}.png").read_bytes() for d in ("one", "two", "three")
        }
        assert len(contents) == 1


def test_a_box_on_a_live_source_does_not_use_up_its_first_frame(tiny_clip, tiny_weights, tmp_path):
    segmenter = Segmenter.load(tiny_weights, device="cpu")
    hints = {1: Hints(box=(16, 24, 32, 32))}
    cut_out(tiny_clip.video, [], "file", segmenter=segmenter, hints=hints)
    with tiny_clip.video.open("rb") as pipe:
        assert cut_out(pipe, [], "live", segmenter=segmenter, hints=hints) == 8
    for name in (f"{index:05d}.png" for index in range(8)):
        assert (tmp_path / "file" / name).read_bytes() == (tmp_path / "live" / name).read_bytes()


def test_segment_adds_a_box_to_a_mask(segment, tiny_clip):
    words = ["--mask", tiny_clip.first_mask, "--box", "7=80,60,30,20", "-o", "out"]
    assert segment(*words).status == 0
    first = read_mask("out/00000.png").labels
    assert set(np.unique(first)) == {0, 1, 7}
    assert np.array_equal(first == 1, tiny_clip.masks[0] == 1)


def test_segment_without_mask_and_hints_is_one_line(segment, tmp_path):
    run = segment("-o", "out")
    assert run.status == 2
    assert "--mask" in run.complaint
    assert "--box" in run.complaint
    assert not list(tmp_path.iterdir())
