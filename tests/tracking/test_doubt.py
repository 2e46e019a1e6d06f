import numpy as np

from ddeal_core.tracking.doubt import DoubtMeter
from ddeal_core.tracking.result import Result


def result(index, *boxes, soft=1.0):
    """One object, certain or not, that takes up some boxes of a frame."""
    matte = np.zeros((1, 96, 128), np.float32)
    for top, left, bottom, right in boxes:
        matte[0, top:bottom, left:right] = soft
    return Result.of_mattes(matte, index=index, object_ids=(1,))


def test_what_looks_wrong_is_doubted_until_it_is_given_anew():
    meter = DoubtMeter()
    for index in range(10):
        meter.add(index, result(index, (20, 20 + index, 60, 60 + index)))
    assert meter.stretches() == ()
    for index in range(10, 14):  # most of it is gone, and a piece appears far away
        meter.add(index, result(index, (20, 30, 32, 42), (80, 110, 92, 122)))
    given = np.zeros((96, 128), np.uint8)
    given[20:60, 30:70] = 1
    meter.add(14, Result.of_labels(given, index=14, object_ids=(1,)))
    for index in range(15, 24):
        meter.add(index, result(index, (20, 20 + index, 60, 60 + index)))
    (stretch,) = meter.stretches()
    assert (stretch.first, stretch.worst) == (10, 10)
    assert 11 <= stretch.last <= 13
    assert 0.5 < stretch.doubt <= 1
    assert meter.doubts[14] == 0


def test_an_unsure_edge_is_doubted():
    meter = DoubtMeter()
    for index in range(3):
        meter.add(index, result(index, (20, 20, 60, 60), soft=0.6))
    assert meter.stretches()[0].first == 1
