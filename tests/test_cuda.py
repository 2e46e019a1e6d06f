"""The same answers on an NVIDIA GPU. Skipped without one; DDEAL_REQUIRE_CUDA=1 fails instead."""

import os

import numpy as np
import pytest
import torch

from ddeal_core import Segmenter
from ddeal_core.training import ClipBatch, ClipPass, LossWeights, Recurrence

pytestmark = pytest.mark.needs_cuda


@pytest.fixture(autouse=True)
def _cuda() -> None:
    if not torch.cuda.is_available():
        if os.environ.get("DDEAL_REQUIRE_CUDA") == "1":
            pytest.fail("DDEAL_REQUIRE_CUDA is set, but torch finds no CUDA device")
        pytest.skip("no CUDA device")
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False


@pytest.fixture(params=["compact", "paper-resnet50", "released-resnet50"])
def network(request, make_network):
    return make_network(request.param)


def test_tracking_agrees_with_the_cpu(network, tiny_clip):
    state = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    expected = list(Segmenter(network).track(tiny_clip.frames, tiny_clip.masks[0]))
    network.load_state_dict(state)
    found = list(Segmenter(network.cuda()).track(tiny_clip.frames, tiny_clip.masks[0]))
    for one, other in zip(expected, found, strict=True):
        np.testing.assert_allclose(one.probabilities, other.probabilities, atol=1e-3)
        assert (one.labels != other.labels).mean() < 1e-3


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_half_precision_tracks_without_nans(network, tiny_clip, precision):
    segmenter = Segmenter(network.cuda(), precision=precision)
    for result in segmenter.track(tiny_clip.frames, tiny_clip.masks[0]):
        assert np.isfinite(result.probabilities).all()


def test_the_same_bytes_twice(network, tiny_clip):
    segmenter = Segmenter(network.cuda())
    first, second = (
        [r.labels for r in segmenter.track(tiny_clip.frames, tiny_clip.masks[0])] for _ in range(2)
    )
    np.testing.assert_array_equal(first, second)


def test_a_training_pass_agrees_with_the_cpu(make_network):
    rng = np.random.default_rng(0)
    batch = ClipBatch(
        torch.from_numpy(rng.integers(0, 256, (3, 2, 3, 32, 48), dtype=np.uint8)),
        torch.from_numpy(rng.integers(0, 2, (3, 2, 1, 32, 48), dtype=np.uint8)),
        torch.ones(3, 2, 1, 32, 48, dtype=torch.uint8),
    )
    weights = LossWeights(dice=0.5, cues=0.3)
    losses = []
    for device in ("cpu", "cuda"):
        clip_pass = ClipPass(make_network("compact").to(device), weights)
        loss, _ = clip_pass(
            batch.to(torch.device(device)),
            Recurrence(truth=0.5, corruption=0.5),
            torch.Generator().manual_seed(0),
        )
        loss.backward()
        losses.append(float(loss.detach()))
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)
