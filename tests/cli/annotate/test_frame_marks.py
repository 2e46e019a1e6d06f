"""Marks become masks."""

import numpy as np
import pytest

from ddeal_cli.annotate.frame_marks import FrameMarks, LabelMap
from ddeal_cli.annotate.marks import BoxMark, Click, Stroke
from ddeal_core.errors import InputError

SIZE = (96, 128)
NOTHING = np.zeros(SIZE, np.uint8)


@pytest.fixture(scope="module")
def image(tiny_clip):
    return tiny_clip.frames[0]


def overlap(mask, truth):
    return (mask & truth).sum() / (mask | truth).sum()


def box_of(mask, object_id=1, spare=3):
    y, x = np.nonzero(mask)
    left, top = int(x.min()) - spare, int(y.min()) - spare
    return BoxMark(object_id, left, top, int(np.ptp(x)) + 2 * spare, int(np.ptp(y)) + 2 * spare)


def test_label_maps_come_back_and_are_known_by_their_pixels():
    labels = np.arange(12, dtype=np.uint8).reshape(3, 4)
    kept = LabelMap.of(labels)
    np.testing.assert_array_equal(kept.labels(), labels)
    assert kept.digest == LabelMap.of(labels.copy()).digest
    assert kept.digest != LabelMap.of(labels.reshape(4, 3)).digest
    assert kept.digest != LabelMap.of(labels + 1).digest


def test_a_box_finds_the_object(image, tiny_clip):
    marks = FrameMarks(SIZE).marked(box_of(tiny_clip.masks[0]), image, NOTHING)
    assert overlap(marks.mask.labels() == 1, tiny_clip.masks[0] == 1) > 0.8
    assert marks.given == (1,)


def test_strokes_stay_when_a_click_works_the_mask_out_again(image, tiny_clip):
    marks = FrameMarks(SIZE).marked(box_of(tiny_clip.masks[0]), image, NOTHING)
    marks = marks.marked(Stroke(1, "brush", 4, ((110, 80), (120, 85))), image, NOTHING)
    marks = marks.marked(Stroke(1, "eraser", 3, ((20, 30),)), image, NOTHING)
    y, x = (int(v) for v in np.argwhere(tiny_clip.masks[0]).mean(axis=0))
    marks = marks.marked(Click(1, (x, y), True), image, NOTHING)
    labels = marks.mask.labels()
    assert labels[85, 120] == 1
    assert labels[30, 20] == 0
    assert labels[y, x] == 1


def test_the_eraser_leaves_other_objects_alone(image):
    marks = FrameMarks(SIZE).marked(Stroke(1, "brush", 5, ((20, 20), (60, 20))), image, NOTHING)
    marks = marks.marked(Stroke(2, "brush", 5, ((20, 40), (60, 40))), image, NOTHING)
    marks = marks.marked(Stroke(1, "eraser", 30, ((10, 30), (80, 30))), image, NOTHING)
    labels = marks.mask.labels()
    assert not (labels == 1).any()
    assert (labels == 2).sum() > 300
    assert marks.objects == (1, 2)
    assert marks.given == (2,)  # nothing is left of the first, so it cannot be given


def test_a_correction_begins_with_what_was_there_and_gives_that_object_alone(image):
    before = NOTHING.copy()
    before[10:30, 10:30] = 1
    before[50:70, 50:70] = 2
    marks = FrameMarks(SIZE).marked(Stroke(1, "brush", 3, ((40, 20),)), image, before)
    labels = marks.mask.labels()
    assert (labels[10:30, 10:30] == 1).all()
    assert labels[20, 40] == 1
    assert not (labels == 2).any()
    assert marks.given == (1,)


def test_a_click_beside_a_result_grows_it(image, tiny_clip):
    truth = tiny_clip.masks[0] == 1
    half = truth.copy()
    columns = np.nonzero(truth.any(axis=0))[0]
    half[:, columns[len(columns) // 2] :] = False
    y, x = (int(v) for v in np.argwhere(truth & ~half).mean(axis=0))
    marks = FrameMarks(SIZE).marked(Click(1, (x, y), True), image, half.astype(np.uint8))
    after = marks.mask.labels() == 1
    assert overlap(after, truth) > overlap(half, truth) + 0.1


def test_a_click_outside_takes_a_part_of_a_result_away(image, tiny_clip):
    truth = tiny_clip.masks[0] == 1
    too_much = truth.copy()
    too_much[70:90, 90:120] = True
    marks = FrameMarks(SIZE).marked(Click(1, (105, 80), False), image, too_much.astype(np.uint8))
    after = marks.mask.labels() == 1
    assert not after[80, 105]
    assert overlap(after, truth) > overlap(too_much, truth)


def test_a_box_outlines_anew(image, tiny_clip):
    before = NOTHING.copy()
    before[80:95, 100:127] = 1
    marks = FrameMarks(SIZE).marked(box_of(tiny_clip.masks[0]), image, before)
    assert not (marks.mask.labels()[80:95, 100:127] == 1).any()


def test_scribbles_say_what_is_the_object_and_what_is_not(image, tiny_clip):
    y, x = (int(v) for v in np.argwhere(tiny_clip.masks[0]).mean(axis=0))
    marks = FrameMarks(SIZE).marked(
        Stroke(1, "inside", 4, ((x - 8, y), (x + 8, y))), image, NOTHING
    )
    marks = marks.marked(Stroke(1, "outside", 4, ((5, 90), (120, 90))), image, NOTHING)
    labels = marks.mask.labels()
    assert overlap(labels == 1, tiny_clip.masks[0] == 1) > 0.7
    assert not labels[90, 5:120].any()


def test_a_second_click_on_a_pixel_is_a_change_of_mind(image, tiny_clip):
    marks = FrameMarks(SIZE).marked(box_of(tiny_clip.masks[0]), image, NOTHING)
    marks = marks.marked(Click(1, (30, 40), False), image, NOTHING)
    marks = marks.marked(Click(1, (30, 40), True), image, NOTHING)
    assert marks.hints[1].inside == ((30, 40),)
    assert marks.hints[1].outside == ()


def test_forgetting_one_object_keeps_the_other(image):
    marks = FrameMarks(SIZE).marked(Stroke(1, "brush", 5, ((20, 20),)), image, NOTHING)
    marks = marks.marked(Stroke(2, "brush", 5, ((60, 60),)), image, NOTHING)
    rest = marks.without(1, image)
    assert rest is not None
    assert rest.given == (2,)
    assert rest.without(2, image) is None


@pytest.mark.parametrize(
    "mark",
    [
        BoxMark(1, 500, 500, 20, 20),
        BoxMark(1, 10, 10, 1, 30),
        Click(1, (128, 10), True),
        Click(1, (-1, 10), True),
        Click(1, (10, 10), False),  # of an object that is nowhere
    ],
)
def test_marks_that_say_nothing_are_refused(mark, image):
    with pytest.raises(InputError):
        FrameMarks(SIZE).marked(mark, image, NOTHING)


@pytest.mark.parametrize(("radius", "points"), [(0, 1), (-3, 1), (1e9, 1), (3, 0), (3, 30_000)])
def test_absurd_strokes_are_refused(radius, points):
    with pytest.raises(InputError):
        Stroke(1, "brush", radius, ((5, 5),) * points)


def test_a_stroke_far_outside_the_frame_covers_nothing():
    assert not Stroke(1, "brush", 5, ((-(10**6), 5), (-(10**6), 9))).covered(SIZE).any()
    assert Stroke(1, "brush", 1, ((3, 4),)).covered(SIZE)[4, 3]
