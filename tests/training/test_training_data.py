"""Batches: the same for any number of workers, processes and resumptions; and one clip's pass."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny_run import TINY

from ddeal_core.datasets.clip import Clip
from ddeal_core.datasets.layouts import DavisLayout
from ddeal_core.datasets.real import RealClips
from ddeal_core.datasets.synthetic import SyntheticClips
from ddeal_core.errors import DatasetError
from ddeal_core.network import Ddeal
from ddeal_core.tracking import soft_aggregation
from ddeal_core.training import LossWeights
from ddeal_core.training.clip_pass import ClipBatch, ClipPass
from ddeal_core.training.data import Mixture, batches
from ddeal_core.training.losses import clip_loss
from ddeal_core.training.recipe import Recurrence


def make_mixture(root):
    options = {"size": (32, 48), "frames": 3, "seed": 5}
    real = RealClips(DavisLayout(root).sequences(), **options)
    return Mixture(SyntheticClips(**options), real, real_share=0.5, seed=5)


def take_lazily(source, *, steps, part=slice(0, 4), workers=0, objects=2):
    return batches(
        source, steps=steps, clips=4, part=part, objects=objects, seed=5, workers=workers
    )


def take(source, **options):
    return list(take_lazily(source, **options))


def same(a, b):
    return all(
        torch.equal(getattr(a, name), getattr(b, name)) for name in ("images", "masks", "valid")
    )


def test_shapes(root):
    (batch,) = take(make_mixture(root), steps=range(1))
    assert batch.images.shape == (3, 4, 3, 32, 48)
    assert batch.masks.shape == (3, 4, 2, 32, 48)
    assert batch.valid.shape == (3, 4, 1, 32, 48)
    assert {x.dtype for x in (batch.images, batch.masks, batch.valid)} == {torch.uint8}
    assert batch.masks.max() == 1
    assert not torch.equal(batch.images[:, 0], batch.images[:, 1])
    assert batch.masks[0].flatten(2).amax(2).amax(1).all(), "every clip shows an object at first"


def test_a_worker_changes_nothing_and_its_error_arrives_in_one_line(root, tmp_path):
    data = shutil.copytree(root, tmp_path / "data")
    for path in data.glob("JPEGImages/480p/left/*.jpg"):
        path.write_bytes(b"rubbish")

    def collected(workers):
        found = []
        made = take_lazily(make_mixture(data), steps=range(2, 40), workers=workers)
        with pytest.raises(DatasetError) as caught:
            found.extend(made)
        return found, str(caught.value)

    (here, error), (elsewhere, same_error) = collected(0), collected(1)
    assert len(here) == len(elsewhere) > 0
    assert all(same(a, b) for a, b in zip(here, elsewhere, strict=True))
    assert ".jpg" in error == same_error
    assert "\n" not in error


def test_resuming_and_sharing_change_nothing(root):
    mixture = make_mixture(root)
    whole = take(mixture, steps=range(4))
    later = take(make_mixture(root), steps=range(2, 4))
    assert all(same(a, b) for a, b in zip(whole[2:], later, strict=True))
    for rank in range(2):
        part = slice(2 * rank, 2 * rank + 2)
        shared = take(mixture, steps=range(4), part=part)
        assert all(same(a.clips(part), b) for a, b in zip(whole, shared, strict=True))
    assert take(mixture, steps=range(3, 3)) == []


class Fixed:
    """One clip, again and again, with which it was asked for."""

    def __init__(self, labels):
        self.labels, self.asked = labels, []

    def clip(self, index):
        self.asked.append(index)
        images = np.zeros((*self.labels.shape, 3), np.uint8)
        return Clip(images, self.labels)


def test_the_share_of_real_clips():
    real, synthetic = (Fixed(np.ones((1, 2, 2), np.uint8)) for _ in range(2))
    mixture = Mixture(synthetic, real, real_share=0.25, seed=0)
    for index in range(1000):
        mixture.clip(index)
    assert 200 < len(real.asked) < 300
    assert sorted(real.asked + synthetic.asked) == list(range(1000))
    for share, source in ((0.0, synthetic), (1.0, real)):
        source.asked.clear()
        for index in range(20):
            Mixture(synthetic, real, share, 0).clip(index)
        assert source.asked == list(range(20))
    for both in ((real, None), (None, real)):
        real.asked.clear()
        Mixture(*both, 0.5, 0).clip(3)
        assert real.asked == [3]


def test_objects_are_chosen_and_ignored_pixels_marked():
    labels = np.zeros((2, 16, 16), np.uint8)
    labels[0, :4], labels[0, 4:8], labels[1, :2] = 1, 2, 7  # 7 is new on the second frame
    labels[:, 12:] = 255
    seen = set()
    for step in range(12):
        (batch,) = take(Fixed(labels), steps=range(step, step + 1), objects=1)
        assert not batch.valid[:, :, :, 12:].any()
        assert batch.valid[:, :, :, :12].all()
        for clip in range(4):
            mask = batch.masks[0, clip, 0].numpy()
            seen.add(next(i for i in (1, 2) if np.array_equal(mask, labels[0] == i)))
            assert not batch.masks[1, clip].any()
    assert seen == {1, 2}
    (batch,) = take(Fixed(labels), steps=range(1), objects=3)
    assert [int(n) for n in batch.masks[0, 0].flatten(1).any(1)] == [1, 1, 0]


# One pass over a clip


def make_batch(frames=4, clips=2, objects=2):
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (frames, clips, 3, 32, 48), generator=generator)
    masks = torch.zeros(frames, clips, objects, 32, 48, dtype=torch.uint8)
    for t in range(frames):
        masks[t, :, 0, 4:20, 2 * t : 2 * t + 20] = 1
        masks[t, :, -1, 20:30, 20:40] = 1
    valid = torch.ones(frames, clips, 1, 32, 48, dtype=torch.uint8)
    return ClipBatch(images.to(torch.uint8), masks, valid)


def first(batch, frames):
    return ClipBatch(batch.images[:frames], batch.masks[:frames], batch.valid[:frames])


def unroll(network, batch, weights, hand_on):
    """The pass in plain words: a list of losses."""
    images, masks, valid = batch.images.float() / 255, batch.masks.float(), batch.valid.float()
    state = network.start(network.encode(images[0]), masks[0])
    losses = []
    for t in range(1, len(images)):
        encoding = network.encode(images[t])
        prediction = network.segment(encoding, state)
        losses.append(clip_loss(prediction, masks[t], valid[t], weights))
        merged = soft_aggregation(prediction.log_odds)[:, 1:]
        state = network.update(encoding, state, prediction, hand_on(merged, masks[t]))
    return torch.stack(losses).mean()


@pytest.fixture
def network():
    torch.manual_seed(0)
    return Ddeal(TINY).eval()


@pytest.fixture
def forgetful():
    """The same without a memory: nothing is left to chance."""
    torch.manual_seed(0)
    return Ddeal(replace(TINY, memory_frames=0)).eval()


def run(network, batch, recurrence, seed=0):
    weights = LossWeights(dice=0.5)
    return ClipPass(network, weights)(batch, recurrence, torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(
    ("truth", "hand_on"), [(0.0, lambda merged, mask: merged), (1.0, lambda merged, mask: mask)]
)
def test_a_pass_is_the_recurrence_unrolled(forgetful, truth, hand_on):
    batch = make_batch()
    loss, _ = run(forgetful, batch, Recurrence(truth=truth))
    expected = unroll(forgetful, batch, LossWeights(dice=0.5), hand_on)
    torch.testing.assert_close(loss, expected, atol=1e-5, rtol=1e-5)
    other, _ = run(forgetful, batch, Recurrence(truth=1 - truth))
    assert (other - loss).abs() > 1e-6


def test_frames_without_truth_hand_their_prediction_on(network):
    batch = make_batch()
    batch.valid[1:3] = 0
    torch.testing.assert_close(
        run(network, batch, Recurrence(truth=1.0))[0], run(network, batch, Recurrence(truth=0.0))[0]
    )


def test_corruption_is_drawn_from_the_generator_alone(network):
    batch = make_batch()
    recurrence = Recurrence(truth=0.5, corruption=0.5)
    torch.manual_seed(1)
    a, _ = run(network, batch, recurrence)
    torch.manual_seed(2)
    b, _ = run(network, batch, recurrence)
    assert torch.equal(a, b)
    losses = {float(run(network, batch, recurrence, seed)[0].detach()) for seed in range(6)}
    assert len(losses) > 2


def test_gradients_reach_everything_through_time(network):
    loss, jaccard = run(network.train(), make_batch(), Recurrence())
    loss.backward()
    assert 0 <= jaccard <= 1
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
    assert network.appearance.raw_concentration.grad.abs().sum() > 0


def test_frames_that_are_only_followed_leave_no_gradient_and_lose_none(network):
    batch = make_batch(frames=5)
    network.train()
    with torch.autocast("cpu", torch.bfloat16):
        loss, _ = run(network, batch, Recurrence(burn_in=2))
    loss.backward()
    for name, parameter in network.named_parameters():
        # Those of the heads too: autocast must not keep what it cast without a gradient.
        assert parameter.grad is not None, name
    assert network.fusion.conv1.weight.grad.abs().sum() > 0


def test_a_burn_in_is_the_recurrence_without_its_first_losses(forgetful):
    batch = make_batch(frames=5, objects=1)
    whole = [run(forgetful, first(batch, n), Recurrence())[0] for n in (3, 5)]
    late, _ = run(forgetful, batch, Recurrence(burn_in=2))
    torch.testing.assert_close(late, (4 * whole[1] - 2 * whole[0]) / 2)


def distinct(network, batch, recurrence, seeds):
    losses = (run(network, batch, recurrence, seed)[0].detach() for seed in range(seeds))
    return {round(float(loss), 6) for loss in losses}


def test_cues_are_dropped_as_in_table_v_or_all_but_propagation(forgetful):
    batch = make_batch(frames=3)
    (full,) = distinct(forgetful, batch, Recurrence(), 1)
    losses = distinct(forgetful, batch, Recurrence(cue_dropout=1.0), 24)
    assert len(losses) == 5, "lines 2 to 5, and propagation alone"
    assert full not in losses


def test_some_frames_are_remembered(network, forgetful):
    batch = make_batch(frames=5)
    assert len(distinct(forgetful, batch, Recurrence(), 5)) == 1
    assert len(distinct(network, batch, Recurrence(), 5)) > 1


def test_jaccard_of_a_perfect_and_a_hopeless_network(network):
    batch = make_batch(objects=1)
    with torch.no_grad():
        network.upsampling.predictor.weight.zero_()
        network.upsampling.predictor.bias.copy_(torch.tensor([20.0, -20.0]))
        assert run(network, batch, Recurrence())[1] == 0
        batch.masks[1:] = 0
        assert run(network, batch, Recurrence())[1] == 1  # nothing there, nothing found
        batch.masks[1:] = 1
        network.upsampling.predictor.bias.neg_()
        assert run(network, batch, Recurrence())[1] == 1
