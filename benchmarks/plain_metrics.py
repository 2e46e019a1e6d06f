"""J and F of two masks, frame by frame and object by object, in the plain way.

The rules of davis2017-evaluation with its building blocks: whole frames, one mask an object,
boundaries from three neighbours, OpenCV's dilation by a disk, sums. Written from what the
measures are said to be, and nothing of `ddeal_core.evaluation` is in it, so that tests compare
that with this, and ``metrics.py`` times it against this.
"""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["plain_boundary", "plain_decay", "plain_disk", "plain_f", "plain_j"]

Mask = NDArray[np.bool_]


def plain_j(truth: Mask, guess: Mask) -> float:
    """Return J of two ``[H, W]`` masks; 1 where both are empty."""
    union = np.sum(truth | guess)
    return float(np.sum(truth & guess) / union) if union else 1.0


def plain_disk(height: int, width: int) -> NDArray[np.uint8]:
    """Return the disk that boundaries may be off by, as a kernel of 0 and 1."""
    radius = int(np.ceil(0.008 * np.linalg.norm((height, width))))
    along = np.arange(-radius, radius + 1)
    return (along[:, None] ** 2 + along**2 <= radius**2).astype(np.uint8)


def plain_boundary(mask: Mask) -> Mask:
    """Return pixels that differ from the next one to the east, south or south-east.

    Beyond the frame lies a copy of its last row and column.
    """
    beyond = np.pad(mask, ((0, 1), (0, 1)), mode="edge")
    east, south, diagonal = beyond[:-1, 1:], beyond[1:, :-1], beyond[1:, 1:]
    return (mask ^ east) | (mask ^ south) | (mask ^ diagonal)


def plain_f(truth: Mask, guess: Mask, disk: NDArray[np.uint8]) -> float:
    """Return F of two ``[H, W]`` masks."""
    of_truth, of_guess = plain_boundary(truth), plain_boundary(guess)
    near_truth = cv2.dilate(of_truth.astype(np.uint8), disk)
    near_guess = cv2.dilate(of_guess.astype(np.uint8), disk)
    truths, guesses = np.sum(of_truth), np.sum(of_guess)
    if not truths or not guesses:
        return float(truths == guesses)
    precision = np.sum(of_guess * near_truth) / guesses
    recall = np.sum(of_truth * near_guess) / truths
    both = precision + recall
    return float(2 * precision * recall / both) if both else 0.0


def plain_decay(values: NDArray[np.float64]) -> float:
    """Return the mean of the first quarter less that of the last.

    Edges as MATLAB has them: ``1 + k (n - 1) / 4``, halves upwards, counted from 1, the edge
    frame in both quarters.
    """
    first, last = (math.floor((4 + k * (len(values) - 1)) / 4 + 0.5) for k in (1, 3))
    return float(np.mean(values[:first]) - np.mean(values[last - 1 :]))
