"""Contour accuracy F: how well the boundaries of two masks match.

    F = 2 P R / (P + R)

where P is the share of the prediction's boundary pixels that lie within a small distance of
the annotation's boundary, and R the other way round (Perazzi et al., CVPR 2016, section 4.1),
with the rules of davis2017-evaluation: a pixel is on the boundary if it differs from its
neighbour to the east, south or south-east; "within" is a disk of radius
ceil(0.008 x diagonal).
"""

import math

import numpy as np
from numpy.typing import ArrayLike

from ddeal_core.errors import MaskError
from ddeal_core.evaluation.packed import PackedPair, PairCounts

__all__ = ["BOUNDARY_TOLERANCE", "boundary_radius", "contour_accuracy", "f_from_counts"]

BOUNDARY_TOLERANCE = 0.008
"""Share of the diagonal that a boundary may be off by."""


def boundary_radius(height: int, width: int, *, tolerance: float = BOUNDARY_TOLERANCE) -> int:
    """Return the radius of the matching disk in pixels: 8 at 854x480."""
    return max(1, math.ceil(tolerance * math.sqrt(height * height + width * width)))


def contour_accuracy(
    annotation: ArrayLike, prediction: ArrayLike, *, tolerance: float = BOUNDARY_TOLERANCE
) -> float:
    """Return F of two binary masks.

    Args:
        annotation: ``[H, W]``, non-zero is foreground.
        prediction: The same shape.
        tolerance: Radius of the matching disk as a share of the diagonal.

    Returns:
        F in [0, 1].

    Raises:
        MaskError: The shapes differ.
    """
    truth = (np.asarray(annotation) != 0).view(np.uint8)
    guess = (np.asarray(prediction) != 0).view(np.uint8)
    if truth.ndim != 2 or truth.shape != guess.shape:
        raise MaskError(
            f"masks to compare must be HxW and of one size, not {truth.shape} (annotation) "
            f"and {guess.shape} (prediction)"
        )
    height, width = truth.shape
    pair = PackedPair(height, width, radius=boundary_radius(height, width, tolerance=tolerance))
    return f_from_counts(pair.count(truth, guess, object_id=1))


def f_from_counts(counts: PairCounts) -> float:
    """Return F from boundary counts.

    An empty boundary (no object, or one that fills the frame) has precision 1 against any
    annotation and recall 1 against any prediction; so F is 1 if both are empty and 0 if one is.
    """
    truth, guess = counts.annotation_boundary, counts.prediction_boundary
    if not truth or not guess:
        return 1.0 if truth == guess else 0.0
    precision = counts.prediction_matched / guess
    recall = counts.annotation_matched / truth
    if precision + recall == 0:
        return 0.0
    return 2 * precision * recall / (precision + recall)
