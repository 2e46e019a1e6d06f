"""Frames encoded in advance give what frames encoded one by one give."""

import numpy as np
import pytest

from ddeal_core.errors import InputError
from ddeal_core.tracking import Segmenter


def test_look_ahead_changes_nothing(make_network, tiny_clip):
    given = {1: tiny_clip.masks[1], 5: tiny_clip.masks[5] * 7}
    plain = list(Segmenter(make_network("compact")).track(tiny_clip.frames, given))
    for count in (2, 3, 20):
        ahead = Segmenter(make_network("compact"), look_ahead=count)
        for a, b in zip(plain, ahead.track(tiny_clip.frames, given), strict=True):
            assert a.object_ids == b.object_ids
            np.testing.assert_allclose(a.probabilities, b.probabilities, atol=1e-4)


def test_one_array_that_is_filled_anew_for_every_frame(make_network, tiny_clip):
    def refilled():
        array = np.empty_like(tiny_clip.frames[0])
        for frame in tiny_clip.frames:
            array[:] = frame
            yield array

    for count in (1, 4):
        segmenter = Segmenter(make_network("compact"), look_ahead=count)
        expected = segmenter.track(tiny_clip.frames, tiny_clip.masks[0])
        for a, b in zip(expected, segmenter.track(refilled(), tiny_clip.masks[0]), strict=True):
            np.testing.assert_array_equal(a.labels, b.labels)
            np.testing.assert_array_equal(a.probabilities, b.probabilities)


def test_frames_before_an_error_come_all_the_same(make_network, tiny_clip):
    def broken():
        yield from tiny_clip.frames[:6]
        raise OSError("the camera went away")

    results = Segmenter(make_network("compact"), look_ahead=4).track(broken(), tiny_clip.masks[0])
    assert [next(results).index for _ in range(6)] == list(range(6))
    with pytest.raises(OSError, match="went away"):
        next(results)


def test_it_looks_no_further_than_told(make_network, tiny_clip):
    taken = []

    def counted():
        for index, frame in enumerate(tiny_clip.frames):
            taken.append(index)
            yield frame

    results = Segmenter(make_network("compact"), look_ahead=3).track(counted(), tiny_clip.masks[0])
    next(results)
    assert len(taken) <= 4


def test_a_look_ahead_of_nothing_is_refused(make_network):
    with pytest.raises(InputError, match="look_ahead"):
        Segmenter(make_network("compact"), look_ahead=0)
