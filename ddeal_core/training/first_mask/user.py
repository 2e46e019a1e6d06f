"""Somebody who gives hints about an object, and corrects what comes of them, in training."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ddeal_core.interaction.hint_maps import hint_maps, mark
from ddeal_core.interaction.hints import NOT_OBJECT, OBJECT, bounds
from ddeal_core.interaction.simulated_user import next_click

# What is given first, and how often.
_KINDS = {"box": 0.4, "box and click": 0.1, "click": 0.35, "strokes": 0.07, "mask": 0.08}
_LONG = 0.3  # how often clicks come first in a longer row, of which one says little
_MORE = (0.15, 0.65, 0.12, 0.08)  # how often 0, 1, 2 and 3 clicks come after a mask
_SHOWN = 0.75  # how often the network is shown the mask that is corrected
_COARSE = 0.3  # how often that comes from a look from farther away

Bools = NDArray[np.bool_]


class HintingUser:
    """Somebody who marks one object of one crop, and corrects what comes of it.

    Args:
        truth: HxW, the object.
        known: HxW, where the truth is known.
        rng: All chance.
    """

    def __init__(self, truth: Bools, known: Bools, rng: np.random.Generator) -> None:
        self._truth, self._known, self._rng = truth, known, rng
        self._marks = np.zeros(truth.shape, np.uint8)
        self._box: tuple[int, int, int, int] | None = None
        self._previous: NDArray[np.float32] | None = None
        self._shown = True
        self.jaccard = 1.0
        if not truth.any():
            return
        kind = str(rng.choice(list(_KINDS), p=list(_KINDS.values())))
        if kind.startswith("box"):
            self._box = self._draw_box()
        if kind.endswith("click"):
            self._click(np.zeros_like(truth))
        if kind == "click" and rng.random() < _LONG:
            for _ in range(int(rng.integers(1, 8))):
                self._scatter()
        if kind == "strokes":
            self._stroke(truth, OBJECT)
            if rng.random() < 0.5:
                self._stroke(~truth & known, NOT_OBJECT)
        if kind == "mask":
            self._previous = _spoiled(truth, rng).astype(np.float32)
            if rng.random() < 0.5:
                self._previous = _coarse(self._previous, rng)
            self._click(self._previous > 0.5)

    def maps(self) -> NDArray[np.float32]:
        """All that has been said, as the network takes it."""
        return hint_maps(self._marks, self._box, self._previous if self._shown else None)

    def see(self, probability: NDArray[np.float32]) -> None:
        """Look at the mask, and correct it."""
        found = probability > 0.5
        union = ((found | self._truth) & self._known).sum()
        self.jaccard = float((found & self._truth & self._known).sum() / union) if union else 1.0
        coarse = self._rng.random() < _COARSE
        self._previous = _coarse(probability, self._rng) if coarse else probability
        self._shown = bool(self._rng.random() < _SHOWN)
        more = int(self._rng.choice(len(_MORE), p=_MORE))
        if more and self._rng.random() < 0.1:
            wrong, kind = (self._truth & ~found, OBJECT), (~self._truth & found, NOT_OBJECT)
            self._stroke(*max(wrong, kind, key=lambda pair: int((pair[0] & self._known).sum())))
            return
        for _ in range(more):
            self._click(found)

    def _click(self, found: Bools) -> None:
        said = np.where(self._marks == OBJECT, True, found & (self._marks != NOT_OBJECT))
        rng = self._rng if self._rng.random() < 0.5 else None
        click = next_click(said, self._truth, self._known, rng)
        if click is not None:
            mark(self._marks, *click)

    def _scatter(self) -> None:
        """A click anywhere on the object, or beside it, where masks go wrong."""
        if self._rng.random() < 0.5:
            where, kind = self._truth, OBJECT
        else:
            left, top, right, bottom = bounds(self._truth)
            radius = max(3, max(right - left, bottom - top) // 3)
            kernel = np.ones((2 * radius + 1,) * 2, np.uint8)
            near = cv2.dilate(self._truth.view(np.uint8), kernel) > 0
            where, kind = near & ~self._truth, NOT_OBJECT
        depth = cv2.distanceTransform((where & self._known).view(np.uint8), cv2.DIST_L2, 3)
        places = np.flatnonzero(depth > 2)
        if len(places):
            place = int(self._rng.choice(places))
            mark(self._marks, (place % where.shape[1], place // where.shape[1]), kind)

    def _stroke(self, where: Bools, kind: int) -> None:
        """A line through the region, of which what leaves it is lifted."""
        places = np.flatnonzero(where & self._known)
        if not len(places):
            return
        chosen = self._rng.choice(places, size=int(self._rng.integers(2, 5)))
        points = np.stack([chosen % where.shape[1], chosen // where.shape[1]], axis=1)
        line = np.zeros(where.shape, np.uint8)
        thick = int(self._rng.integers(2, 8))
        cv2.polylines(line, [points.astype(np.int32)], False, 1, thick)
        self._marks[(line > 0) & where] = kind

    def _draw_box(self) -> tuple[int, int, int, int]:
        left, top, right, bottom = bounds(self._truth)
        loose = 0.03 if self._rng.random() < 0.6 else 0.12
        off = self._rng.normal(size=4) * loose
        off[self._rng.random(4) < 0.3] = 0
        across, down = (right - left), (bottom - top)
        moved = np.array([left, top, right, bottom]) + off * (across, down, across, down)
        left, top, right, bottom = (round(float(value)) for value in moved)
        return left, top, max(left + 1, right), max(top + 1, bottom)


def _spoiled(truth: Bools, rng: np.random.Generator) -> Bools:
    """A mask that has gone wrong somewhere, as a tracked one does."""
    mask = truth.astype(np.uint8)
    left, top, right, bottom = bounds(truth)
    side = max(8, int(max(right - left, bottom - top)))
    for _ in range(int(rng.integers(1, 4))):
        x, y = rng.integers(left - 4, right + 4), rng.integers(top - 4, bottom + 4)
        axes = rng.uniform(0.05, 0.3, size=2) * side + 3
        value = int(rng.random() < 0.5)
        cv2.ellipse(mask, ((int(x), int(y)), (float(axes[0]), float(axes[1])), 0), value, -1)
    kernel = np.ones((int(rng.integers(1, 6)),) * 2, np.uint8)
    grow = rng.random() < 0.5
    return np.asarray((cv2.dilate(mask, kernel) if grow else cv2.erode(mask, kernel)) > 0)


def _coarse(probability: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """What is left of a map at a size at which thin things and holes are lost."""
    height, width = probability.shape
    factor = rng.uniform(1.5, 6)
    size = max(1, round(width / factor)), max(1, round(height / factor))
    small = cv2.resize(probability, size, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (width, height)), np.float32)
