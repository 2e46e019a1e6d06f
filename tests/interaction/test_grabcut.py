"""First masks from hints: what is found, whose each pixel is, and what cannot be."""

import logging

import cv2
import numpy as np
import pytest

from ddeal_core.errors import InputError, MaskError
from ddeal_core.interaction import Hints, grab_cut

HEIGHT, WIDTH = 120, 180


def scene(height=HEIGHT, width=WIDTH):
    """Noise on a plain ground with a reddish disc and a bluish bar; returns their masks."""
    rng = np.random.default_rng(5)
    scale = width / WIDTH
    disc = np.zeros((height, width), np.uint8)
    cv2.circle(disc, (round(55 * scale), round(60 * scale)), round(30 * scale), 1, -1)
    bar = np.zeros_like(disc)
    left, top = round(110 * scale), round(20 * scale)
    bar[top : top + round(80 * scale), left : left + round(35 * scale)] = 1
    image = np.empty((height, width, 3), np.float32)
    image[:] = (90, 120, 90)
    image[disc > 0] = (190, 70, 60)
    image[bar > 0] = (60, 70, 190)
    image += rng.normal(0, 12, image.shape)
    return np.clip(image, 0, 255).astype(np.uint8), disc > 0, bar > 0


def overlap(found, truth):
    return (found & truth).sum() / (found | truth).sum()


def box_of(mask, room=0):
    x, y, width, height = cv2.boundingRect(mask.astype(np.uint8))
    return x - room, y - room, width + 2 * room, height + 2 * room


def test_a_box_gives_the_object_in_it():
    image, disc, _ = scene()
    labels = grab_cut(image, {7: Hints(box=box_of(disc, 4))})
    assert labels.dtype == np.uint8
    assert set(np.unique(labels)) == {0, 7}
    assert overlap(labels == 7, disc) > 0.95


def test_a_large_frame_is_cut_small_but_its_outline_is_that_of_the_full_picture():
    image, disc, _ = scene(960, 1440)
    found = grab_cut(image, {1: Hints(box=box_of(disc, 20))}) == 1
    assert overlap(found, disc) > 0.97
    wrong = (found != disc).astype(np.uint8)
    # the region is 3 times smaller: an outline of its pixels would be off by more than one
    assert not cv2.erode(wrong, np.ones((5, 5), np.uint8)).any()


def test_the_same_hints_give_the_same_bytes_whatever_ran_before():
    image, disc, bar = scene()
    hints = {1: Hints(box=box_of(disc, 6)), 2: Hints(inside=((125, 60),))}
    first = grab_cut(image, hints)
    cv2.setRNGSeed(99)
    grab_cut(image, {1: Hints(box=box_of(bar))})
    assert np.array_equal(grab_cut(image, dict(reversed(hints.items()))), first)


def test_a_point_alone_finds_where_the_object_ends():
    image, disc, bar = scene()
    labels = grab_cut(image, {1: Hints(inside=((55, 60),)), 2: Hints(inside=((125, 60),))})
    assert overlap(labels == 1, disc) > 0.9
    assert overlap(labels == 2, bar) > 0.9


def test_points_choose_among_pieces():
    image, disc, _ = scene()
    image[10:30, 100:120] = image[50:70, 45:65]  # a patch of the disc elsewhere
    one = grab_cut(image, {1: Hints(inside=((55, 60),))})
    assert not one[12:28, 102:118].any()
    both = grab_cut(image, {1: Hints(inside=((55, 60), (110, 20)))})
    assert both[12:28, 102:118].mean() > 0.9
    assert overlap(both[:, :100] == 1, disc[:, :100]) > 0.9


def test_a_point_that_is_not_on_the_object_takes_a_part_away():
    image, disc, bar = scene()
    union = disc | bar
    hints = Hints(box=box_of(union, 3), inside=((55, 60),))
    with_bar = grab_cut(image, {1: Hints(box=hints.box, inside=((55, 60), (125, 60)))}) == 1
    assert with_bar[bar].mean() > 0.9
    without = grab_cut(image, {1: Hints(box=hints.box, inside=((55, 60),), outside=((125, 60),))})
    assert (without[bar] == 1).mean() < 0.1
    assert overlap(without == 1, disc) > 0.6


def test_points_are_kept_to_the_pixel():
    image, disc, _ = scene()
    on, off = (20, 20), (55, 60)  # the first on the ground, the second on the disc
    labels = grab_cut(image, {1: Hints(box=box_of(disc, 4), inside=(on,), outside=(off,))})
    assert labels[on[1], on[0]] == 1
    assert labels[off[1], off[0]] == 0


def test_strokes_work_like_points():
    image, disc, _ = scene()
    strokes = np.zeros((HEIGHT, WIDTH), np.uint8)
    strokes[58:62, 40:70] = 1
    strokes[5, :] = 2
    labels = grab_cut(image, {3: Hints(scribble=strokes)})
    assert overlap(labels == 3, disc) > 0.9
    assert (labels[strokes == 1] == 3).all()
    assert not labels[strokes == 2].any()


def test_where_boxes_overlap_each_pixel_goes_to_the_object_of_its_colours():
    image, disc, _ = scene()
    bar = np.zeros_like(disc)
    bar[55:66, 30:120] = True
    image[bar] = (60, 70, 190)
    disc = disc & ~bar
    labels = grab_cut(image, {1: Hints(box=box_of(disc, 2)), 2: Hints(box=box_of(bar, 2))})
    assert overlap(labels == 1, disc) > 0.7
    assert overlap(labels == 2, bar) > 0.7
    assert labels[60, 75] == 2
    assert labels[40, 55] == labels[80, 55] == 1


