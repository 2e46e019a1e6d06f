"""First masks by the network, on the sample clip's first frame."""

import math

import cv2
import numpy as np
import pytest

from ddeal_cli.sample import FISH, TURTLE, VIDEO, sample_labels
from ddeal_core.errors import InputError, MaskError
from ddeal_core.interaction import Hints, first_mask
from ddeal_core.interaction.first_mask import mask_from_hints
from ddeal_core.interaction.mask_finder import Picture
from ddeal_core.media import open_source


@pytest.fixture(scope="module")
def frame():
    with open_source(VIDEO) as source:
        return next(iter(source)).image


@pytest.fixture(scope="module")
def truth():
    return sample_labels()[0]


def overlap(found, truth):
    return (found & truth).sum() / (found | truth).sum()


def box_of(mask):
    return tuple(cv2.boundingRect(mask.astype(np.uint8)))


def test_boxes_give_the_objects_and_a_click_more_is_obeyed(frame, truth):
    hints = {i: Hints(box=box_of(truth == i)) for i in (FISH, TURTLE)}
    picture = Picture(frame)
    labels = first_mask(picture, hints)
    assert labels.dtype == np.uint8
    assert set(np.unique(labels)) == {0, FISH, TURTLE}
    for i in hints:
        assert overlap(labels == i, truth == i) > 0.75
    y, x = np.argwhere(labels == FISH)[0]
    more = {**hints, FISH: Hints(box=hints[FISH].box, outside=((int(x), int(y)),))}
    assert first_mask(picture, more)[y, x] != FISH
    # what was seen of the picture before changes nothing
    assert np.array_equal(first_mask(frame, dict(reversed(hints.items()))), labels)


def test_a_click_finds_the_object_and_what_is_on_another_is_not_on_it(frame, truth):
    y, x = np.argwhere(truth == TURTLE).mean(axis=0).round().astype(int).tolist()
    labels = first_mask(frame, {5: Hints(inside=((x, y),)), 6: Hints(inside=((3, 3),))})
    assert labels[y, x] == 5
    assert labels[3, 3] == 6
    assert overlap(labels == 5, truth == TURTLE) > 0.5


def test_a_mask_is_mended_by_strokes_and_other_objects_stay(frame, truth):
    old = truth.copy()
    left, top, width, _ = box_of(truth == FISH)
    old[:, left : left + width // 3][truth[:, left : left + width // 3] == FISH] = 0
    scribble = np.zeros_like(truth)
    scribble[cv2.erode((truth == FISH).astype(np.uint8), np.ones((9, 9), np.uint8)) > 0] = 1
    scribble[: max(1, top - 20)] = 2
    labels = first_mask(frame, {FISH: Hints(scribble=scribble)}, old)
    assert (labels[scribble == 1] == FISH).all()
    assert not (labels[scribble == 2] == FISH).any()
    assert overlap(labels == FISH, truth == FISH) > overlap(old == FISH, truth == FISH)
    assert np.array_equal(labels == TURTLE, old == TURTLE)


@pytest.mark.parametrize("size", [(1, 1), (9, 400), (700, 40)])
def test_frames_of_any_size_are_taken(size):
    image = np.random.default_rng(0).integers(0, 255, (*size, 3), np.uint8)
    labels = first_mask(image, {1: Hints(inside=((size[1] - 1, size[0] - 1),))})
    assert labels.shape == size
    assert labels[-1, -1] == 1


def test_what_cannot_be_is_refused(frame):
    with pytest.raises(InputError, match="no box and no point"):
        first_mask(frame, {1: Hints(outside=((3, 3),))})
    with pytest.raises(MaskError, match="the mask is"):
        first_mask(frame, {1: Hints(inside=((3, 3),))}, np.zeros((4, 4), np.uint8))
    for hint in ({"box": (1, 2, 3)}, {"box": (1, 2, math.nan, 4)}, {"inside": ((3, 3, 3),)}):
        with pytest.raises(InputError, match="four numbers"):
            Hints(**hint)
    with pytest.raises(InputError, match="the method is one of"):
        mask_from_hints(frame, {1: Hints(inside=((3, 3),))}, method="magic")


def test_numbers_of_arrays_and_fractions_are_pixels():
    hint = Hints(box=np.array([1.4, 2, 30, 40]), inside=[[5.6, np.int64(7)]])
    assert (hint.box, hint.inside) == ((1, 2, 30, 40), ((6, 7),))
