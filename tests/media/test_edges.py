"""Soft edges: alpha that follows the picture, colours without the old background."""

import numpy as np
import pytest

from ddeal_core.media.matting.edges import foreground_colours, refine_alpha

HEIGHT, WIDTH = 120, 200


def disc(x0, radius, softness):
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    return np.clip((radius - np.hypot(x - x0, y - 60)) / softness + 0.5, 0, 1).astype(np.float32)


def picture(alpha):
    """A red object on green."""
    red, green = np.array([200, 30, 30]), np.array([20, 160, 40])
    mixed = alpha[..., None] * red + (1 - alpha[..., None]) * green
    return np.rint(mixed).astype(np.uint8), red


def test_alpha_follows_the_outline_that_the_picture_has():
    true = disc(100, 40, 1.5)
    image, _ = picture(true)
    guess = disc(103, 39, 14)  # wide, and off the outline
    refined = refine_alpha(image, guess)
    before = np.abs(guess - true).mean()
    after = np.abs(refined / 255 - true).mean()
    assert after < 0.6 * before


def test_nothing_and_everything_stay():
    image, _ = picture(disc(100, 40, 1.5))
    assert refine_alpha(image, np.zeros((HEIGHT, WIDTH), np.float32)).max() == 0
    assert refine_alpha(image, np.ones((HEIGHT, WIDTH), np.float32)).min() == 255


def test_edges_lose_the_old_background():
    true = disc(100, 40, 8)
    image, red = picture(true)
    colours = foreground_colours(image, np.rint(true * 255).astype(np.uint8))
    edge = (true > 0.3) & (true < 0.9)
    before = np.abs(image[edge].astype(int) - red).mean()
    after = np.abs(colours[edge].astype(int) - red).mean()
    assert after < 0.6 * before
    assert np.array_equal(colours[true == 1], image[true == 1]), "the inside is as it was"


def test_the_same_input_gives_the_same_bytes():
    image, _ = picture(disc(100, 40, 2))
    guess = disc(101, 40, 10)
    assert refine_alpha(image, guess).tobytes() == refine_alpha(image, guess).tobytes()


def test_sizes_must_agree():
    with pytest.raises(ValueError, match="probability"):
        refine_alpha(np.zeros((10, 10, 3), np.uint8), np.zeros((10, 11), np.float32))
