"""How far a result is to be trusted: what looks like a mistake, without knowing the truth.

Four signs, of each object on its own, on small maps:

- its edge is wide: the network wavers over many pixels for an object of that size;
- its area changes suddenly;
- its place changes suddenly;
- it is in pieces, more than it was.

A frame is doubted as much as its most doubtful object. A frame whose masks were given is not.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from ddeal_core.tracking.result import Result

_LINES = 120  # short side of the maps that are looked at
_LEAST = 8.0  # pixels of them: smaller objects are not measured by their own size
_WEIGHTS = (0.1, 0.3, 2.0, 0.5)  # of the four signs
_FADES = 0.9  # how much of a doubt is left on the next frame: a mistake seldom mends itself
_DOUBTFUL = 0.6
_GAP = 3  # frames: stretches no farther apart are joined


@dataclass(frozen=True, slots=True)
class Stretch:
    """Frames to look at, one after the other.

    Attributes:
        first: The first one.
        last: The last one.
        worst: The most doubtful one.
        doubt: How doubtful that is, 0 to 1.
    """

    first: int
    last: int
    worst: int
    doubt: float


@dataclass(frozen=True, slots=True)
class _Shape:
    area: float
    x: float
    y: float
    pieces: float  # share of the area that is not in the largest piece


class DoubtMeter:
    """Measures the doubt about the results of a video, fed in order.

    Attributes:
        doubts: From 0, none, to 1, by frame.
    """

    def __init__(self) -> None:
        self.doubts: dict[int, float] = {}
        self._shapes: dict[int, _Shape] = {}
        self._before: dict[int, float] = {}

    def add(self, frame: int, result: Result) -> float:
        """Measure the next result.

        Args:
            frame: Its number in the whole video.
            result: What was found there.

        Returns:
            The doubt, 0 to 1.
        """
        given = () if result.maps.given is None else result.maps.given.ids
        worst = 0.0
        maps = _small(result) if result.object_ids else np.zeros((0, 1, 1), np.float32)
        for object_id, inside in zip(result.object_ids, maps, strict=True):
            if object_id in given:
                assert result.maps.given is not None
                mask = (result.maps.given.labels == object_id).astype(np.float32)
                inside = cv2.resize(mask, inside.shape[::-1], interpolation=cv2.INTER_AREA)
            shape = _shape_of(inside)
            before = self._shapes.get(object_id)
            self._shapes[object_id] = shape
            if object_id in given or before is None:
                self._before[object_id] = 0.0
                continue
            signs = _signs(inside, shape, before)
            now = 1 - math.exp(-sum(w * s for w, s in zip(_WEIGHTS, signs, strict=True)))
            doubt = max(now, _FADES * self._before[object_id])
            self._before[object_id] = doubt
            worst = max(worst, doubt)
        self.doubts[frame] = worst
        return worst

    def stretches(self) -> tuple[Stretch, ...]:
        """Frames to look at, in order: see `stretches`."""
        return stretches(self.doubts)


def stretches(doubts: dict[int, float]) -> tuple[Stretch, ...]:
    """Join doubtful frames into stretches, in order.

    Args:
        doubts: By frame, rising.
    """
    found: list[list[int]] = []
    for frame in sorted(i for i, doubt in doubts.items() if doubt >= _DOUBTFUL):
        if found and frame - found[-1][-1] <= _GAP:
            found[-1].append(frame)
        else:
            found.append([frame])
    told = []
    for frames in found:
        worst = max(frames, key=lambda i: doubts[i])
        told.append(Stretch(frames[0], frames[-1], worst, round(doubts[worst], 3)))
    return tuple(told)


def _small(result: Result) -> NDArray[np.float32]:
    """Probabilities of the objects, ``[K, h, w]`` with few lines."""
    merged = result.maps.merged[:, 1:].float()
    height, width = merged.shape[-2:]
    scale = min(height, width) / _LINES
    if scale > 1:
        size = (max(1, round(height / scale)), max(1, round(width / scale)))
        with torch.inference_mode():
            merged = F.interpolate(merged, size, mode="area")
    return np.asarray(merged[0].cpu().numpy(), np.float32)


def _shape_of(inside: NDArray[np.float32]) -> _Shape:
    mask = (inside > 0.5).astype(np.uint8)
    count, _, stats, centres = cv2.connectedComponentsWithStats(mask, connectivity=8)
    areas = stats[1:, cv2.CC_STAT_AREA].astype(np.float64)
    if count < 2:
        return _Shape(0.0, 0.0, 0.0, 0.0)
    x, y = (areas @ centres[1:]) / areas.sum()
    return _Shape(float(areas.sum()), float(x), float(y), float(1 - areas.max() / areas.sum()))


def _signs(
    inside: NDArray[np.float32], shape: _Shape, before: _Shape
) -> tuple[float, float, float, float]:
    side = math.sqrt(max(shape.area, _LEAST))
    unsure = float((inside * (1 - inside)).sum() * 4) / (4 * side)
    growth = abs(math.log((shape.area + _LEAST) / (before.area + _LEAST)))
    moved = 0.0
    if shape.area and before.area:
        moved = math.hypot(shape.x - before.x, shape.y - before.y) / side
    return unsure, growth, moved, abs(shape.pieces - before.pieces) + shape.pieces
