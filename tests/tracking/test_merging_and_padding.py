"""Merging of objects and padding of frames."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ddeal_core.tracking import soft_aggregation, to_labels
from ddeal_core.tracking.padding import Padding
from ddeal_core.tracking.quantisation import quantise

sides = st.integers(1, 70)


@settings(max_examples=30, deadline=None)
@given(height=sides, width=sides)
def test_cropping_undoes_padding(height, width):
    padding = Padding(height, width)
    x = torch.arange(2 * height * width, dtype=torch.float32).view(1, 2, height, width)
    padded = padding.pad(x)
    assert padded.shape[-2] % 16 == padded.shape[-1] % 16 == 0
    assert padded.shape[-2] - height < 16
    assert padded.shape[-1] - width < 16
    assert torch.equal(padding.crop(padded), x)


@settings(max_examples=30, deadline=None)
@given(height=st.integers(9, 70), width=st.integers(9, 70))
def test_padding_reflects_with_the_extra_pixel_left_and_on_top(height, width):
    missing_y, missing_x = -height % 16, -width % 16
    top, left = missing_y - missing_y // 2, missing_x - missing_x // 2
    assert Padding(height, width).margins == (left, missing_x // 2, top, missing_y // 2)
    x = torch.rand(1, 1, height, width)
    expected = np.pad(x[0, 0].numpy(), ((top, missing_y // 2), (left, missing_x // 2)), "reflect")
    np.testing.assert_array_equal(Padding(height, width).pad(x)[0, 0].numpy(), expected)


def test_an_odd_number_of_missing_pixels():
    # 93 = 96 - 3: two on top, one below; 118 = 128 - 10: five on each side.
    assert Padding(93, 118).margins == (5, 5, 2, 1)
    x = torch.rand(1, 3, 32, 48)
    assert Padding(32, 48).pad(x) is x


def plain_merge(probabilities):
    """Loop over pixels, in double precision."""
    probabilities = probabilities.double()
    _, count, height, width = probabilities.shape
    result = torch.empty(1, 1 + count, height, width, dtype=torch.float64)
    for y in range(height):
        for x in range(width):
            objects = probabilities[0, :, y, x].tolist()
            each = [min(1 - p for p in objects), *objects]
            each = [min(max(p, 1e-7), 1 - 1e-7) for p in each]
            odds = [p / (1 - p) for p in each]
            result[0, :, y, x] = torch.tensor([o / sum(odds) for o in odds])
    return result


@pytest.mark.parametrize("count", [1, 2, 20])
def test_merging_is_soft_aggregation(count):
    generator = torch.Generator().manual_seed(count)
    probabilities = torch.rand(1, count, 6, 7, generator=generator)
    merged = soft_aggregation(probabilities.logit())
    torch.testing.assert_close(merged.double(), plain_merge(probabilities), atol=1e-5, rtol=0)
    torch.testing.assert_close(merged.sum(1), torch.ones(1, 6, 7))


def test_the_background_is_the_minimum_and_not_the_product():
    merged = soft_aggregation(torch.tensor([0.0, 0.0]).view(1, 2, 1, 1)).flatten()
    # Odds are 1, 1, 1; with the product the background's would be 1/3.
    torch.testing.assert_close(merged, torch.full((3,), 1 / 3))


def test_one_object_against_the_background():
    p = torch.tensor([0.0, 0.2, 0.5, 0.9, 1.0]).view(1, 1, 1, 5)
    odds = (p / (1 - p)) ** 2  # of the object against the background, both by their odds
    expected = (odds / (1 + odds)).nan_to_num(1.0)
    torch.testing.assert_close(soft_aggregation(p.logit())[:, 1:], expected, atol=1e-5, rtol=0)


def test_sure_objects_share_a_pixel():
    merged = soft_aggregation(torch.full((1, 3, 1, 1), torch.inf)).flatten()
    torch.testing.assert_close(merged, torch.tensor([0, 1 / 3, 1 / 3, 1 / 3]), atol=1e-6, rtol=0)
    merged = soft_aggregation(torch.full((1, 3, 1, 1), -torch.inf)).flatten()
    torch.testing.assert_close(merged, torch.tensor([1.0, 0, 0, 0]), atol=1e-6, rtol=0)


def test_all_but_sure_objects_are_told_apart():
    # Their probabilities are one float32 apart from 1, their odds are not.
    merged = soft_aggregation(torch.tensor([15.0, 15.2]).view(1, 2, 1, 1)).flatten()
    torch.testing.assert_close(merged[2] / merged[1], torch.tensor(0.2).exp(), atol=1e-4, rtol=0)


def test_objects_keep_their_order():
    generator = torch.Generator().manual_seed(0)
    log_odds = torch.randn(2, 3, 5, 5, generator=generator)
    order = [2, 0, 1]
    torch.testing.assert_close(
        soft_aggregation(log_odds[:, order]),
        soft_aggregation(log_odds)[:, [0, *(1 + i for i in order)]],
    )


def test_labels_are_places_in_the_list():
    merged = torch.tensor([[0.6, 0.1, 0.2], [0.3, 0.8, 0.2], [0.1, 0.1, 0.6]]).view(1, 3, 1, 3)
    assert to_labels(merged).tolist() == [[[0, 1, 2]]]


@pytest.mark.parametrize("objects", [1, 2, 5])
def test_rounding_never_changes_which_class_is_the_most_probable(objects):
    generator = torch.Generator().manual_seed(objects)
    odds = 3 * torch.randn(1, objects, 64, 64, generator=generator)
    near = 1e-5 * torch.randn(1, objects, 32, 64, generator=generator)
    odds[:, :, ::2] = odds[:, :1, ::2] + near  # near ties of all objects
    odds[:, :, :, ::3] *= 1e-5  # near ties with the background
    merged = soft_aggregation(odds)
    rounded = quantise(merged)
    assert torch.equal(to_labels(rounded), to_labels(merged))
    assert float((rounded - merged).abs().max()) <= (objects + 1) / 65535
    assert float(rounded.min()) >= 0
    assert torch.allclose(rounded.sum(1), torch.ones(1, 64, 64), atol=1e-6)
