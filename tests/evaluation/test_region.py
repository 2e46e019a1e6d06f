import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ddeal_core.errors import MaskError
from ddeal_core.evaluation import contingency_table, jaccard, jaccard_from_table


def test_jaccard_by_hand() -> None:
    truth = np.array([[1, 1, 0], [1, 1, 0]])
    guess = np.array([[0, 1, 1], [0, 1, 1]])
    assert jaccard(truth, guess) == 2 / 6


def test_two_empty_masks_agree_and_one_does_not() -> None:
    empty, full = np.zeros((3, 4)), np.ones((3, 4))
    assert jaccard(empty, empty) == 1
    assert jaccard(empty, full) == jaccard(full, empty) == 0
    assert jaccard(full, full) == 1


def test_any_value_but_zero_is_foreground() -> None:
    assert jaccard(np.array([[255, 0]]), np.array([[True, False]])) == 1


def test_table_by_hand() -> None:
    truth = np.array([[0, 1, 1], [2, 2, 255]], np.uint8)
    guess = np.array([[0, 1, 2], [2, 2, 2]], np.uint8)
    table = contingency_table(truth, guess)
    assert table.sum() == 6
    assert (table[1, 1], table[1, 2], table[2, 2], table[255, 2]) == (1, 1, 2, 1)
    # Object 3 is in neither map.
    np.testing.assert_array_equal(jaccard_from_table(table, (1, 2, 3)), [1 / 2, 2 / 4, 1])


labels = arrays(np.uint8, (7, 9), elements=st.sampled_from([0, 1, 2, 5, 255]))


@given(labels, labels)
def test_table_agrees_with_masks_one_by_one(truth: np.ndarray, guess: np.ndarray) -> None:
    ids = (5, 1, 2, 3)
    at_once = jaccard_from_table(contingency_table(truth, guess), ids)
    assert at_once.tolist() == [jaccard(truth == i, guess == i) for i in ids]


@pytest.mark.parametrize("shape", [(3, 5), (4,), (1, 3, 4)])
def test_shapes_must_agree(shape: tuple[int, ...]) -> None:
    with pytest.raises(MaskError, match="of one size"):
        jaccard(np.zeros((3, 4)), np.zeros(shape))
