"""What finishing does to the shapes of objects."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ddeal_core.media.masks.label_images import Labels
from ddeal_core.media.matting.cutout import nearest_labels

Plane = NDArray[Any]

_SPECK = 1 / 50  # of the object's largest piece
_HOLE = 1 / 10  # of all objects
_AT_ONCE = 3  # pixels of one step: a large disc takes many times as long as several small ones


def dropped_specks(labels: Labels) -> Labels:
    """Drop small pieces of objects; one that touches another object becomes that one's.

    Gives the same array where there is nothing to drop.
    """
    specks = np.zeros(labels.shape, np.bool_)
    for object_id in np.flatnonzero(np.bincount(labels.ravel()))[1:]:
        inside = (labels == object_id).view(np.uint8)
        count, pieces, stats, _ = cv2.connectedComponentsWithStats(inside, connectivity=8)
        areas = stats[:, cv2.CC_STAT_AREA]
        small = areas < areas[1:].max() * _SPECK
        small[0] = False
        if count > 2 and small.any():
            specks |= small[pieces]
    if not specks.any():
        return labels
    rest = np.where(specks, 0, labels).astype(np.uint8)
    _, pieces = cv2.connectedComponents(specks.view(np.uint8), connectivity=8)
    touching = np.unique(pieces[(cv2.dilate(rest, np.ones((3, 3), np.uint8)) > 0) & specks])
    taken = specks & np.isin(pieces, touching)
    return np.where(taken, nearest_labels(rest), rest).astype(np.uint8) if taken.any() else rest


def filled_holes(labels: Labels) -> Labels:
    """Fill small areas of background that objects enclose, with the nearest object.

    Gives the same array where there is nothing to fill.
    """
    height, width = labels.shape
    outside = (labels == 0).view(np.uint8)
    _, areas, stats, _ = cv2.connectedComponentsWithStats(outside, connectivity=4)
    left, top = stats[:, cv2.CC_STAT_LEFT], stats[:, cv2.CC_STAT_TOP]
    right, bottom = left + stats[:, cv2.CC_STAT_WIDTH], top + stats[:, cv2.CC_STAT_HEIGHT]
    hole = (left > 0) & (top > 0) & (right < width) & (bottom < height)
    hole &= stats[:, cv2.CC_STAT_AREA] < np.count_nonzero(labels) * _HOLE
    hole[0] = False
    if not hole.any():
        return labels
    filled = labels.copy()
    for k in np.flatnonzero(hole):  # what surrounds a hole is nearest to it
        around = (slice(top[k] - 1, bottom[k] + 1), slice(left[k] - 1, right[k] + 1))
        filled[around][areas[around] == k] = nearest_labels(labels[around])[areas[around] == k]
    return filled


def grown(plane: Plane, pixels: int) -> Plane:
    """Move outlines out: the greatest value within a disc, of labels' masks as of opacity."""
    for kernel in _discs(pixels):
        plane = cv2.dilate(plane, kernel)
    return plane


def shrunk(plane: Plane, pixels: int) -> Plane:
    """Move outlines in: the least value within a disc; the frame's border is no outline."""
    for kernel in _discs(pixels):
        plane = cv2.erode(plane, kernel)
    return plane


def nearer_to(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Where a pixel of the first set is nearer than any of the second; both are disjoint."""
    marks = first.view(np.uint8) + 2 * second.view(np.uint8)
    return np.asarray(nearest_labels(marks) == 1)


def _discs(pixels: int) -> list[NDArray[np.uint8]]:
    steps = [_AT_ONCE] * (pixels // _AT_ONCE) + [pixels % _AT_ONCE] * (pixels % _AT_ONCE > 0)
    return [
        np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * n + 1,) * 2), np.uint8)
        for n in steps
    ]
