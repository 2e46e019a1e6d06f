"""What `Result.cues` promises."""

import numpy as np
import pytest

from ddeal_core import Ablation, Segmenter
from ddeal_core.tracking.frame_cues import FrameCues


def results(network, clip, masks=None, **options):
    segmenter = Segmenter(network, keep_cues=True, **options)
    return list(segmenter.track(clip.frames, clip.masks[0] if masks is None else masks))


def test_cues_are_not_kept_unless_asked_for(make_network, tiny_clip):
    *_, last = Segmenter(make_network()).track(tiny_clip.frames[:3], tiny_clip.masks[0])
    assert last.cues is None


def test_keeping_them_changes_no_answer(make_network, tiny_clip):
    network = make_network()
    plain = Segmenter(network).track(tiny_clip.frames, tiny_clip.masks[0])
    for one, other in zip(plain, results(network, tiny_clip), strict=True):
        assert np.array_equal(one.probabilities, other.probabilities)


@pytest.mark.parametrize(("preset", "dense"), [("compact", 6), ("paper-resnet50", 0)])
def test_shapes_and_ranges_are_the_documented_ones(make_network, tiny_clip, preset, dense):
    network = make_network(preset)
    masks = {0: tiny_clip.masks[0], 2: np.roll(tiny_clip.masks[2], 40, axis=1) * 5}
    found = results(network, tiny_clip, masks, resolution=70)  # 70x93: padded to 80x96
    assert found[0].cues is None  # given, not predicted
    assert found[2].cues.object_ids == (1,)  # 5 begins here
    cues = found[4].cues
    assert cues.object_ids == (1, 5)
    assert cues.final.shape == (2, 80, 96)
    for name in ("last_masks", "coarse", "base", "supplementary", "propagation_effect"):
        assert getattr(cues, name).shape == (2, 5, 6), name
    assert cues.matching.shape == (2, 2, 5, 6)
    assert cues.appearance.shape == (2, 4, 5, 6)
    assert cues.propagation.shape == (2, 10, 5, 6)
    assert (cues.dense is None) if not dense else cues.dense.shape == (2, dense, 10, 12)
    assert np.abs(cues.matching).max() <= 1 + 1e-5
    assert np.abs(cues.propagation_effect).max() <= 1
    assert cues.propagation.min() >= 0
    for name in ("last_masks", "coarse", "final", "base", "supplementary"):
        values = getattr(cues, name)
        assert values.dtype == np.float32, name
        assert values.min() >= 0, name
        assert values.max() <= 1, name
        assert np.ptp(values) > 0, name


def test_the_maps_are_those_of_the_answer(make_network, tiny_clip):
    # Merging one object with the background squares its odds. What is far leaves the answer only.
    last = results(make_network(reach=0.0), tiny_clip)[-1]
    shown = last.cues.at_frame_size(last.cues.final[0], (96, 128)).astype(np.float64)
    odds = (shown / (1 - shown)) ** 2
    np.testing.assert_allclose(odds / (1 + odds), last.probabilities[1], atol=1e-4)


def test_base_is_the_softmax_of_equation_13(make_network, tiny_clip):
    cues = results(make_network(), tiny_clip)[3].cues
    scores = np.exp(cues.appearance.astype(np.float64))
    np.testing.assert_allclose(cues.base, scores[:, 1] / scores[:, :2].sum(1), rtol=1e-4)
    np.testing.assert_allclose(cues.supplementary, scores[:, 3] / scores[:, 2:].sum(1), rtol=1e-4)


def test_a_network_that_ignores_propagation_shows_no_effect_of_it(make_network, tiny_clip):
    network = make_network()
    assert np.abs(results(network, tiny_clip)[2].cues.propagation_effect).max() > 1e-4
    weight = network.fusion.conv1.weight
    weight.data[:, 6 : 6 + network.config.propagation_channels] = 0
    cues = results(network, tiny_clip)[2].cues
    assert np.abs(cues.propagation_effect).max() < 1e-6


def test_what_is_switched_off_is_named_and_still_there(make_network, tiny_clip):
    network = make_network(ablation=Ablation(matching=False, supplementary=False))
    cues = results(network, tiny_clip)[2].cues
    assert cues.switched_off == {"matching", "supplementary"}
    assert cues.matching.any()


def test_a_map_on_the_frame_has_no_padding():
    final = np.zeros((1, 32, 48), np.float32)
    final[:, 3:30, 2:45] = 1  # all but the margins
    small = np.zeros((1, 2, 3), np.float32)
    cues = FrameCues(
        object_ids=(1,), switched_off=frozenset(), last_masks=small, coarse=small, final=final,
        matching=small[:, None].repeat(2, 1), appearance=small[:, None].repeat(4, 1), dense=None,
        propagation=small[:, None], propagation_effect=small, margins=(2, 3, 3, 2),
    )  # fmt: skip
    for size in ((27, 43), (270, 430), (9, 14)):
        shown = cues.at_frame_size(cues.final[0], size)
        assert shown.shape == size
        np.testing.assert_allclose(shown, 1, atol=1e-6)
    assert "dense" not in cues.arrays()
    assert set(cues.arrays()) > {"base", "supplementary", "object_ids", "margins"}
