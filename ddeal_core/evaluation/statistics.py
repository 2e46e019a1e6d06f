"""Mean, recall and decay of a measure over the frames of one object.

The statistics of Perazzi et al. (CVPR 2016, section 4.1) as davis2017-evaluation computes
them. That tool keeps the edges of its quarters in 8 bits, so past 256 scored frames they wrap
round and its decay is of the wrong frames (or not a number); here it is of the right ones.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["Statistics", "quarter_edges", "summarize"]


@dataclass(frozen=True)
class Statistics:
    """What a measure comes to over the frames of one object."""

    mean: float
    recall: float  # share of frames strictly above 0.5
    decay: float  # mean over the first quarter minus mean over the last; low is good


def quarter_edges(count: int) -> tuple[int, int, int, int, int]:
    """Return the frame indices at which quarters begin and end, both inclusive.

    Neighbouring quarters share their edge frame. Halves are rounded as by MATLAB, upwards,
    for which davis2017-evaluation adds 1e-10.
    """
    edges = np.round(np.linspace(1, count, 5) + 1e-10).astype(np.int64) - 1
    a, b, c, d, e = edges.tolist()
    return a, b, c, d, e


def summarize(values: Sequence[float]) -> Statistics:
    """Mean, recall and decay of J or F of the scored frames in their order.

    Raises:
        ValueError: No values.
    """
    if not len(values):
        raise ValueError("there are no frames to summarize")
    array = np.asarray(values, dtype=np.float64)
    edges = quarter_edges(len(array))
    first = array[edges[0] : edges[1] + 1]
    last = array[edges[3] : edges[4] + 1]
    return Statistics(
        mean=float(np.mean(array)),
        recall=float(np.mean(array > 0.5)),
        decay=float(np.mean(first) - np.mean(last)),
    )
