"""What the network sees of a frame of another size."""

import numpy as np
import pytest

from ddeal_core.tracking.scaling import scale_image, scale_mask, scaled_size


@pytest.mark.parametrize("size", [(24, 36), (96, 144)], ids=["smaller", "larger"])
def test_a_scaled_object_is_where_it_was(size):
    mask = np.zeros((48, 72), np.float32)
    mask[12:30, 20:60] = 1
    factor = size[0] / 48
    image = np.repeat((255 * mask).astype(np.uint8)[..., None], 3, axis=2)
    for nearest in (True, False):
        found = scale_mask(mask, size, nearest=nearest)
        assert found.shape == size
        assert found.mean() == pytest.approx(mask.mean(), rel=0.02)
        assert found[round(21 * factor), round(40 * factor)] == 1
        assert not found[round(40 * factor) :].any()
        np.testing.assert_allclose(scale_image(image, size)[..., 0] / 255, found, atol=0.5)
    assert set(np.unique(scale_mask(mask, size, nearest=True))) == {0, 1}


def test_a_frame_keeps_its_shape_and_grows_to_twice_its_size_at_most():
    assert scaled_size(480, 854, 384) == (384, 683)
    assert scaled_size(854, 480, 384) == (683, 384)
    assert scaled_size(240, 432, 384) == (384, 691)
    assert scaled_size(100, 60, 384) == (200, 120)
    assert scaled_size(2, 7000, 1) == (1, 3500)
    assert scaled_size(480, 854, None) == (480, 854)
