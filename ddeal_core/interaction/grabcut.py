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
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from ddeal_core.errors import InputError
from ddeal_core.interaction.hints import (
    NOT_OBJECT,
    OBJECT,
    Hints,
    bounds,
    check_image,
    grown_box,
    marked,
)
from ddeal_core.interaction.trimap import CORE, ellipse, from_box, from_mask, near_marks, with_marks
from ddeal_core.interaction.window import Region
from ddeal_core.media.matting.edges import refine_alpha

_log = logging.getLogger(__name__)

_ROUNDS = 2  # of GrabCut: more did no better on photographs
_MARGIN = 0.3  # surroundings that are looked at, as a share of the box's long side
_NEAR = 0.15  # of the frame's short side: where an object may be that has a point but no box
_LITTLE = 1.4  # times the core: less found in a box than this is not believed
_MOST = 0.9  # of the frame: more found than this, without a box, is worth a warning
_SPECK = 0.1  # of the largest piece: smaller ones are dropped where no point says what is meant
_SEED = 0  # GrabCut draws the first colours at random


@dataclass(frozen=True, slots=True, eq=False)
class _Cut:
    """One object, before others claim its pixels."""

    mask: NDArray[np.bool_]  # hxW bool
    marks: NDArray[np.uint8]  # hxW uint8, see `marked`
    # HxW bool, what was taken as the object beforehand: marks, and the core of a box.
    sure: NDArray[np.bool_]
    region: Region  # where it was looked for
    # Of the region's small picture: how much more its colours are the object's than the
    # surroundings', as a difference of log-likelihoods.
    score: NDArray[np.float32]
    guessed: bool = False  # whether nothing stood out in a box, and the ellipse in it was taken

    def pieces(self, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Keep connected pieces that hold something sure; without marks, other large ones too."""
        count, numbers, statistics, _ = cv2.connectedComponentsWithStats(mask.view(np.uint8))
        wanted = np.zeros(count, np.bool_)
        wanted[numbers[self.sure & mask]] = True
        if not (self.marks == OBJECT).any():
            areas = statistics[1:, cv2.CC_STAT_AREA]
            large = np.flatnonzero(areas >= _SPECK * areas.max(initial=0)) + 1
            denied = (self.marks == NOT_OBJECT).view(np.uint8)
            beside = cv2.dilate(denied, np.ones((3, 3), np.uint8)) > 0
            wanted[np.setdiff1d(large, numbers[beside])] = True
        wanted[0] = False
        return np.asarray(wanted[numbers])


def grab_cut(
    image: NDArray[np.uint8],
    hints: Mapping[int, Hints],
    labels: NDArray[np.uint8] | None = None,
) -> NDArray[np.uint8]:
    """Find objects from boxes, points and strokes, or mend masks by them.

    A box should be close around its object. Where points or strokes are on an object, only pieces
    that hold one of them, or the box's core, are kept. What is on one object is not on the others;
    a pixel that several claim goes to the one whose colours it fits best. The same input gives the
    same bytes (OpenCV's random seed is set).

    Args:
        image: HxWx3 uint8 RGB.
        hints: By object id, 1 to 254.
        labels: HxW uint8, a mask to mend. Its objects that have hints, empty ones too, get a new
            outline near the old one and near their marks; the others stay as they are.

    Returns:
        HxW uint8 labels: 0 background, else the object's id. Every object has at least one pixel.

    Raises:
        InputError: A hint contradicts itself, another hint, or the frame's size; or nothing is
            left of an object.
        MaskError: An id is out of range, or the mask has another size.
    """
    old = check_image(image, hints, labels)
    size = (image.shape[0], image.shape[1])
    kept = np.where(np.isin(old, list(hints)), 0, old).astype(np.uint8)
    cuts = {}
    for number in sorted(hints):
        marks = marked(hints, number, size)
        marks[(kept > 0) & (marks == 0)] = NOT_OBJECT
        nearer = _cores_before(hints, number, size) & (marks != OBJECT)
        cuts[number] = _cut(image, hints[number], marks, old == number, nearer)
    out = _shared_out(cuts, size)
    for number, cut in cuts.items():
        mine = out == number
        pieces = cut.pieces(mine)
        out[mine & ~pieces] = 0
        if not pieces.any():
            raise InputError(
                f"nothing is left of object {number}, others take all its pixels: "
                "give a point on it, or smaller boxes"
            )
        if cut.guessed:
            _log.warning(
                "nothing stands out in the box of object %d, so the ellipse in it is taken: "
                "add points on the object",
                number,
            )
        elif hints[number].box is None and number not in old and pieces.mean() > _MOST:
            _log.warning(
                "object %d takes up nearly the whole frame: if that is wrong, give a box around "
                "it, or points that are not on it",
                number,
            )
    return np.where(out > 0, out, kept).astype(np.uint8)


def _cores_before(
    hints: Mapping[int, Hints], number: int, size: tuple[int, int]
) -> NDArray[np.bool_]:
    """Cores of smaller boxes: what they are around is more often before a larger object."""
    out = np.zeros(size, np.bool_)
    own = hints[number].box
    for other, hint in hints.items():
        if hint.box is None or other == number:
            continue
        if own is None or hint.box[2] * hint.box[3] < own[2] * own[3]:
            x, y, width, height = hint.box
            out |= ellipse(size, (x, y, x + width, y + height), CORE)
    return out


def _cut(
    image: NDArray[np.uint8],
    hint: Hints,
    marks: NDArray[np.uint8],
    old: NDArray[np.bool_],
    nearer: NDArray[np.bool_],
) -> _Cut:
    size = marks.shape
    box = grown_box(hint, marks)
    if old.any():
        region = Region.around(bounds(old | (marks == OBJECT)), _MARGIN, size)
        cut = _cut_in(image, marks, region, from_mask(region, old, marks))
    elif box is None:
        return _cut_from_points(image, marks, nearer)
    else:
        region = Region.around(box, _MARGIN, size)
        trimap = from_box(region, box)
        trimap[region.values(nearer.astype(np.float32)) > 0.5] = cv2.GC_BGD
        cut = _cut_in(image, marks, region, trimap)
    if box is None:
        return cut
    left, top, right, bottom = box
    inside = np.zeros(size, np.bool_)
    inside[top:bottom, left:right] = True
    cut = replace(cut, mask=cut.mask & inside)
    if not old.any() and not (marks == OBJECT).any() and cut.mask.sum() < _LITTLE * cut.sure.sum():
        drawn = ellipse(size, box, 1.0)
        return replace(cut, mask=(drawn & inside & (marks != NOT_OBJECT)) | cut.mask, guessed=True)
    return cut


def _cut_from_points(
    image: NDArray[np.uint8], marks: NDArray[np.uint8], nearer: NDArray[np.bool_]
) -> _Cut:
    """Find roughly in the whole frame where the object ends, then look closely."""
    size = marks.shape
    region = Region.around((0, 0, size[1], size[0]), 0, size)
    near = near_marks(region, marks, round(min(size) * _NEAR))
    near[region.values(nearer.astype(np.float32)) > 0.5] = cv2.GC_BGD
    cut = _cut_in(image, marks, region, near)
    closer = Region.around(bounds(cut.mask), _MARGIN, size)
    if closer.scale <= 1.5 * region.scale:
        return cut
    rough = closer.values(cut.mask.astype(np.float32)) >= 0.5
    trimap = np.where(rough, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    trimap[closer.values(nearer.astype(np.float32)) > 0.5] = cv2.GC_BGD
    return _cut_in(image, marks, closer, trimap)


def _cut_in(
    image: NDArray[np.uint8],
    marks: NDArray[np.uint8],
    region: Region,
    trimap: NDArray[np.uint8],
) -> _Cut:
    """Run GrabCut in a region, and fit its outline to the full picture's edges."""
    small = region.picture(image)
    sure = region.marks(marks)
    trimap = with_marks(trimap, sure, small)
    sure_object = region.enlarge((trimap == cv2.GC_FGD).astype(np.float32)) >= 0.5
    sure_object[marks == OBJECT] = True
    score = np.zeros(region.size, np.float32)
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
    found[sure_object] = True
    found[marks == NOT_OBJECT] = False
    cut = _Cut(found, marks, sure_object, region, score)
    return replace(cut, mask=cut.pieces(found))


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
