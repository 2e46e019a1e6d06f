"""Masks between the network's answer and the outputs."""

import cv2
import numpy as np
import pytest

from ddeal_core.errors import InputError
from ddeal_core.finishing import Finisher, Finishing
from ddeal_core.media.matting.cutout import Cutout
from ddeal_core.runs import OutputOptions

SIZE = (96, 128)


def cutout(labels, image=None):
    """A cut-out with a soft edge around its labels, as the network gives it."""
    ids = tuple(int(i) for i in np.unique(labels) if i)
    planes = [cv2.GaussianBlur((labels == i).astype(np.float32), (0, 0), 1.0) for i in ids]
    merged = np.stack([1 - sum(planes), *planes]).astype(np.float32)
    image = np.full((*SIZE, 3), 128, np.uint8) if image is None else image
    return Cutout.of(image, labels, lambda: merged, ids)


def finished(labels, **options):
    return Finisher(Finishing(**options)).finish(cutout(labels))


@pytest.fixture
def two():
    """Two objects that touch; the first has a hole and a speck, the second lies at the border."""
    labels = np.zeros(SIZE, np.uint8)
    labels[20:60, 20:60] = 1
    labels[35:40, 35:40] = 0
    labels[80:84, 100:104] = 1
    labels[30:50, 60:128] = 9
    return labels


def test_nothing_is_done_unless_wanted(two):
    raw = cutout(two)
    assert Finisher(Finishing()).finish(raw) is raw


def test_outlines_move_by_pixels_and_objects_never_overlap(two):
    out = finished(two, grow=4)
    assert out.labels[30, 16] == 1
    assert out.labels[30, 15] == 0
    assert (out.labels[two > 0] == two[two > 0]).all()
    assert (out.labels[24:30, 70:128] == 0).sum() == 2 * 58
    inwards = finished(two, shrink=4).labels
    assert inwards[40, 23] == 0
    assert inwards[45, 24] == 1
    assert (inwards[36:46, 52:68] == two[36:46, 52:68]).all()  # where they touch
    assert inwards[40, 127] == 9  # the frame's border is no outline
    for each in (out, finished(two, shrink=2, feather=6)):
        total = sum(each.matte(i).astype(int) for i in (1, 9))
        np.testing.assert_array_equal(total, each.alpha)
        assert np.array_equal(each.matte(1) > 127, (each.alpha > 127) & (each.matte(1) > 127))
        np.testing.assert_array_equal(each.hard_alpha > 0, each.labels > 0)


def test_holes_are_filled_and_specks_dropped_with_their_soft_edges(two):
    out = finished(two, fill_holes=True, drop_specks=True)
    assert (out.labels[20:60, 20:60] == 1).all()
    assert (out.alpha[30:45, 30:45] == 255).all()
    assert out.labels[70:, 90:].max() == out.alpha[70:, 90:].max() == 0
    assert (out.labels[30:50, 60:] == 9).all()


def test_a_speck_in_another_object_becomes_its():
    labels = np.zeros(SIZE, np.uint8)
    labels[10:60, 10:60] = 2
    labels[30:32, 30:32] = 5
    labels[70:90, 70:90] = 5
    out = finished(labels, drop_specks=True)
    assert (out.labels[10:60, 10:60] == 2).all()
    assert (out.matte(2)[28:36, 28:36] == 255).all()


def test_choke_and_feather_change_the_edge_alone(two):
    raw, choked, soft = cutout(two), finished(two, choke=40), finished(two, feather=8)
    assert (choked.alpha <= raw.alpha).all()
    assert not choked.alpha[(raw.soft() < 0.4) & (two == 0)].any()
    assert 0 < soft.alpha[50, 14] < 128 < soft.alpha[50, 26] < 255
    for each in (choked, soft):
        np.testing.assert_array_equal(each.labels, two)
        np.testing.assert_array_equal(each.colours, raw.colours)
        assert np.abs(each.deep(None).alpha / 257.0 - each.alpha).max() <= 0.5
    with pytest.raises(InputError, match="hard"):
        OutputOptions("out", hard=True, finishing=Finishing(feather=2))


def test_chatter_is_damped_and_motion_is_not():
    """A still square whose edge flickers, and one that flies over a texture."""
    rng = np.random.default_rng(0)
    steady = Finisher(Finishing(steady=True))
    ground = rng.integers(0, 255, (*SIZE, 3), np.uint8)
    before, flicker, lost = None, [], []
    for index in range(12):
        labels, image = np.zeros(SIZE, np.uint8), ground.copy()
        labels[20:60, 20 : 60 + index % 2] = 1
        labels[70:90, 8 * index : 8 * index + 20] = 2
        image[labels == 2] = 255
        out = steady.finish(cutout(labels, image))
        lost.append(np.count_nonzero((out.labels == 2) != (labels == 2)))
        now = out.alpha[:65].astype(float)
        flicker += [] if before is None else [np.abs(now - before).max()]
        before = now
    assert max(lost) <= 4
    assert max(flicker[2:]) < 0.6 * 255
