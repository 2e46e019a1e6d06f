"""The front door: weights, masks by frame, and the generator over a video."""

import numpy as np
import pytest
import torch

from ddeal_core import Segmenter
from ddeal_core.errors import InputError, MaskError, WeightsError
from ddeal_core.media import Mask
from ddeal_core.network import Ablation
from ddeal_core.tracking import Tracker, resolve_device
from ddeal_core.weights import Checkpoint, save_checkpoint


@pytest.fixture(scope="module")
def segmenter(make_network):
    return Segmenter(make_network("compact"))


@pytest.fixture(scope="module")
def weights(make_network, tmp_path_factory):
    network = make_network("compact", short_side=32)
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    save_checkpoint(Checkpoint(network.config, network.state_dict()), path)
    return path


def one(mask, value=1):
    return (mask > 0).astype(np.uint8) * value


def test_a_generator_over_frames(segmenter, tiny_clip):
    pulled = []

    def frames():
        for index, frame in enumerate(tiny_clip.frames):
            pulled.append(index)
            yield frame

    results = segmenter.track(frames(), tiny_clip.masks[0])
    assert pulled == []
    first = next(results)
    assert pulled == [0]  # a frame is taken when its result is wanted
    np.testing.assert_array_equal(first.labels, tiny_clip.masks[0])
    rest = list(results)
    assert [r.index for r in rest] == list(range(1, len(tiny_clip.frames)))
    assert all(r.labels.shape == (96, 128) for r in rest)


def test_the_generator_leaks_no_mode(segmenter, tiny_clip):
    for _ in segmenter.track(tiny_clip.frames[:3], tiny_clip.masks[0]):
        assert not torch.is_inference_mode_enabled()
        assert torch.is_grad_enabled()
        x = torch.ones(2, requires_grad=True)
        (x * 2).sum().backward()
    results = segmenter.track(tiny_clip.frames[:3], tiny_clip.masks[0])
    next(results)
    results.close()
    assert not torch.is_inference_mode_enabled()


def test_two_videos_at_a_time(segmenter, tiny_clip):
    frames, mask = tiny_clip.frames[:4], tiny_clip.masks[0]
    alone = [r.probabilities for r in segmenter.track(frames, mask)]
    pairs = zip(
        segmenter.track(frames, mask),
        segmenter.track([f[::-1] for f in frames], mask[::-1]),
        strict=True,
    )
    for expected, (result, _) in zip(alone, pairs, strict=True):
        np.testing.assert_array_equal(result.probabilities, expected)


def test_masks_by_frame(segmenter, tiny_clip):
    frames = tiny_clip.frames
    late = one(np.roll(tiny_clip.masks[3], 20, axis=0), 200)
    results = list(segmenter.track(frames, {0: tiny_clip.masks[0], 3: late}))
    assert [r.object_ids for r in results] == [(1,)] * 3 + [(1, 200)] * 5
    np.testing.assert_array_equal(results[3].labels == 200, late == 200)
    # Same as a tracker that is fed by hand.
    tracker = segmenter.tracker()
    assert isinstance(tracker, Tracker)
    for index, frame in enumerate(frames):
        result = tracker.step(frame, {0: tiny_clip.masks[0], 3: late}.get(index))
        np.testing.assert_array_equal(result.probabilities, results[index].probabilities)


def test_objects_that_begin_later_only(segmenter, tiny_clip):
    results = list(segmenter.track(tiny_clip.frames, {2: tiny_clip.masks[2]}))
    assert [r.object_ids for r in results] == [()] * 2 + [(1,)] * 6
    assert not results[1].labels.any()


def test_a_mask_record_is_taken_too(segmenter, tiny_clip):
    labels = tiny_clip.masks[0]
    a = list(segmenter.track(tiny_clip.frames[:2], Mask(labels=labels, object_ids=(1,))))
    b = list(segmenter.track(tiny_clip.frames[:2], labels))
    np.testing.assert_array_equal(a[1].probabilities, b[1].probabilities)


