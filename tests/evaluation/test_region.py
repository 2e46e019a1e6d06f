import numpy as np
import pytest

from ddeal_core.errors import MaskError
from ddeal_core.evaluation import jaccard


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


@pytest.mark.parametrize("shape", [(3, 5), (4,), (1, 3, 4)])
def test_shapes_must_agree(shape: tuple[int, ...]) -> None:
    with pytest.raises(MaskError, match="of one size"):
        jaccard(np.zeros((3, 4)), np.zeros(shape))
