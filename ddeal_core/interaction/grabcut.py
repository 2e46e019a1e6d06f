"""A mask from hints about it, by GrabCut (Rother, Kolmogorov and Blake, 2004).

GrabCut fits two mixtures of colours, the object's and its surroundings', and cuts between them
along the picture's edges, in turns. Left to itself inside a box it often settles on nothing, or on
the wrong half. Here the box's core is the object unless a mark says otherwise; the surroundings are
those near the box; and the cut is made on a small picture, whose outline is then fitted to the
edges of the full one.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ddeal_core.errors import InputError
from ddeal_core.interaction.hints import NOT_OBJECT, OBJECT, Hints, check_hints, marked
from ddeal_core.interaction.region import Region
from ddeal_core.media.edges import refine_alpha

__all__ = ["grab_cut"]

_log = logging.getLogger(__name__)

_ROUNDS = 2  # of GrabCut: more did no better on photographs
_MARGIN = 0.3  # surroundings that are looked at, as a share of the box's long side
_CORE = 0.5  # diameters of the ellipse that is surely the object, as a share of the box
_NEAR = 0.25  # of the frame's short side: where an object may be that has a point but no box
_SPECK = 0.1  # of the largest piece: smaller ones are dropped where no point says what is meant
_SEED = 0  # GrabCut draws the first colours at random


@dataclass(frozen=True, slots=True, eq=False)
class _Cut:
    """One object, before others claim its pixels.

    Attributes:
        mask: HxW bool.
        marks: HxW uint8, see `marked`.
        region: Where it was looked for.
        score: Of the region's small picture: how much more its colours are the object's than the
            surroundings', as a difference of log-likelihoods.
    """

    mask: NDArray[np.bool_]
    marks: NDArray[np.uint8]
    region: Region
    score: NDArray[np.float32]


def grab_cut(image: NDArray[np.uint8], hints: Mapping[int, Hints]) -> NDArray[np.uint8]:
    """Find objects from boxes, points and strokes.

    A box should be close around its object. Where points or strokes are on an object, only pieces
    that hold one of them are kept. What is on one object is not on the others; a pixel that several
    claim goes to the one whose colours it fits best. The same input gives the same bytes (OpenCV's
    random seed is set).

    Args:
        image: HxWx3 uint8 RGB.
        hints: By object id, 1 to 254.

    Returns:
        HxW uint8 labels: 0 background, else the object's id. Every object has at least one pixel.

    Raises:
        InputError: A hint contradicts itself, another hint, or the frame's size; or nothing is
            left of an object.
        MaskError: An id is out of range.
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
        raise InputError(f"a frame is HxWx3 uint8 RGB, not {image.dtype} of shape {image.shape}")
    size = (image.shape[0], image.shape[1])
    check_hints(hints, size)
    cuts = {number: _cut(image, hints, number) for number in sorted(hints)}
    labels = _shared_out(cuts, size)
    for number in cuts:
        mine = labels == number
        kept = _pieces(mine, cuts[number].marks == OBJECT)
        labels[mine & ~kept] = 0
        if not kept.any():
            raise InputError(
                f"nothing is left of object {number}, others take all its pixels: "
                "give a point on it, or smaller boxes"
            )
    return labels


