"""Replaying what was recorded. A CPU has no graphs: here a recording computes anew, in its place.

It reads and writes the same memory each time, as a CUDA graph does. tests/test_accelerators.py has
the real ones.
"""

import gc
import weakref
from dataclasses import fields, is_dataclass, replace
from typing import NamedTuple

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from ddeal_core import Segmenter
from ddeal_core.errors import InputError
from ddeal_core.inference.network import for_inference
from ddeal_core.inference.replay import Replayed
from ddeal_core.network.dense.memory import Memory, pad_to_bucket
from ddeal_core.tracking.merging import soft_aggregation, to_labels
from ddeal_core.tracking.tracker import Tracker


def tensors_of(value):
    if isinstance(value, torch.Tensor):
        return [value]
    if is_dataclass(value):
        value = tuple(getattr(value, field.name) for field in fields(value))
    return [t for item in value for t in tensors_of(item)] if isinstance(value, tuple) else []


def in_place(function):
    """Record: results come to lie where those of the first run are."""
    results = function()
    places = tensors_of(results)

    def play():
        for place, tensor in zip(places, tensors_of(function()), strict=True):
            place.copy_(tensor)

    return results, play


@pytest.mark.parametrize("preset", ["compact", "paper-resnet50", "released-resnet50"])
def test_a_replayed_network_answers_the_same(make_network, tiny_clip, preset):
    changes = {"memory_interval": 1, "memory_frames": 3} if preset == "compact" else {}
    network = make_network(preset, **changes)
    late = np.where(np.roll(tiny_clip.masks[3], 30, axis=0) == 1, 7, 0)
    given = {0: tiny_clip.masks[0], 3: late}

    def track(prepared):
        tracker = Tracker(prepared)
        return [tracker.step(f, given.get(i)) for i, f in enumerate(tiny_clip.frames * 2)]

    replayed = for_inference(network, record=in_place)
    expected, found = track(for_inference(network)), track(replayed)
    assert replayed._encode.recordings == replayed._follow.recordings - 1 == 1
    assert replayed._segment.recordings >= 2
    assert [r.object_ids for r in found] == [(1,)] * 3 + [(1, 7)] * 13
    for one, other in zip(expected, found, strict=True):
        np.testing.assert_allclose(one.probabilities, other.probabilities, atol=1e-4)
        assert (one.labels != other.labels).mean() < 1e-3


def test_a_fork_is_not_disturbed(make_network, tiny_clip):
    network = for_inference(make_network("compact", memory_interval=1), record=in_place)
    tracker = Tracker(network)
    for index in range(4):
        tracker.step(tiny_clip.frames[index], tiny_clip.masks[0] if index == 0 else None)
    fork = tracker.fork()
    assert network._segment.recordings == 1
    first = tracker.step(tiny_clip.frames[4]).probabilities
    tracker.step(tiny_clip.frames[4][::-1])
    np.testing.assert_array_equal(fork.step(tiny_clip.frames[4]).probabilities, first)


def test_a_growing_memory_needs_few_recordings(make_network, tiny_clip):
    network = for_inference(
        make_network("compact", memory_interval=1, memory_similarity=1.0), record=in_place
    )
    tracker = Tracker(network)
    for index in range(8):
        tracker.step(tiny_clip.frames[index], tiny_clip.masks[0] if index == 0 else None)
    assert tracker.state.memory.keys.shape[2] == 7 * 12 * 16
    assert network._encode.recordings == 1
    assert network._segment.recordings == 1  # of a memory of up to 2,048
    assert network._follow.recordings == 1
    network.forget()
    assert network._segment.recordings == 0


def test_networks_and_their_recordings_go_at_once(make_network, tiny_clip):
    gc.collect()
    gc.disable()
    try:
        network = for_inference(make_network("compact"), record=in_place)
        tracker = Tracker(network)
        for index in range(4):
            tracker.step(tiny_clip.frames[index], tiny_clip.masks[0] if index == 0 else None)
        seen = weakref.ref(network)
        del network, tracker
        assert seen() is None
    finally:
        gc.enable()


