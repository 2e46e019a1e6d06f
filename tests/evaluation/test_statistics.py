import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from plain_metrics import plain_decay

from ddeal_core.evaluation import Statistics, summarize
from ddeal_core.evaluation.scores import quarter_edges


def test_by_hand() -> None:
    # Edges of 5 frames: 1, 2, 3, 4, 5, so quarters are of two frames each.
    values = [0.9, 0.8, 0.5, 0.4, 0.2]
    result = summarize(values)
    assert result.mean == pytest.approx(0.56, abs=1e-15)
    assert result.recall == 2 / 5  # 0.5 itself is not above 0.5
    assert result.decay == pytest.approx(0.85 - 0.3, abs=1e-15)


@pytest.mark.parametrize(
    ("count", "edges"),
    [
        (1, (0, 0, 0, 0, 0)),
        (2, (0, 0, 1, 1, 1)),
        # 1, 1.5, 2, 2.5, 3: halves go up (2 and 3), not to even as NumPy rounds alone.
        (3, (0, 1, 1, 2, 2)),
        (67, (0, 17, 33, 50, 66)),
        (80, (0, 20, 40, 59, 79)),
    ],
)
def test_edges(count: int, edges: tuple[int, ...]) -> None:
    assert quarter_edges(count) == edges


def test_edges_do_not_wrap_past_256_frames() -> None:
    # In 8 bits the last edges would be 256 - 256 = 0 and so on.
    assert quarter_edges(257) == (0, 64, 128, 192, 256)
    assert quarter_edges(1001) == (0, 250, 500, 750, 1000)
    falling = np.linspace(1, 0, 1001)
    assert summarize(falling.tolist()).decay == pytest.approx(0.75, abs=1e-12)


def test_one_frame_has_no_decay() -> None:
    assert summarize([0.7]) == Statistics(mean=0.7, recall=1.0, decay=0.0)


def test_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="no frames"):
        summarize([])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=700))
def test_decay_is_that_of_the_plain_way(values: list[float]) -> None:
    assert summarize(values).decay == plain_decay(np.asarray(values))
