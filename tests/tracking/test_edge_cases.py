"""Frames and masks at the edge of what there can be: probabilities stay probabilities."""

import numpy as np
import pytest

from ddeal_core.errors import MaskError
from ddeal_core.tracking import Segmenter

SIZES = [(1, 1), (2, 3), (40, 1), (15, 17)]


@pytest.fixture(scope="module")
def segmenters(make_network):
    return [Segmenter(make_network(preset)) for preset in ("compact", "released-resnet50")]


def follow(segmenter, frames, masks):
    results = list(segmenter.track(frames, masks))
    for result in results:
        assert result.labels.shape == frames[0].shape[:2]
        assert np.isfinite(result.probabilities).all()
        assert result.probabilities.min() >= 0
        np.testing.assert_allclose(result.probabilities.sum(0), 1, atol=1e-5)
        assert set(np.unique(result.labels)) <= {0, *result.object_ids}
    return results


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_objects_of_one_pixel_and_of_the_whole_frame(segmenters, size):
    rng = np.random.default_rng(0)
    noise = [rng.integers(0, 256, (*size, 3), np.uint8) for _ in range(3)]
    one = np.zeros(size, np.uint8)
    one[0, 0] = 254
    for segmenter in segmenters:
        for frames in (noise, [np.zeros((*size, 3), np.uint8)] * 3):
            for mask in (one, np.full(size, 1, np.uint8)):
                first = follow(segmenter, frames, mask)[0]
                np.testing.assert_array_equal(first.labels, mask)


def test_an_object_that_never_returns(segmenters, tiny_clip):
    """It is kept in mind: its id stays, whatever is found."""
    gone = [tiny_clip.frames[0]] + [np.full_like(tiny_clip.frames[0], 128)] * 6
    for segmenter in segmenters:
        assert follow(segmenter, gone, tiny_clip.masks[0])[-1].object_ids == (1,)


def test_every_id_at_once(make_network):
    labels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    labels[labels == 255] = 0
    frames = [np.full((16, 16, 3), 90, np.uint8)] * 2
    results = follow(Segmenter(make_network("compact")), frames, labels)
    assert results[0].object_ids == tuple(range(1, 255))
    np.testing.assert_array_equal(results[0].labels, labels)


def test_an_empty_mask_is_refused(segmenters, tiny_clip):
    with pytest.raises(MaskError, match="empty"):
        next(segmenters[0].track(tiny_clip.frames, np.zeros((96, 128), np.uint8)))