def test_first_frames_of_several_videos_are_padded_alike(make_network, tiny_clip):
    network = for_inference(make_network("compact"), record=in_place)
    kept = set()
    for shift in (0, 10, 20):
        tracker = Tracker(network)
        mask = np.roll(tiny_clip.masks[0], shift, axis=1)
        for index in range(4):
            tracker.step(tiny_clip.frames[index], mask if index == 0 else None)
        kept.add(tracker.state.references[0].dense_keys.shape[2])
    assert len(kept) > 1
    assert network._segment.recordings == 1


def test_a_memory_that_is_padded_matches_the_same(make_network):
    dense = make_network("compact").dense_matching
    rng = torch.Generator().manual_seed(0)
    query = torch.randn(1, 8, 4, 5, generator=rng)
    keys = torch.randn(1, 8, 33, generator=rng)
    weights = torch.rand(1, 2, 2, 33, generator=rng).log()
    memory = Memory.of(keys, weights, interval=1)
    filled = memory.padded_to_bucket()
    assert filled.keys.shape[2] == filled.log_masks.shape[3] == 2048
    low = weights[..., :20] - 100  # the memory alone decides
    with torch.inference_mode():
        plain, padded = (
            dense(query, ((query.flatten(2), low),), (query, low), m) for m in (memory, filled)
        )
    torch.testing.assert_close(padded, plain)


class Pair(NamedTuple):
    left: torch.Tensor
    right: torch.Tensor | None


def test_kernels_come_in_few_numbers():
    sizes = set()
    for count in range(1, 40_000, 97):
        keys, weights = pad_to_bucket(torch.zeros(1, 1, count), torch.zeros(1, 1, 2, count))
        assert keys.shape[2] == weights.shape[3] < max(count + 2048, count * 1.25)
        assert (weights[0, 0, 0] < -1e3).sum() == keys.shape[2] - count
        sizes.add(keys.shape[2])
    assert len(sizes) <= 14
    whole, _ = pad_to_bucket(torch.zeros(1, 1, 4096), torch.zeros(1, 1, 2, 4096))
    assert whole.shape[2] == 4096


def counting(function):
    calls = []

    def record(work):
        calls.append("recorded")
        results, play = in_place(work)

        def played():
            calls.append("played")
            play()

        return results, played

    return Replayed(function, record), calls


def test_shapes_and_words_decide_which_recording_is_played():
    def twice(pair, *, how):
        return Pair(pair.left * 2, None if how == "less" else pair.left.sum()), how

    replayed, calls = counting(twice)
    calling = [(3, "less"), (3, "less"), (4, "less"), (3, "more"), (3, "less"), (3, "more")]
    for length, how in calling:
        x = torch.arange(float(length))
        (left, right), word = replayed(Pair(x, None), how=how)
        torch.testing.assert_close(left, 2 * x)
        assert word == how
        assert (right is None) == (how == "less")
    # the first time, each is computed as usual; (4, "less") never came again
    assert calls == ["recorded", "played", "played", "recorded", "played"]
    assert replayed.recordings == 2


def test_results_stay_when_it_is_called_again():
    replayed, _ = counting(lambda x: (x + 1, x))
    kept = [replayed(torch.full((2,), float(i))) for i in range(5)]
    for i, (more, same) in enumerate(kept):
        assert more.tolist() == [i + 1, i + 1]
        assert same.tolist() == [i, i]


def test_layouts_and_types_have_recordings_of_their_own():
    replayed, calls = counting(lambda x: x.flatten()[:4] * 1)
    x = torch.arange(24.0).view(1, 2, 3, 4)
    for y in (x, x.to(memory_format=torch.channels_last), x.double(), x.transpose(2, 3)):
        for _ in range(2):
            torch.testing.assert_close(replayed(y), y.flatten()[:4])
    assert calls.count("recorded") == 4
    # a batch of one: how far the next one lies is nothing to it
    torch.testing.assert_close(replayed(x.as_strided(x.shape, (7, 12, 4, 1))), x.flatten()[:4])
    assert calls.count("recorded") == 4


