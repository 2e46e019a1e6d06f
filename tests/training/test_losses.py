"""Losses on predictions made by hand."""

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ddeal_core.network.cues import Cues
from ddeal_core.network.state import Prediction
from ddeal_core.training.losses import clip_loss
from ddeal_core.training.recipe import LossWeights

FINE = LossWeights(fine=1.0, coarse=0.0)
COARSE = LossWeights(fine=0.0, coarse=1.0)
DICE = LossWeights(fine=0.0, coarse=0.0, dice=1.0)
CUES = LossWeights(fine=0.0, coarse=0.0, cues=1.0)
ALL = LossWeights(fine=1.0, coarse=0.5, dice=0.5, cues=0.3)
OUTLINE = LossWeights(fine=0.0, coarse=0.0, outline=1.0)
EVERY = (FINE, COARSE, DICE, CUES, replace(ALL, object_pixels=2.0))


def pair(odds):
    """(background, object) logits with these log-odds: ``[G, K, ...]`` to ``[G, K, 2, ...]``."""
    return torch.stack([-odds / 2, odds / 2], dim=2)


def make_prediction(log_odds, *, dense=True):
    """All outputs say the same; ``log_odds`` is ``[G, K, H, W]``."""

    def at(stride):
        return torch.nn.functional.avg_pool2d(log_odds, stride)

    return Prediction(
        coarse=pair(at(16)),
        fine=pair(log_odds),
        cues=Cues(
            matching=pair(at(16)),
            appearance=torch.cat([pair(at(16)), pair(at(16))], dim=2),
            dense=torch.cat([pair(at(8)), pair(at(8))], dim=2) if dense else None,
        ),
        propagation=at(16)[:, :, None],
    )


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def full_and_empty(groups=2):
    target = torch.zeros(groups, 2, 32, 48)
    target[:, 0] = 1
    return target, torch.ones(groups, 1, 32, 48)


def test_a_perfect_prediction_costs_nothing_and_a_wrong_one_much():
    target, valid = full_and_empty()
    for weights in EVERY:
        for dense in (True, False):
            prediction = make_prediction((target - 0.5) * 60, dense=dense)
            assert clip_loss(prediction, target, valid, weights) < 1e-5
        assert clip_loss(make_prediction((0.5 - target) * 60), target, valid, weights) > 0.9


def test_not_knowing_costs_the_logarithm_of_two_however_much_is_ignored():
    target, valid = full_and_empty()
    prediction = make_prediction(torch.zeros_like(target))
    for known in (1, 7, 16, 31, 32):
        part = valid.clone()
        part[..., known:, :] = 0
        for weights in (FINE, COARSE, CUES):
            loss = clip_loss(prediction, target, part, weights)
            torch.testing.assert_close(loss, torch.tensor(math.log(2)))
    # The paper's: both cross-entropies, summed.
    loss = clip_loss(prediction, target, valid, LossWeights())
    torch.testing.assert_close(loss, torch.tensor(2 * math.log(2)))


def test_propagation_has_a_loss_of_its_own():
    target, valid = full_and_empty()
    weights = LossWeights(fine=0.0, coarse=0.0, propagation=2.0)
    right = make_prediction((target - 0.5) * 60)
    unsure = torch.zeros_like(right.coarse)
    for propagated, expected in ((right.coarse, 0.0), (unsure, 2 * math.log(2))):
        loss = clip_loss(right, target, valid, weights, propagated=propagated)
        torch.testing.assert_close(loss, torch.tensor(expected), atol=1e-5, rtol=1e-5)


def test_the_fine_loss_is_cross_entropy():
    log_odds, target = 2 * draw(2, 3, 32, 48), (draw(2, 3, 32, 48, seed=1) > 0.3).float()
    valid = (draw(2, 1, 32, 48, seed=2) > -0.5).float()
    logits = draw(2, 3, 1, 32, 48, seed=4) + pair(log_odds)  # a shift of both changes nothing
    prediction = replace(make_prediction(log_odds), fine=logits)
    picked = torch.where(valid.expand_as(target) > 0, target, 255).long()
    expected = torch.nn.functional.cross_entropy(
        logits.flatten(0, 1), picked.flatten(0, 1), ignore_index=255
    )
    torch.testing.assert_close(clip_loss(prediction, target, valid, FINE), expected)


