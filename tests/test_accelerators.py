"""The same answers on a GPU. Skipped without one; DDEAL_REQUIRE_CUDA=1 fails instead."""

import os

import numpy as np
import pytest
import torch

from ddeal_core import Segmenter
from ddeal_core.inference.network import for_inference
from ddeal_core.inference.replay import CudaGraphs
from ddeal_core.tracking.tracker import Tracker
from ddeal_core.training import ClipBatch, ClipPass, LossWeights, Recurrence


@pytest.fixture
def cuda(monkeypatch):
    if not torch.cuda.is_available():
        if os.environ.get("DDEAL_REQUIRE_CUDA") == "1":
            pytest.fail("DDEAL_REQUIRE_CUDA is set, but torch finds no CUDA device")
        pytest.skip("no CUDA device")
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    monkeypatch.setattr(torch.backends.cuda.matmul, "allow_tf32", False)
    return "cuda"


@pytest.fixture(params=[pytest.param("cuda", marks=pytest.mark.needs_cuda), "mps"])
def device(request):
    if request.param == "cuda":
        return request.getfixturevalue("cuda")
    if not torch.backends.mps.is_available():
        pytest.skip("no MPS device")
    return "mps"


@pytest.fixture(params=["compact", "paper-resnet50", "released-resnet50"])
def network(request, make_preset):
    return make_preset(request.param)


def test_tracking_agrees_with_the_cpu(network, tiny_clip, device):
    state = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    expected = list(Segmenter(network).track(tiny_clip.frames, tiny_clip.masks[0]))
    network.load_state_dict(state)
    found = list(Segmenter(network.to(device)).track(tiny_clip.frames, tiny_clip.masks[0]))
    for one, other in zip(expected, found, strict=True):
        np.testing.assert_allclose(one.probabilities, other.probabilities, atol=1e-3)
        assert (one.labels != other.labels).mean() < 1e-3


def test_the_same_bytes_twice(network, tiny_clip, device):
    segmenter = Segmenter(network.to(device))
    first, second = (
        [r.labels for r in segmenter.track(tiny_clip.frames, tiny_clip.masks[0])] for _ in range(2)
    )
    np.testing.assert_array_equal(first, second)


@pytest.mark.needs_cuda
@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_half_precision_tracks_without_nans(network, tiny_clip, precision, cuda):
    segmenter = Segmenter(network.to(cuda), precision=precision)
    for result in segmenter.track(tiny_clip.frames, tiny_clip.masks[0]):
        assert np.isfinite(result.probabilities).all()


@pytest.mark.needs_cuda
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("look_ahead", [1, 3])
def test_graphs_answer_as_single_launches_do(network, tiny_clip, precision, look_ahead, cuda):
    """Also where an object joins, and where the memory grows."""
    late = np.where(np.roll(tiny_clip.masks[3], 30, axis=0) == 1, 7, 0)
    masks = {0: tiny_clip.masks[0], 3: late}
    frames = tiny_clip.frames * 3
    network = network.to(cuda)
    single, graphs = (
        Segmenter(network, precision=precision, look_ahead=look_ahead, cuda_graphs=wanted)
        for wanted in (False, True)
    )
    for one, other in zip(single.track(frames, masks), graphs.track(frames, masks), strict=True):
        np.testing.assert_allclose(one.probabilities, other.probabilities, atol=1e-3)
        assert (one.labels != other.labels).mean() < 1e-3


@pytest.mark.needs_cuda
def test_graphs_leave_results_alone(network, tiny_clip, cuda):
    """Results are read long after the graphs have played again."""
    segmenter = Segmenter(network.to(cuda), cuda_graphs=True)
    at_once = [
        result.probabilities for result in segmenter.track(tiny_clip.frames, tiny_clip.masks[0])
    ]
    kept = list(segmenter.track(tiny_clip.frames, tiny_clip.masks[0]))
    for expected, result in zip(at_once, kept, strict=True):
        np.testing.assert_array_equal(result.probabilities, expected)


@pytest.mark.needs_cuda
def test_graphs_of_a_growing_memory_are_few(make_preset, tiny_clip, cuda):
    network = for_inference(
        make_preset("compact", memory_interval=1, memory_similarity=1.0).to(cuda),
        record=CudaGraphs(torch.device(cuda)),
    )
    tracker = Tracker(network)
    for index in range(8):
        tracker.step(tiny_clip.frames[index], tiny_clip.masks[0] if index == 0 else None)
    assert network._segment.recordings == 1


@pytest.mark.needs_cuda
def test_a_training_pass_agrees_with_the_cpu(make_preset, cuda):
    rng = np.random.default_rng(0)
    batch = ClipBatch(
        torch.from_numpy(rng.integers(0, 256, (3, 2, 3, 32, 48), dtype=np.uint8)),
        torch.from_numpy(rng.integers(0, 2, (3, 2, 1, 32, 48), dtype=np.uint8)),
        torch.ones(3, 2, 1, 32, 48, dtype=torch.uint8),
    )
    weights = LossWeights(dice=0.5, cues=0.3)
    losses = []
    for device in ("cpu", cuda):
        clip_pass = ClipPass(make_preset("compact").to(device), weights)
        loss, _ = clip_pass(
            batch.to(torch.device(device)),
            Recurrence(truth=0.5, corruption=0.5),
            torch.Generator().manual_seed(0),
        )
        loss.backward()
        losses.append(float(loss.detach()))
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)