def test_recordings_are_bounded():
    replayed, calls = counting(lambda x: x + 1)
    for length in range(1, 41):
        replayed(torch.zeros(length))
        replayed(torch.zeros(length))
    assert replayed.recordings == 32
    replayed(torch.zeros(40))  # among the last
    assert calls.count("recorded") == 40
    assert replayed(torch.zeros(1)).tolist() == [1]  # forgotten, recorded anew
    assert calls.count("recorded") == 41


def test_autocast_has_recordings_of_its_own():
    replayed, calls = counting(lambda x: x @ x)
    x = torch.ones(2, 2)
    for _ in range(2):
        assert replayed(x).dtype == torch.float32
        with torch.autocast("cpu", torch.bfloat16):
            assert replayed(x).dtype == torch.bfloat16
    assert calls.count("recorded") == 2


def test_without_memory_for_a_recording_it_is_computed_as_usual():
    def refuse(function):
        raise torch.OutOfMemoryError("CUDA out of memory.")

    replayed = Replayed(lambda x: x + 1, refuse)
    for i in range(3):
        assert replayed(torch.tensor([float(i)])).tolist() == [i + 1]
    assert replayed.recordings == 0


class OnDevice(TorchDispatchMode):
    """Notes the numbers that a device would have to know."""

    def __init__(self):
        super().__init__()
        self.types = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        self.types |= {t.dtype for t in tensors_of((result,)) if t.device.type != "cpu"}
        return result


@pytest.mark.parametrize("preset", ["compact", "paper-resnet50", "released-resnet50"])
def test_the_work_of_a_frame_stays_on_its_device(make_network, preset):
    """On torch's device without data: nothing is read from it, and nothing else is mixed in.

    That is what a CUDA graph wants, and it keeps every GPU from waiting.
    """
    # which kernels are kept is asked once a video
    changes = {"memory_similarity": 1.0} if preset == "compact" else {}
    network = for_inference(make_network(preset, **changes)).to("meta")
    with torch.inference_mode(), OnDevice() as seen:
        encoding = network.encode(torch.empty(1, 3, 96, 128, device="meta"))
        state = network.start(encoding, torch.empty(1, 2, 96, 128, device="meta"))
        if encoding.dense is not None:
            state = replace(
                state,
                memory=Memory.of(
                    torch.empty(1, 8, 40, device="meta"),
                    torch.empty(1, 2, 2, 40, device="meta"),
                    interval=5,
                ).padded_to_bucket(),
            )
        prediction = network.segment(encoding, state)
        merged = soft_aggregation(prediction.log_odds)
        to_labels(merged)
        after = network.update(encoding, state, prediction, merged[:, 1:], remember=False)
    assert after.last_masks.device.type == "meta"
    assert torch.float32 in seen.types
    assert torch.float64 not in seen.types  # Apple's GPUs have none


def test_graphs_are_for_nvidia_gpus(make_network):
    with pytest.raises(InputError, match="NVIDIA"):
        Segmenter(make_network("compact"), cuda_graphs=True)


def test_a_prepared_network_cannot_be_recorded(make_network):
    with pytest.raises(ValueError, match="record"):
        for_inference(for_inference(make_network("compact")), record=in_place)


def test_weights_in_bfloat16_answer_as_autocast_does(make_network, tiny_clip):
    network = make_network("compact")
    expected = Tracker(for_inference(network), precision=torch.bfloat16)
    found = Segmenter(network, precision="bfloat16").tracker()
    for index, frame in enumerate(tiny_clip.frames[:4]):
        given = tiny_clip.masks[0] if index == 0 else None
        one, other = expected.step(frame, given), found.step(frame, given)
        np.testing.assert_array_equal(one.probabilities, other.probabilities)
