from __future__ import annotations

import numpy as np
import pytest

from ddeal_core.media import davis_palette, over, overlay, straight_alpha


@pytest.fixture
def image():
    return np.random.default_rng(3).integers(0, 256, (60, 80, 3), np.uint8)


@pytest.fixture
def labels():
    plane = np.zeros((60, 80), np.uint8)
    plane[10:40, 10:40] = 1
    plane[10:40, 40:70] = 9
    return plane


def test_overlay_tints_objects_and_leaves_the_rest(image, labels):
    before = image.copy()
    out = overlay(image, labels, opacity=0.25, contours=False)
    assert np.array_equal(image, before)
    assert np.array_equal(out[labels == 0], image[labels == 0])
    for number in (1, 9):
        expected = 0.75 * image[labels == number] + 0.25 * davis_palette()[number]
        assert np.abs(out[labels == number] - expected).max() <= 1


def test_overlay_at_its_ends(image, labels):
    assert np.array_equal(overlay(image, labels, opacity=0, contours=False), image)
    full = overlay(image, labels, opacity=1, contours=False)
    assert np.array_equal(full[labels > 0], davis_palette()[labels[labels > 0]])


def test_contours_are_inside_and_between_objects(image, labels):
    out = overlay(image, labels, opacity=0, contours=True)
    assert np.array_equal(out[labels == 0], image[labels == 0])
    assert np.array_equal(out[10, 20], davis_palette()[1])
    assert np.array_equal(out[25, 39], davis_palette()[1])
    assert np.array_equal(out[25, 40], davis_palette()[9])
    assert np.array_equal(out[25, 25], image[25, 25])


def test_overlay_of_nothing(image):
    out = overlay(image, np.zeros((60, 80), np.uint8))
    assert np.array_equal(out, image)
    assert out is not image


def test_over_is_the_compositing_equation(image):
    alpha = np.random.default_rng(4).integers(0, 256, (60, 80), np.uint8)
    out = over(image, alpha, (10, 200, 30))
    weight = alpha[..., None] / 255
    expected = weight * image + (1 - weight) * np.array((10, 200, 30))
    assert np.abs(out - expected).max() <= 0.5 + 1e-9
    assert np.array_equal(over(image, np.full((60, 80), 255, np.uint8), (0, 255, 0)), image)


def test_straight_alpha_keeps_colour_near_the_object(image):
    alpha = np.zeros((60, 80), np.uint8)
    alpha[20:30, 30:40] = 200
    alpha[20, 30] = 1
    out = straight_alpha(image, alpha, margin=5)
    assert out.shape == (60, 80, 4)
    assert np.array_equal(out[..., 3], alpha)
    assert np.array_equal(out[15:35, 25:45, :3], image[15:35, 25:45])
    assert not out[:15].any()
    assert not out[:, 45:].any()
    assert np.array_equal(straight_alpha(image, alpha, margin=None)[..., :3], image)


def test_wrong_arguments(image, labels):
    with pytest.raises(ValueError, match="labels"):
        overlay(image, labels[:-1])
    with pytest.raises(ValueError, match="opacity"):
        overlay(image, labels, opacity=2)
    with pytest.raises(ValueError, match="alpha"):
        over(image, labels.astype(np.float32), (0, 255, 0))
    with pytest.raises(ValueError, match="colour"):
        over(image, labels, (0, 300, 0))
    with pytest.raises(ValueError, match="margin"):
        straight_alpha(image, labels, margin=-1)
