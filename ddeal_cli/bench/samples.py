"""Times of a repeated thing, summarised."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["Samples"]


@dataclass(frozen=True, slots=True)
class Samples:
    """A summary of samples of one quantity, in seconds unless it says otherwise.

    Attributes:
        count: How many there were.
        mean: Their average.
        median: 50th percentile.
        p10: 10th percentile.
        p90: 90th percentile.
        least: Smallest.
        most: Largest.
    """

    count: int
    mean: float
    median: float
    p10: float
    p90: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Samples":
        """Summarise at least one value."""
        array = np.asarray(values, np.float64)
        p10, median, p90 = np.percentile(array, [10, 50, 90]).tolist()
        return cls(
            count=len(array),
            mean=float(array.mean()),
            median=median,
            p10=p10,
            p90=p90,
            least=float(array.min()),
            most=float(array.max()),
        )

    @property
    def rate(self) -> float:
        """How many a second: count over total time."""
        return 1 / max(self.mean, 1e-12)