def test_a_point_on_one_object_is_on_no_other():
    image, disc, _ = scene()
    whole = Hints(box=box_of(disc, 3))
    alone = grab_cut(image, {1: whole})
    assert alone[60, 40] == 1
    labels = grab_cut(image, {1: whole, 2: Hints(inside=((40, 60),))})
    assert labels[60, 40] == 2


def test_a_mask_is_mended_near_its_outline():
    image, disc, bar = scene()
    rough = cv2.dilate(disc.astype(np.uint8), np.ones((7, 7), np.uint8))
    rough[60:, :] = cv2.erode(disc.astype(np.uint8), np.ones((7, 7), np.uint8))[60:, :]
    labels = np.where(bar, 9, rough).astype(np.uint8)
    mended = grab_cut(image, {1: Hints()}, labels)
    assert overlap(mended == 1, disc) > max(0.93, overlap(rough > 0, disc) + 0.05)
    assert np.array_equal(mended == 9, labels == 9)  # has no hints: stays as it is


def test_a_mask_grows_by_a_point_beside_it():
    image, disc, _ = scene()
    half = disc.copy()
    half[:, 60:] = False
    mended = grab_cut(image, {1: Hints(inside=((75, 60),))}, half.astype(np.uint8))
    assert overlap(mended == 1, disc) > 0.9


@pytest.mark.parametrize("box", [(-40, 30, 130, 200), (25, 30, 5000, 5000), (-9, -9, 999, 999)])
def test_what_lies_beyond_the_frame_is_cut_off(box):
    image, _, _ = scene()
    labels = grab_cut(image, {1: Hints(box=box)})
    x, y, width, height = (max(0, box[0]), max(0, box[1]), box[0] + box[2], box[1] + box[3])
    inside = np.zeros(labels.shape, bool)
    inside[y:height, x:width] = True
    assert (labels == 1).any()
    assert not labels[~inside].any()


@pytest.mark.parametrize("kind", ["uniform", "noise"])
def test_where_nothing_stands_out_the_ellipse_in_the_box_is_taken_and_said(kind, caplog):
    shape = (HEIGHT, WIDTH, 3)
    noise = np.random.default_rng(0).integers(0, 255, shape, np.uint8)
    image = np.full(shape, 90, np.uint8) if kind == "uniform" else noise
    with caplog.at_level(logging.WARNING, "ddeal_core"):
        labels = grab_cut(image, {4: Hints(box=(40, 20, 60, 40))})
    assert "box of object 4" in caplog.text
    assert "add points" in caplog.text
    assert (labels == 4).sum() == pytest.approx(np.pi / 4 * 60 * 40, rel=0.1)
    assert labels[40, 70] == 4
    assert labels[21, 41] == 0


def test_a_point_on_a_uniform_picture_takes_the_frame_and_says_so(caplog):
    image = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
    with caplog.at_level(logging.WARNING, "ddeal_core"):
        labels = grab_cut(image, {1: Hints(inside=((20, 20),))})
    assert labels.mean() > 0.9
    assert "nearly the whole frame" in caplog.text


@pytest.mark.parametrize(
    ("size", "box"),
    [((HEIGHT, WIDTH), (50, 50, 1, 1)), ((1, 1), (0, 0, 1, 1)), ((1, 9), (2, 0, 3, 1))],
)
def test_tiny_boxes_are_filled(size, box):
    image = np.random.default_rng(0).integers(0, 255, (*size, 3), np.uint8)
    labels = grab_cut(image, {1: Hints(box=box)})
    x, y, width, height = box
    assert labels[y : y + height, x : x + width].all()
    assert labels.sum() == width * height


@pytest.mark.parametrize(
    ("hints", "says"),
    [
        ({}, "no hint is given"),
        ({1: Hints(outside=((5, 5),))}, "object 1 has no box and no point on it"),
        ({1: Hints(box=(500, 5, 10, 10))}, "lies outside the frame, which is 180x120"),
        ({1: Hints(box=(-20, 5, 20, 10))}, "lies outside the frame"),
        ({1: Hints(inside=((180, 5),))}, "the point 180,5 of object 1 lies outside"),
        ({1: Hints(inside=((5, 5),), outside=((5, 5),))}, "as on object 1 and as not on it"),
        (
            {1: Hints(inside=((5, 5),)), 2: Hints(inside=((5, 5),))},
            "as on object 1 and on object 2",
        ),
        ({1: Hints(scribble=np.ones((5, 5), np.uint8))}, "scribble of object 1 is 5x5"),
        ({1: Hints((9, 9, 40, 40)), 2: Hints((9, 9, 40, 40))}, "nothing is left of object 2"),
    ],
)
def test_hints_that_cannot_be(hints, says):
    image, _, _ = scene()
    with pytest.raises(InputError, match=says):
        grab_cut(image, hints)


def test_ids_and_arrays_out_of_range():
    image, _, _ = scene()
    for number in (0, 255):
        with pytest.raises(MaskError, match="1 to 254"):
            grab_cut(image, {number: Hints(inside=((5, 5),))})
    with pytest.raises(InputError, match="HxWx3 uint8"):
        grab_cut(image[..., 0], {1: Hints(inside=((5, 5),))})
    with pytest.raises(MaskError, match="like the frame"):
        grab_cut(image, {1: Hints()}, np.ones((5, 5), np.uint8))
    with pytest.raises(InputError, match="at least 1 pixel"):
        Hints(box=(1, 1, 0, 5))
    with pytest.raises(InputError, match="a scribble holds"):
        Hints(scribble=np.full((5, 5), 3, np.uint8))
