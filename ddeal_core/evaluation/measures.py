"""J and F of two masks (Perazzi et al., CVPR 2016, section 4.1), as davis2017-evaluation has them.

Region similarity J is the Jaccard index: ``|M ∩ G| / |M ∪ G|``, and 1 where both are empty. Contour
accuracy is ``F = 2 P R / (P + R)``, where P is the share of the prediction's boundary pixels that
lie within a small distance of the annotation's boundary, and R the other way round: a pixel is on
the boundary if it differs from its neighbour to the east, south or south-east, and "within" is a
disk of radius ``ceil(0.008 x diagonal)``.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ddeal_core.errors import MaskError
from ddeal_core.evaluation.packed import PackedPair


def jaccard(annotation: ArrayLike, prediction: ArrayLike) -> float:
    """J in [0, 1] of two masks ``[H, W]``, in which all but zero is foreground.

    Raises:
        MaskError: The shapes differ.
    """
    truth, guess = _pair(annotation, prediction)
    union = np.count_nonzero(truth | guess)
    return float(np.count_nonzero(truth & guess) / union) if union else 1.0


def contour_accuracy(annotation: ArrayLike, prediction: ArrayLike) -> float:
    """F in [0, 1] of two masks ``[H, W]``, in which all but zero is foreground.

    Raises:
        MaskError: The shapes differ.
    """
    truth, guess = _pair(annotation, prediction)
    pair = PackedPair(truth.shape[0], truth.shape[1])
    return pair.count(truth.view(np.uint8), guess.view(np.uint8), object_id=1).f


def _pair(
    annotation: ArrayLike, prediction: ArrayLike
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    truth, guess = np.asarray(annotation) != 0, np.asarray(prediction) != 0
    if truth.ndim != 2 or truth.shape != guess.shape:
        raise MaskError(
            f"masks to compare must be HxW and of one size, not {truth.shape} (annotation) "
            f"and {guess.shape} (prediction)"
        )
    return truth, guess
