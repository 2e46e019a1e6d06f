"""Region similarity J: the Jaccard index of two masks.

    J = |M ∩ G| / |M ∪ G|, and 1 where both are empty

(Perazzi et al., CVPR 2016, section 4.1), with the rules of davis2017-evaluation.
"""

import numpy as np
from numpy.typing import ArrayLike

from ddeal_core.errors import MaskError

__all__ = ["jaccard", "jaccard_from_counts"]


def jaccard(annotation: ArrayLike, prediction: ArrayLike) -> float:
    """Return J of two binary masks.

    Args:
        annotation: ``[H, W]``, non-zero is foreground.
        prediction: The same shape.

    Returns:
        J in [0, 1].

    Raises:
        MaskError: The shapes differ.
    """
    truth = np.asarray(annotation) != 0
    guess = np.asarray(prediction) != 0
    if truth.ndim != 2 or truth.shape != guess.shape:
        raise MaskError(
            f"masks to compare must be HxW and of one size, not {truth.shape} "
            f"(annotation) and {guess.shape} (prediction)"
        )
    return jaccard_from_counts(
        intersection=int(np.count_nonzero(truth & guess)),
        union=int(np.count_nonzero(truth | guess)),
    )


def jaccard_from_counts(*, intersection: int, union: int) -> float:
    """Return J from pixel counts; 1 for an empty union."""
    return intersection / union if union else 1.0
