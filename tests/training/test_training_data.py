"""Batches: the same for any number of workers, processes and resumptions; and one clip's pass."""

import numpy as np
import pytest
import torch
from tiny_run import TINY, make_recipe, write_davis

from ddeal_core.datasets.clip import Clip
from ddeal_core.datasets.layouts import DavisLayout
from ddeal_core.datasets.real import RealClips
from ddeal_core.datasets.synthetic import SyntheticClips
from ddeal_core.network import Ddeal
from ddeal_core.tracking import soft_aggregation
from ddeal_core.training import LossWeights
from ddeal_core.training.clip_pass import ClipBatch, ClipPass
from ddeal_core.training.data import Mixture, batches
from ddeal_core.training.losses import clip_loss
from ddeal_core.training.recipe import Recurrence

pytestmark = pytest.mark.usefixtures("one_thread")


def make_mixture(root):
    options = {"size": (32, 48), "frames": 3, "seed": 5}
    real = RealClips(DavisLayout(root).sequences(), **options)
    return Mixture(SyntheticClips(**options), real, real_share=0.5, seed=5)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return write_davis(tmp_path_factory.mktemp("davis"))


def take(source, *, steps, part=slice(0, 4), workers=0, objects=2):
    return list(
        batches(source, steps=steps, clips=4, part=part, objects=objects, seed=5, workers=workers)
    )


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


def test_workers_change_nothing(root):
    mixture = make_mixture(root)
    here, elsewhere = (take(mixture, steps=range(2, 5), workers=n) for n in (0, 1))
    assert len(here) == len(elsewhere) == 3
    assert all(same(a, b) for a, b in zip(here, elsewhere, strict=True))
    assert not same(here[0], here[1])


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


def run(network, batch, recurrence, seed=0):
    weights = LossWeights(dice=0.5)
    return ClipPass(network, weights)(batch, recurrence, torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(
    ("truth", "hand_on"), [(0.0, lambda merged, mask: merged), (1.0, lambda merged, mask: mask)]
)
def test_a_pass_is_the_recurrence_unrolled(network, truth, hand_on):
    batch = make_batch()
    loss, _ = run(network, batch, Recurrence(truth=truth, remembering=0))
    expected = unroll(network, batch, LossWeights(dice=0.5), hand_on)
    torch.testing.assert_close(loss, expected, atol=1e-5, rtol=1e-5)
    other, _ = run(network, batch, Recurrence(truth=1 - truth, remembering=0))
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


def test_a_burn_in_is_the_recurrence_without_its_first_losses(network):
    batch = make_batch(frames=5, objects=1)
    network.eval()
    whole = [run(network, first(batch, n), Recurrence(remembering=1))[0] for n in (3, 5)]
    late, _ = run(network, batch, Recurrence(remembering=1, burn_in=2))
    torch.testing.assert_close(late, (4 * whole[1] - 2 * whole[0]) / 2)


def test_cues_are_dropped_as_in_table_v_or_all_but_propagation(network):
    batch = make_batch(frames=3)
    network.eval()
    full = float(run(network, batch, Recurrence(remembering=0))[0].detach())
    losses = {
        round(
            float(
                run(network, batch, Recurrence(remembering=0, cue_dropout=1.0), seed)[0].detach()
            ),
            6,
        )
        for seed in range(24)
    }
    assert len(losses) == 5, "lines 2 to 5, and propagation alone"
    assert round(full, 6) not in losses


def test_a_memory_is_kept_as_often_as_told(network):
    network.eval()
    batch = make_batch(frames=5)
    never, sometimes, always = (
        {float(run(network, batch, Recurrence(remembering=p), s)[0].detach()) for s in range(5)}
        for p in (0.0, 0.5, 1.0)
    )
    assert len(never) == len(always) == 1 < len(sometimes)
    assert never != always


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


def test_the_tiny_recipe_draws_both_kinds():
    assert 0 < make_recipe().stages[0].real_share < 1
