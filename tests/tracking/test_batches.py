"""Many objects, and too little memory for them at once."""

import logging
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from forked import Forked

from ddeal_core.errors import WeightsError
from ddeal_core.tracking import Segmenter
from ddeal_core.tracking import tracker as tracker_module
from ddeal_core.tracking.batches import Batches, is_out_of_memory


def works_up_to(most, tried, *, error=None):
    """A computation that has memory for so many."""

    def compute(part):
        size = part.stop - part.start
        tried.append(size)
        if size > most:
            raise error or torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return list(range(part.start, part.stop))

    return compute


def test_enough_memory():
    tried, batches = [], Batches("objects")
    assert list(batches.run(7, works_up_to(9, tried), most=3)) == [[0, 1, 2], [3, 4, 5], [6]]
    assert batches.limit is None
    assert list(batches.run(0, works_up_to(9, tried), most=3)) == []


def test_halving(caplog):
    tried, freed = [], []
    batches = Batches("objects", free=lambda: freed.append(True))
    parts = list(batches.run(10, works_up_to(2, tried), most=10))
    assert [number for part in parts for number in part] == list(range(10))
    assert tried == [10, 5, 2, 2, 2, 2, 2]
    assert batches.limit == 2
    assert len(freed) == 2
    assert "10 objects at once: it goes on with 5" in caplog.messages[0]
    tried.clear()
    list(batches.run(10, works_up_to(2, tried), most=10))  # on the next frame
    assert tried == [2] * 5
    assert len(caplog.messages) == 2


def test_what_cannot_be_halved_is_raised():
    with pytest.raises(torch.OutOfMemoryError):
        list(Batches("objects").run(4, works_up_to(0, []), most=4))
    for error in (RuntimeError("shapes do not fit"), ValueError("out of memory")):
        tried = []
        with pytest.raises(type(error)):
            list(Batches("objects").run(4, works_up_to(0, tried, error=error), most=4))
        assert tried == [4]


def test_words_of_lacking_memory():
    assert is_out_of_memory(MemoryError())
    with pytest.raises(RuntimeError) as caught:
        torch.empty(1 << 60)
    assert is_out_of_memory(caught.value)
    assert not is_out_of_memory(RuntimeError("no kernel"))
    assert not is_out_of_memory(OSError("out of memory"))


@pytest.fixture
def scene():
    """Three frames with twelve objects."""
    rng = np.random.default_rng(2)
    frames = [rng.integers(0, 256, (48, 64, 3), np.uint8) for _ in range(4)]
    labels = np.zeros((48, 64), np.uint8)
    for i in range(12):
        labels[16 * (i // 4) + 2 : 16 * (i // 4) + 13, 16 * (i % 4) + 2 : 16 * (i % 4) + 13] = i + 1
    return frames, labels


@pytest.mark.parametrize("preset", ["compact", "released-resnet50"])
def test_objects_in_batches_give_the_same(make_network, scene, preset, monkeypatch):
    frames, labels = scene
    segmenter = Segmenter(make_network(preset))
    together = list(segmenter.track(frames, {0: labels, 2: np.where(labels == 5, 77, 0)}))
    monkeypatch.setattr(tracker_module, "_PIXELS_AT_ONCE", 5 * 48 * 64)
    monkeypatch.setattr("ddeal_core.tracking.maps._PIXELS_AT_ONCE", 3 * 48 * 64)
    apart = list(segmenter.track(frames, {0: labels, 2: np.where(labels == 5, 77, 0)}))
    for one, other in zip(together, apart, strict=True):
        assert one.object_ids == other.object_ids
        np.testing.assert_allclose(one.probabilities, other.probabilities, atol=1e-5)
        differ = one.labels != other.labels
        assert differ.mean() < 1e-3  # where two objects tie to the last digits


def test_the_network_runs_out_of_memory(make_network, scene, monkeypatch, caplog):
    """A real network, whose heads refuse more than three objects, and its backbone two frames."""
    frames, labels = scene
    segmenter = Segmenter(make_network("compact"), look_ahead=4)
    expected = list(segmenter.track(frames, labels))
    network = segmenter._network

    def refuse(module, inputs):
        if len(inputs[0]) > limits[module]:
            raise torch.OutOfMemoryError("CUDA out of memory.")

    limits = {network.upsampling: 3, network.backbone: 2}
    for module in limits:
        module.register_forward_pre_hook(refuse)
    found = list(segmenter.track(frames, labels))
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one.probabilities, other.probabilities, atol=1e-5)
    said = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert any("12 objects at once: it goes on with 6" in text for text in said)
    assert any("6 objects at once: it goes on with 3" in text for text in said)
    assert any("4 frames at once: it goes on with 2" in text for text in said)


def limited():
    """In a process that may not have the memory for 100 objects at once, only for some of them."""
    import resource

    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stdout)
    convolution = torch.nn.Conv2d(8, 8, 3, padding=1)
    frame = torch.ones(1, 8, 256, 256)

    def heads(part):
        with torch.inference_mode():
            some = frame.expand(part.stop - part.start, -1, -1, -1)
            return convolution(some).amax((1, 2, 3))

    heads(slice(0, 1))
    held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (held + (120 << 20),) * 2)
    found = torch.cat(list(Batches("objects").run(100, heads, most=100)))
    assert found.shape == (100,)
    assert bool((found == found[0]).all())


@pytest.mark.skipif(sys.platform != "linux", reason="limits of address space are Linux's")
def test_a_real_limit(tmp_path):
    process = Forked(tmp_path, limited)
    assert process.ended() == 0, process.err.read_text()
    said = process.out.read_text()
    assert "memory is not enough for 100 objects at once: it goes on with 50" in said


def test_an_answer_that_is_no_number(make_network, scene):
    frames, labels = scene
    network = make_network("compact")
    with torch.no_grad():
        network.fusion.conv1.weight.fill_(3e38)  # finite, and too much for any sum
        network.fusion.conv1.weight[::2] *= -1
    results = Segmenter(network).track(frames, labels)
    next(results)
    with pytest.raises(WeightsError, match="frame 1 is no number"):
        next(results)
