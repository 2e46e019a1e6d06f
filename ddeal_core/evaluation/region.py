"""Region similarity J: the Jaccard index of two masks.

    J = |M ∩ G| / |M ∪ G|, and 1 where both are empty

(Perazzi et al., CVPR 2016, section 4.1), with the rules of davis2017-evaluation.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ddeal_core.errors import MaskError

__all__ = [
    "contingency_table",
    "jaccard",
    "jaccard_from_counts",
    "jaccard_from_table",
]


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
    _same_shape(truth, guess)
    return jaccard_from_counts(
        intersection=int(np.count_nonzero(truth & guess)),
        union=int(np.count_nonzero(truth | guess)),
    )


def jaccard_from_counts(*, intersection: int, union: int) -> float:
    """Return J from pixel counts; 1 for an empty union."""
    return intersection / union if union else 1.0


def contingency_table(
    annotation: NDArray[np.uint8], prediction: NDArray[np.uint8]
) -> NDArray[np.int64]:
    """Count the pixels of every pair of labels, for all objects at once.

    Args:
        annotation: ``[H, W]`` uint8 label map.
        prediction: ``[H, W]`` uint8 label map.

    Returns:
        ``[256, 256]`` int64; entry ``[g, p]`` is the number of pixels that have label ``g``
        in the annotation and ``p`` in the prediction.

    Raises:
        MaskError: The shapes differ.
    """
    _same_shape(annotation, prediction)
    pairs = annotation.astype(np.uint16) << 8
    pairs |= prediction
    return np.bincount(pairs.ravel(), minlength=1 << 16).reshape(256, 256)


def jaccard_from_table(table: NDArray[np.int64], object_ids: Sequence[int]) -> NDArray[np.float64]:
    """Return J of every object from a contingency table.

    Args:
        table: ``[N, N]`` counts as `contingency_table` gives them.
        object_ids: Ids below ``N``, in any order.

    Returns:
        ``[len(object_ids)]`` float64.
    """
    ids = np.asarray(object_ids, dtype=np.intp)
    intersection = table[ids, ids]
    union = table[ids, :].sum(axis=1) + table[:, ids].sum(axis=0) - intersection
    return np.where(union > 0, intersection / np.maximum(union, 1), 1.0)


def _same_shape(annotation: NDArray[np.generic], prediction: NDArray[np.generic]) -> None:
    if annotation.ndim != 2 or annotation.shape != prediction.shape:
        raise MaskError(
            f"masks to compare must be HxW and of one size, not {annotation.shape} "
            f"(annotation) and {prediction.shape} (prediction)"
        )
