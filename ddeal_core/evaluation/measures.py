"""J and F of two masks (Perazzi et al., CVPR 2016, section 4.1), as davis2017-evaluation has them.

Region similarity J is the Jaccard index: ``|M ∩ G| / |M ∪ G|``, and 1 where both are empty. Contour
accuracy is ``F = 2 P R / (P + R)``, where P is the share of the prediction's boundary pixels that
lie within a small distance of the annotation's boundary, and R the other way round: a pixel is on
the boundary if it differs from its neighbour to the east, south or south-east, and "within" is a
disk of radius ``ceil(0.008 x diagonal)``.
"""

import math
from dataclasses import dataclass
from functools import cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from ddeal_core.errors import MaskError

_TOLERANCE = 0.008  # share of the diagonal that a boundary may be off by
_NEIGHBOURS = np.ones((2, 2), np.uint8)  # a pixel, and those to its east, south and south-east

Labels = NDArray[np.uint8]


@dataclass(frozen=True)
class PairCounts:
    """Pixel counts of an annotation and a prediction."""

    intersection: int
    union: int
    annotation_boundary: int
    prediction_boundary: int
    annotation_matched: int  # boundary pixels within the radius of the prediction's boundary
    prediction_matched: int  # the other way round

    @property
    def j(self) -> float:
        """Region similarity; 1 for an empty union."""
        return self.intersection / self.union if self.union else 1.0

    @property
    def f(self) -> float:
        """Contour accuracy.

        An empty boundary (no object, or one that fills the frame) has precision 1 against any
        annotation and recall 1 against any prediction; so F is 1 if both are empty and 0 if one is.
        """
        truth, guess = self.annotation_boundary, self.prediction_boundary
        if not truth or not guess:
            return 1.0 if truth == guess else 0.0
        precision, recall = self.prediction_matched / guess, self.annotation_matched / truth
        both = precision + recall
        return 2 * precision * recall / both if both else 0.0


def boundary_radius(height: int, width: int) -> int:
    """Radius of the matching disk in pixels: 8 at 854x480."""
    return max(1, math.ceil(_TOLERANCE * math.sqrt(height * height + width * width)))


def count_pair(annotation: Labels, prediction: Labels, *, object_id: int) -> PairCounts:
    """Compare where two label maps ``[H, W]`` uint8 hold ``object_id``.

    Raises:
        MaskError: The maps are not of one size.
    """
    if annotation.ndim != 2 or annotation.shape != prediction.shape:
        raise MaskError(
            f"masks to compare must be HxW and of one size, not {annotation.shape} (annotation) "
            f"and {prediction.shape} (prediction)"
        )
    masks = [cv2.inRange(labels, object_id, object_id) for labels in (annotation, prediction)]
    either = cv2.bitwise_or(*masks)
    x, y, width, height = cv2.boundingRect(either)
    if not width:
        return PairCounts(0, 0, 0, 0, 0, 0)
    intersection, union = map(cv2.countNonZero, (cv2.bitwise_and(*masks), either))
    # Both masks, and a row and column around them, where boundary pixels may lie.
    crop = np.s_[max(y - 1, 0) : y + height + 1, max(x - 1, 0) : x + width + 1]
    truth, guess = (_boundary(mask[crop]) for mask in masks)
    truths, guesses = cv2.countNonZero(truth), cv2.countNonZero(guess)
    if not truths or not guesses:
        return PairCounts(intersection, union, truths, guesses, 0, 0)
    disk = _disk(boundary_radius(*annotation.shape))
    found = cv2.countNonZero(cv2.bitwise_and(truth, cv2.dilate(guess, disk)))
    right = cv2.countNonZero(cv2.bitwise_and(guess, cv2.dilate(truth, disk)))
    return PairCounts(intersection, union, truths, guesses, found, right)


def jaccard(annotation: ArrayLike, prediction: ArrayLike) -> float:
    """J in [0, 1] of two masks ``[H, W]``, in which all but zero is foreground.

    Raises:
        MaskError: The shapes differ.
    """
    return count_pair(_foreground(annotation), _foreground(prediction), object_id=1).j


def contour_accuracy(annotation: ArrayLike, prediction: ArrayLike) -> float:
    """F in [0, 1] of two masks ``[H, W]``, in which all but zero is foreground.

    Raises:
        MaskError: The shapes differ.
    """
    return count_pair(_foreground(annotation), _foreground(prediction), object_id=1).f


def _foreground(mask: ArrayLike) -> Labels:
    return np.asarray(np.asarray(mask) != 0).view(np.uint8)


def _boundary(mask: NDArray[Any]) -> NDArray[Any]:
    """255 where a mask differs from a neighbour; beyond its edge lies a copy of the edge."""
    return cv2.morphologyEx(
        mask, cv2.MORPH_GRADIENT, _NEIGHBOURS, anchor=(0, 0), borderType=cv2.BORDER_REPLICATE
    )


@cache
def _disk(radius: int) -> Labels:
    """The kernel x² + y² <= radius²."""
    along = np.arange(-radius, radius + 1)
    disk: Labels = (along[:, None] ** 2 + along**2 <= radius**2).astype(np.uint8)
    return disk
