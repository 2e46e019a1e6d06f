"""Finishing applied: from a cut-out as it was found to the one that outputs are made of."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ddeal_core.finishing.options import Finishing
from ddeal_core.finishing.shapes import dropped_specks, filled_holes, grown, nearer_to, shrunk
from ddeal_core.finishing.steady import Steadier
from ddeal_core.media.matting.cutout import Cutout, nearest_labels
from ddeal_core.media.matting.edges import BoundingBox, Float

_SOFT_EDGE = 6  # pixels


class Finisher:
    """Finishes the frames of one video, fed in order."""

    def __init__(self, options: Finishing) -> None:
        self._options = options
        self._steadier = Steadier() if options.steady else None

    def finish(self, cutout: Cutout) -> Cutout:
        """Give the finished cut-out of the next frame; the same one where nothing is wanted."""
        if self._steadier is not None and cutout.object_ids:
            cutout = _steadied(cutout, self._steadier)
        if not self._options.chosen.keys() - {"steady"}:
            return cutout
        return _Finished(cutout, self._options)


def _steadied(cutout: Cutout, steadier: Steadier) -> Cutout:
    ids = cutout.object_ids
    steady, box = steadier.steadied(cutout.image, cutout.planes(), ids, cutout.labels > 0)
    if box is None:  # the first frame, to the pixel
        return cutout
    best = 1 - sum(each[box] for each in steady)
    part = np.zeros(best.shape, np.uint8)
    for number, each in zip(ids, steady, strict=True):  # far faster than numpy's argmax
        part[each[box] > best] = number
        np.maximum(best, each[box], out=best)
    labels = _pasted(cutout.labels, box, part)
    return cutout.replaced(
        labels, lambda: np.concatenate([1 - steady.sum(axis=0, keepdims=True), steady])
    )


class _Finished(Cutout):
    """A cut-out whose labels and alpha are made of a raw one's when somebody asks."""

    def __init__(self, raw: Cutout, options: Finishing) -> None:
        self._raw, self._options = raw, options
        labels = self._clean = self._whole = raw.labels
        box = BoundingBox.around(labels > 0, options.grow + 1)
        if box is not None:
            clean = dropped_specks(labels[box]) if options.drop_specks else labels[box]
            whole = filled_holes(clean) if options.fill_holes else clean
            self._clean, self._whole = _pasted(labels, box, clean), _pasted(labels, box, whole)
            labels = _pasted(labels, box, _outlined(whole, options))
        super().__init__(raw.image, labels, object_ids=raw.object_ids)
        self.record, self._ask_cues = raw.record, raw._ask_cues

    @cached_property
    def _near(self) -> BoundingBox | None:
        """Where anything can change; None where there is nothing."""
        options = self._options
        return BoundingBox.around(self._raw.soft() > 0, options.grow + 2 * options.feather + 1)

    @cached_property
    def _covered(self) -> Float:
        """Opacity before anything is taken from its edges: what colours are freed by."""
        box, all_soft = self._near, self._raw.soft()
        if box is None:
            return all_soft
        soft, before = all_soft[box], self._raw.labels[box]
        clean, whole = self._clean[box], self._whole[box]
        gone = (before > 0) & (clean == 0)
        if gone.any():  # with the soft edge around them
            soft = np.where(nearer_to(gone, clean > 0), np.float32(0), soft)
        filled = (clean == 0) & (whole > 0)
        if filled.any():
            soft = np.where(filled | nearer_to(filled, whole == 0), np.float32(1), soft)
        return _pasted(all_soft, box, grown(soft, self._options.grow))

    @cached_property
    def _soft(self) -> Float:
        box, options = self._near, self._options
        if box is None:
            return self._covered
        soft = shrunk(self._covered[box], options.shrink)
        if options.choke:
            least = np.float32(options.choke / 100)
            soft = np.clip((soft - least) / (1 - least), 0, 1)
        if options.feather:
            sigma = options.feather / 2
            soft = cv2.GaussianBlur(soft, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
        return _pasted(self._covered, box, soft)

    @cached_property
    def _cumulated_shares(self) -> Float:
        """As they were where the object was; what is new belongs to the nearest object."""
        sums, box, options = self._raw._cumulated_shares, self._near, self._options
        moved = options.grow or options.feather or self._whole is not self._raw.labels
        if box is None or not moved or len(self.object_ids) < 2:
            return sums
        before, labels = self._raw.labels[box], self.labels[box]
        new = (labels != before) | (self._raw.soft()[box] <= 0)
        taken = (self._clean[box] != before) & (self._clean[box] > 0)  # specks in other objects
        if taken.any():
            new |= grown(taken.view(np.uint8), _SOFT_EDGE) > 0
        nearest = nearest_labels(labels)[new]
        sums = sums.copy()
        below = np.zeros(len(nearest), np.float32)
        for share, object_id in zip(sums[1:-1], self.object_ids, strict=False):
            below += nearest == object_id
            share[box][new] = below
        return sums

    def planes(self) -> NDArray[Any]:
        """See `Cutout`."""
        return np.diff(self._cumulated_shares, axis=0) * self._soft


def _outlined(labels: NDArray[np.uint8], options: Finishing) -> NDArray[np.uint8]:
    if options.grow:
        wider = grown((labels > 0).view(np.uint8), options.grow)
        labels = np.where(wider > 0, nearest_labels(labels), labels).astype(np.uint8)
    if options.shrink:
        labels = labels * shrunk((labels > 0).view(np.uint8), options.shrink)
    return labels


def _pasted(whole: NDArray[Any], box: BoundingBox, part: NDArray[Any]) -> NDArray[Any]:
    """The whole with another part in the box; the same array where the part is a view of it."""
    if np.shares_memory(whole, part):
        return whole
    out = whole.copy()
    out[box] = part
    return out