@pytest.mark.parametrize(
    ("masks", "message"),
    [
        ({}, "no mask"),
        ({0: np.zeros((96, 128), np.uint8)}, "empty"),
        (np.zeros((96, 128), np.uint8), "empty"),
        ({-1: np.ones((96, 128), np.uint8)}, "-1"),
        ({0: np.ones((128, 96), np.uint8)}, "96x128.*128x96"),
        ({0: np.full((96, 128), 255, np.uint8)}, "255"),
        ({0: np.ones((96, 128), np.uint8), 8: np.ones((96, 128), np.uint8)}, "frame 8.*8 frames"),
        (np.ones((96, 128)), "float64"),
    ],
)
def test_masks_that_do_not_fit(segmenter, tiny_clip, masks, message):
    with pytest.raises(MaskError, match=message):
        list(segmenter.track(tiny_clip.frames, masks))


def test_a_video_without_frames(segmenter):
    with pytest.raises(MaskError, match="0 frames"):
        list(segmenter.track([], np.ones((4, 4), np.uint8)))


def test_load_reads_configuration_and_weights(weights, tiny_clip):
    segmenter = Segmenter.load(weights, device="cpu")
    assert segmenter.config.backbone_width == 4
    assert segmenter.device == torch.device("cpu")
    again = Segmenter.load(str(weights), device="cpu")
    for a, b in zip(
        segmenter.track(tiny_clip.frames[:3], tiny_clip.masks[0]),
        again.track(tiny_clip.frames[:3], tiny_clip.masks[0]),
        strict=True,
    ):
        assert a.probabilities.tobytes() == b.probabilities.tobytes()


def test_resolution(weights, tiny_clip):
    answers = {}
    for resolution in (None, 32, 64, "native"):
        segmenter = Segmenter.load(weights, device="cpu", resolution=resolution)
        *_, last = segmenter.track(tiny_clip.frames[:2], tiny_clip.masks[0])
        assert last.labels.shape == (96, 128)
        answers[resolution] = last.probabilities
    np.testing.assert_array_equal(answers[None], answers[32])  # what the weights were made for
    assert not np.array_equal(answers[32], answers[64])
    assert not np.array_equal(answers[64], answers["native"])
    with pytest.raises(InputError, match="3"):
        Segmenter.load(weights, device="cpu", resolution=3)


def test_ablation_from_outside(weights, tiny_clip):
    whole = Segmenter.load(weights, device="cpu")
    part = Segmenter.load(weights, device="cpu", ablation=Ablation.table_v(5))
    assert whole.config.ablation == Ablation()
    assert part.config.ablation == Ablation.table_v(5)
    *_, a = whole.track(tiny_clip.frames[:2], tiny_clip.masks[0])
    *_, b = part.track(tiny_clip.frames[:2], tiny_clip.masks[0])
    assert np.abs(a.probabilities - b.probabilities).max() > 1e-3


def test_what_cannot_be_loaded(weights, make_network, tmp_path):
    with pytest.raises(WeightsError, match=r"none\.safetensors"):
        Segmenter.load(tmp_path / "none.safetensors")
    with pytest.raises(InputError, match="abacus"):
        Segmenter.load(weights, device="abacus")
    with pytest.raises(InputError, match="int8"):
        Segmenter(make_network("compact"), precision="int8")


def test_devices():
    assert resolve_device("cpu") == torch.device("cpu")
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    best = next((name for name, available in there.items() if available), "cpu")
    assert resolve_device("auto") == torch.device(best)
    for name, available in there.items():
        if not available:
            with pytest.raises(InputError, match=name):
                resolve_device(name)


def test_a_resolution_in_words_is_refused(make_network):
    with pytest.raises(InputError, match="'480'"):
        Segmenter(make_network(), resolution="480")