def _cut(image: NDArray[np.uint8], hints: Mapping[int, Hints], number: int) -> _Cut:
    size = (image.shape[0], image.shape[1])
    marks = marked(hints, number, size)
    box = _box(hints[number], marks)
    if box is None:
        # where it ends is unknown: find it roughly in the whole frame, then look closely
        region = Region.around((0, 0, size[1], size[0]), 0, size)
        cut = _cut_in(image, marks, region, _near_marks(region, marks, round(min(size) * _NEAR)))
        left, top, width, height = cv2.boundingRect(cut.mask.view(np.uint8))
        region = Region.around((left, top, width, height), _MARGIN, size)
        if region.scale <= 1.5 * cut.region.scale:
            return cut
        rough = region.shrink(cut.mask.astype(np.float32)) >= 0.5
        trimap = np.where(rough, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
        return _cut_in(image, marks, region, trimap)
    region = Region.around(box, _MARGIN, size)
    trimap = _from_box(region, box)
    cut = _cut_in(image, marks, region, trimap)
    inside = np.zeros(size, np.bool_)
    inside[box[1] : box[1] + box[3], box[0] : box[0] + box[2]] = True
    return _Cut(cut.mask & inside, marks, region, cut.score)


def _box(hint: Hints, marks: NDArray[np.uint8]) -> tuple[int, int, int, int] | None:
    """The box inside the frame, made to hold all marks on the object; None if there is none."""
    if hint.box is None:
        return None
    height, width = marks.shape
    left, top = max(0, hint.box[0]), max(0, hint.box[1])
    right = min(width, hint.box[0] + hint.box[2])
    bottom = min(height, hint.box[1] + hint.box[3])
    x, y, across, down = cv2.boundingRect((marks == OBJECT).view(np.uint8))
    if across:
        left, top = min(left, x), min(top, y)
        right, bottom = max(right, x + across), max(bottom, y + down)
    return left, top, right - left, bottom - top


def _from_box(region: Region, box: tuple[int, int, int, int]) -> NDArray[np.uint8]:
    """Surely not the object outside the box, surely the object in its core."""
    left, top, right, bottom = region.box(box)
    trimap = np.full(region.shape, cv2.GC_BGD, np.uint8)
    trimap[top:bottom, left:right] = cv2.GC_PR_FGD
    if not (trimap == cv2.GC_BGD).any():  # the box is the frame: its corners are the surroundings
        trimap[:] = cv2.GC_PR_BGD
        trimap[_ellipse(trimap.shape, (left, top, right, bottom), 1.0)] = cv2.GC_PR_FGD
    core = _ellipse(trimap.shape, (left, top, right, bottom), _CORE)
    trimap[core & (trimap != cv2.GC_BGD)] = cv2.GC_FGD
    return trimap


def _ellipse(
    shape: tuple[int, ...], box: tuple[int, int, int, int], share: float
) -> NDArray[np.bool_]:
    left, top, right, bottom = box
    drawn = np.zeros(shape, np.uint8)
    centre = ((left + right - 1) / 2, (top + bottom - 1) / 2)
    axes = (max(1.0, (right - left) * share), max(1.0, (bottom - top) * share))
    cv2.ellipse(drawn, (centre, axes, 0), 1, -1)
    return drawn > 0


def _near_marks(region: Region, marks: NDArray[np.uint8], reach: int) -> NDArray[np.uint8]:
    """Perhaps the object near marks on it, perhaps not it further off."""
    small = region.marks(marks)
    away = cv2.distanceTransform((small != OBJECT).astype(np.uint8), cv2.DIST_L2, 3)
    near = away <= reach * region.scale
    return np.where(near, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)


def _cut_in(
    image: NDArray[np.uint8],
    marks: NDArray[np.uint8],
    region: Region,
    trimap: NDArray[np.uint8],
) -> _Cut:
    """Run GrabCut in a region, and fit its outline to the full picture's edges."""
    small = region.picture(image)
    sure = region.marks(marks)
    if (sure == NOT_OBJECT).any():  # a core that a mark contradicts is no longer sure
        trimap = np.where(trimap == cv2.GC_FGD, cv2.GC_PR_FGD, trimap).astype(np.uint8)
    trimap[sure == OBJECT] = cv2.GC_FGD
    trimap[sure == NOT_OBJECT] = cv2.GC_BGD
    score = np.zeros(region.shape, np.float32)
    object_side = (trimap == cv2.GC_FGD) | (trimap == cv2.GC_PR_FGD)
    if object_side.any() and not object_side.all():
        back, front = np.zeros((1, 65)), np.zeros((1, 65))
        cv2.setRNGSeed(_SEED)
        cv2.grabCut(small, trimap, None, back, front, _ROUNDS, cv2.GC_INIT_WITH_MASK)  # type: ignore[call-overload]
        object_side = (trimap == cv2.GC_FGD) | (trimap == cv2.GC_PR_FGD)
        score = _log_likelihood(small, front) - _log_likelihood(small, back)
        score = np.asarray(cv2.blur(score, (5, 5)), np.float32)
    share = region.enlarge(object_side.astype(np.float32))
    found = refine_alpha(image, share) >= 128
    if not found.any():
        found = share >= 0.5
    found[marks == OBJECT] = True
    found[marks == NOT_OBJECT] = False
    return _Cut(_pieces(found, marks == OBJECT), marks, region, score)


def _log_likelihood(picture: NDArray[np.uint8], model: NDArray[np.float64]) -> NDArray[np.float32]:
    """Of each pixel's colour under OpenCV's mixture: 5 weights, 5 means, 5 covariances."""
    weights = model[0, :5]
    means = model[0, 5:20].reshape(5, 3)
    covariances = model[0, 20:].reshape(5, 3, 3)
    colours = picture.reshape(-1, 3).astype(np.float64)
    total = np.full(len(colours), 1e-30)
    for weight, mean, covariance in zip(weights, means, covariances, strict=True):
        determinant = np.linalg.det(covariance)
        if weight <= 0 or determinant <= 0:
            continue
        off = colours - mean
        distance = ((off @ np.linalg.inv(covariance)) * off).sum(axis=1)
        total += weight * np.exp(-0.5 * distance) / np.sqrt(determinant)
    return np.asarray(np.log(total).reshape(picture.shape[:2]), np.float32)


def _pieces(mask: NDArray[np.bool_], on_object: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Keep connected pieces that hold a mark, or without marks all but specks."""
    count, numbers, statistics, _ = cv2.connectedComponentsWithStats(mask.view(np.uint8))
    if count <= 2:
        return mask
    wanted = np.zeros(count, np.bool_)
    held = np.unique(numbers[on_object & mask])
    if len(held):
        wanted[held] = True
    else:
        areas = statistics[:, cv2.CC_STAT_AREA]
        wanted = areas >= _SPECK * areas[1:].max()
    wanted[0] = False
    return np.asarray(wanted[numbers])


def _shared_out(cuts: Mapping[int, _Cut], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Give each pixel to one object: the marked one, else the one whose colours fit best."""
    labels = np.zeros(size, np.uint8)
    claims = np.zeros(size, np.uint16)
    for cut in cuts.values():
        claims += cut.mask
    contested = claims > 1
    best = np.full(int(contested.sum()), -np.inf, np.float32)
    winner = np.zeros(best.shape, np.uint8)
    for number, cut in cuts.items():
        labels[cut.mask & ~contested] = number
        if best.size and cut.mask[contested].any():
            score = cut.region.enlarge(cut.score)[contested]
            score = np.where(cut.marks[contested] == OBJECT, np.inf, score)
            better = cut.mask[contested] & (score > best)
            best = np.where(better, score, best).astype(np.float32)
            winner[better] = number
    labels[contested] = winner
    return labels
