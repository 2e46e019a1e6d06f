"""Enlarging probabilities a few maps at a time, against doing it all at once."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from ddeal_core.tracking import maps as maps_module
from ddeal_core.tracking import soft_aggregation, to_labels
from ddeal_core.tracking.maps import GivenLabels, Maps

sides = st.integers(1, 9)


def plain(merged, size, labels, ids):
    """All maps at once, given masks over them: what `Maps` says in parts."""
    maps = merged
    if merged.shape[-2:] != size:
        maps = F.interpolate(merged, size, mode="bilinear", align_corners=False)
    if not ids:
        return maps[0]
    masks = torch.stack([torch.from_numpy((labels == i).astype(np.float32)) for i in ids])
    kept = maps[0, : maps.shape[1] - len(ids)].clone()
    kept[0] += 1 - kept.sum(0)
    return torch.cat([kept * (1 - masks.sum(0)), masks])


@pytest.mark.parametrize("pixels", [1, 40, 1 << 24])
@given(
    objects=st.integers(1, 6),
    given_now=st.integers(0, 6),
    small=st.tuples(sides, sides),
    size=st.tuples(sides, sides),
    seed=st.integers(0, 99),
)
@settings(max_examples=15, deadline=None)
def test_parts_say_what_the_whole_says(pixels, objects, given_now, small, size, seed):
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    merged = soft_aggregation(4 * torch.randn(1, objects, *small))
    ids = [10 + k for k in range(objects)][max(0, objects - given_now) :]
    labels = rng.choice([0, *ids], size=size).astype(np.uint8)
    for place, object_id in enumerate(ids[: labels.size]):  # each is somewhere
        labels.ravel()[place] = object_id
    expected = plain(merged, size, labels, ids)
    before = maps_module._PIXELS_AT_ONCE
    maps_module._PIXELS_AT_ONCE = pixels
    try:
        maps = Maps(merged, size, GivenLabels(labels, ids) if ids else None)
        found = maps.probabilities()
        np.testing.assert_allclose(found, expected, atol=2e-6)
        np.testing.assert_allclose(maps.background(), expected[0], atol=2e-6)
        places = maps.labels()
    finally:
        maps_module._PIXELS_AT_ONCE = before
    assert torch.isfinite(found).all()
    best = expected.max(0).values
    chosen = expected.gather(0, torch.from_numpy(places.astype(np.int64))[None])[0]
    np.testing.assert_allclose(chosen, best, atol=2e-6)  # a tie may go either way
    if not ids:
        np.testing.assert_array_equal(places, to_labels(expected[None])[0])
    for place, object_id in enumerate(ids, start=1 + objects - len(ids)):
        assert (places[labels == object_id] == place).all()


@given(
    seed=st.integers(0, 10_000),
    objects=st.integers(1, 5),
    scale=st.sampled_from([0.0, 1e-3, 1.0, 30.0, 1e4, 3e38]),
)
@settings(max_examples=30, deadline=None)
def test_merging_gives_probabilities(seed, objects, scale):
    torch.manual_seed(seed)
    log_odds = (torch.randn(1, objects, 3, 4) * scale).clamp(-3e38, 3e38)
    merged = soft_aggregation(log_odds)
    assert torch.isfinite(merged).all()
    assert merged.min() >= 0
    torch.testing.assert_close(merged.sum(1), torch.ones(1, 3, 4))
    order = torch.randperm(objects)  # objects have no order
    again = soft_aggregation(log_odds[:, order])
    torch.testing.assert_close(again[:, 1:], merged[:, 1:][:, order])
    torch.testing.assert_close(again[:, 0], merged[:, 0])