def test_object_pixels_weigh_what_is_asked_for():
    target, valid = full_and_empty()  # half of the pixels are objects
    unsure = make_prediction(torch.zeros_like(target))
    for weights in (FINE, COARSE):
        loss = clip_loss(unsure, target, valid, replace(weights, object_pixels=3.0))
        assert float(loss) == pytest.approx(2 * math.log(2))


def test_pixels_at_the_outline_weigh_the_same_on_both_sides():
    target = torch.zeros(1, 1, 32, 32)
    target[..., 8:24, 8:24] = 1  # 8 x 8 of these pixels are 4 or more inside
    unsure, valid = make_prediction(torch.zeros_like(target)), torch.ones(1, 1, 32, 32)
    loss = clip_loss(unsure, target, valid, replace(FINE, object_pixels=3.0))
    assert float(loss) == pytest.approx((1 + 2 * 8 * 8 / 32**2) * math.log(2))


def test_the_loss_of_the_outline_looks_at_pixels_beside_it():
    target = torch.zeros(1, 1, 32, 32)
    target[..., 8:24, 8:24] = 1
    odds = torch.zeros(1, 1, 32, 32)
    odds[..., 12:20, 12:20] = -60  # wrong, but 4 pixels and more from the outline
    odds[..., :4, :] = 60
    prediction, valid = make_prediction(odds), torch.ones(1, 1, 32, 32)
    loss = clip_loss(prediction, target, valid, OUTLINE)
    assert float(loss) == pytest.approx(math.log(2))
    empty = clip_loss(prediction, torch.zeros_like(target), valid, OUTLINE)
    assert float(empty) == 0


def test_the_dice_loss_by_hand():
    target = torch.zeros(1, 1, 16, 16)
    target[..., :8, :] = 1
    odds = torch.full((1, 1, 16, 16), -60.0)
    odds[..., 4:12, :] = 60  # half of it is right
    loss = clip_loss(make_prediction(odds), target, torch.ones(1, 1, 16, 16), DICE)
    torch.testing.assert_close(loss, torch.tensor(1 - (2 * 64 + 1) / (128 + 128 + 1)))


@settings(max_examples=15, deadline=None)
@given(
    top=st.integers(0, 30),
    left=st.integers(0, 46),
    height=st.integers(1, 32),
    width=st.integers(1, 48),
    seed=st.integers(0, 99),
)
def test_what_is_under_ignored_pixels_does_not_count(top, left, height, width, seed):
    valid = torch.ones(1, 1, 32, 48)
    valid[..., top : top + height, left : left + width] = 0
    target = (draw(1, 2, 32, 48, seed=seed) > 0).float()
    other = torch.where(valid.bool(), target, 1 - target)
    prediction = make_prediction(draw(1, 2, 32, 48, seed=seed + 1))
    fine = torch.where(valid[:, :, None].bool(), prediction.fine, -prediction.fine)
    for weights in (*EVERY, OUTLINE):
        loss = clip_loss(prediction, target, valid, weights)
        torch.testing.assert_close(loss, clip_loss(prediction, other, valid, weights))
        if weights in (FINE, DICE):
            moved = replace(prediction, fine=fine)
            torch.testing.assert_close(loss, clip_loss(moved, target, valid, weights))


def test_a_frame_without_truth_costs_nothing():
    target, valid = full_and_empty(1)
    for weights in EVERY:
        prediction = make_prediction(draw(1, 2, 32, 48).requires_grad_())
        loss = clip_loss(prediction, target, torch.zeros_like(valid), weights)
        assert loss == 0
        loss.backward()


@pytest.mark.parametrize("weights", EVERY, ids=["fine", "coarse", "dice", "cues", "all"])
def test_all_that_is_asked_for_is_trained(weights):
    target, valid = full_and_empty(1)
    source = make_prediction(draw(1, 2, 32, 48))
    maps = {"coarse": source.coarse, "fine": source.fine, **source.cues._asdict()}
    parts = {name: x.clone().requires_grad_() for name, x in maps.items()}
    cues = Cues(parts["matching"], parts["appearance"], parts["dense"])
    prediction = Prediction(
        coarse=parts["coarse"], fine=parts["fine"], cues=cues, propagation=source.propagation
    )
    clip_loss(prediction, target, valid, weights).backward()
    wanted = {
        "fine": weights.fine or weights.dice,
        "coarse": weights.coarse,
        "matching": weights.cues,
        "appearance": weights.cues,
        "dense": weights.cues,
    }
    for name, part in parts.items():
        trained = part.grad is not None and bool(part.grad.abs().sum() > 0)
        assert trained == bool(wanted[name]), name
