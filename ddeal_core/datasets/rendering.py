"""Warping and pasting: from layers and their motion to one frame and its labels.

Maps are evaluated on a grid of one point per ``CELL`` pixels and interpolated, and every
layer is drawn within its own box, in 8-bit arithmetic with colour multiplied by alpha: this
is where the speed comes from.
"""

from dataclasses import dataclass
from typing import TypeVar, cast

import cv2
import numpy as np

from ddeal_core.datasets.arrays import Array, Floats, Floats32
from ddeal_core.datasets.motion import FIELD_SIZE

CELL = 8
"""Pixels from one evaluated point of a map to the next."""

ArrayT = TypeVar("ArrayT", Array, Floats32)


@dataclass(frozen=True, eq=False)
class Layer:
    """A cut-out with its motion."""

    # [h, w, 4] uint8, colour multiplied by alpha, clear at its border: one, or one a frame.
    pictures: tuple[Array, ...]
    label: int  # value written where it covers a pixel by half or more; 0 for a distractor
    matrices: Floats  # [T, 2, 3] from cut-out pixels to frame pixels
    field: Floats32 | None  # [T, F, F, 2] displacement over the cut-out, in its sides
    gains: Floats  # [T, 3] factors of the colours
    smears: Floats  # [T, 2] motion during exposure in pixels (x, y)
    # [H, W] uint8 a frame: coverage of what lies before it in the background, if anything does.
    front: tuple[Array, ...] | None = None

    def picture(self, t: int) -> Array:
        """What is drawn at frame ``t``."""
        return self.pictures[t if len(self.pictures) > 1 else 0]


def draw_layer(frame: Array, labels: Array, layer: Layer, t: int) -> None:
    """Paste a layer at frame ``t`` into ``frame`` ``[H, W, 3]`` and ``labels`` ``[H, W]``."""
    height, width = labels.shape
    rgba = layer.picture(t)
    h, w = rgba.shape[:2]
    matrix = layer.matrices[t]
    reach = 0.0
    if layer.field is not None:
        reach = min(float(np.abs(layer.field[t]).max()), 0.5)
    corners = np.array(
        [[-reach * w, -reach * h], [w * (1 + reach), -reach * h],
         [-reach * w, h * (1 + reach)], [w * (1 + reach), h * (1 + reach)]]
    )  # fmt: skip
    seen = corners @ matrix[:, :2].T + matrix[:, 2]
    pad = int(np.ceil(np.abs(layer.smears[t]).max() / 2)) + 1
    x0, y0 = np.maximum(np.floor(seen.min(axis=0)).astype(int) - pad, -pad)
    x1, y1 = np.minimum(np.ceil(seen.max(axis=0)).astype(int) + pad, (width + pad, height + pad))
    fx0, fy0, fx1, fy1 = max(x0, 0), max(y0, 0), min(x1, width), min(y1, height)
    if fx1 <= fx0 or fy1 <= fy0:
        return
    points = apply(invert(matrix), grid_points(x0, y0, x1 - x0, y1 - y0))
    if layer.field is not None:
        offset = field_at(layer.field[t], points / np.array([w, h]))
        points += offset * np.array([w, h])
    dense = dense_map(points, x1 - x0, y1 - y0)
    patch = warp(rgba, dense, cv2.INTER_LINEAR, cv2.BORDER_CONSTANT)
    patch = smear(patch, layer.smears[t])
    patch = np.ascontiguousarray(patch[fy0 - y0 : fy1 - y0, fx0 - x0 : fx1 - x0])
    if layer.front is not None:
        free = cv2.bitwise_not(layer.front[t][fy0:fy1, fx0:fx1])
        every = cv2.merge([free] * 4)
        patch = np.asarray(cv2.multiply(patch, every, scale=1 / 255), dtype=np.uint8)
    alpha = cv2.extractChannel(patch, 3)
    colour = cv2.cvtColor(patch, cv2.COLOR_RGBA2RGB)
    gain = layer.gains[t]
    if np.abs(gain - 1).max() > 0.004:
        colour = cv2.multiply(colour, np.array([*gain, 1.0]))
    area = frame[fy0:fy1, fx0:fx1]
    rest = cv2.cvtColor(cv2.bitwise_not(alpha), cv2.COLOR_GRAY2RGB)
    area[...] = cv2.add(cv2.multiply(area, rest, scale=1 / 255), colour)
    covered = cv2.threshold(alpha, 127, 255, cv2.THRESH_BINARY)[1]
    labels[fy0:fy1, fx0:fx1][covered > 0] = layer.label


def grid_points(x0: int, y0: int, width: int, height: int) -> Floats:
    """Places (x, y) of the evaluated points of a box, one cell beyond it on every side.

    ``[ceil(height / CELL) + 2, ceil(width / CELL) + 2, 2]`` float64.
    """
    columns = x0 + (np.arange(-1, -(-width // CELL) + 1) + 0.5) * CELL - 0.5
    rows = y0 + (np.arange(-1, -(-height // CELL) + 1) + 0.5) * CELL - 0.5
    return np.stack(np.meshgrid(columns, rows), axis=-1)


def dense_map(points: Floats, width: int, height: int) -> Floats32:
    """Interpolate ``grid_points``-shaped places to every pixel: ``[height, width, 2]``.

    Exact for affine maps.
    """
    rows, columns = points.shape[:2]
    dense = cv2.resize(
        points.astype(np.float32), (columns * CELL, rows * CELL), interpolation=cv2.INTER_LINEAR
    )
    return np.asarray(dense[CELL : CELL + height, CELL : CELL + width])


def field_at(field: Floats32, places: Floats) -> Floats:
    """Sample a field ``[F, F, 2]`` at places ``[..., 2]`` of the unit square, held beyond it."""
    index = (places * (FIELD_SIZE - 1)).astype(np.float32)
    border = cv2.BORDER_REPLICATE
    return np.asarray(warp(field, index, cv2.INTER_LINEAR, border), dtype=np.float64)


def warp(image: ArrayT, dense: Floats32, how: int, border: int) -> ArrayT:
    """Sample an image at ``dense`` ``[H, W, 2]`` places; clear beyond a constant border."""
    # No second map: the first holds both coordinates. OpenCV's stubs do not know of that, and
    # with an empty array in its place OpenCV 5 never returns.
    warped = cv2.remap(  # type: ignore[call-overload]
        image, dense, None, how, borderMode=border, borderValue=(0, 0, 0, 0)
    )
    return cast(ArrayT, warped)


def smear(image: Array, motion: Floats) -> Array:
    """Blur along a straight motion, given in pixels (x, y); nothing under 1.5 pixels.

    Averages of the picture and its shifted self, the shift halved each time: n passes make a
    line of 2^n samples, several times faster than one filter of that length.
    """
    length = float(np.hypot(*motion))
    if length < 1.5:
        return image
    motion = motion * min(1.0, 32.0 / length)
    passes = max(1, int(np.ceil(np.log2(min(length, 32.0) / 1.5))))
    # The partial sums of halved shifts fill [0, motion]; rounding is carried along.
    ends = np.round(motion * (1 - 0.5 ** np.arange(passes + 1))[:, None]).astype(int)
    shifts = np.diff(ends, axis=0)
    reach = np.abs(shifts).sum(axis=0)
    left, top = reach // 2
    right, bottom = reach - reach // 2
    border = cv2.BORDER_REPLICATE
    blurred = cv2.copyMakeBorder(image, top, bottom, left, right, border)
    for dx, dy in shifts:
        if dx == 0 and dy == 0:
            continue
        h, w = blurred.shape[0] - abs(dy), blurred.shape[1] - abs(dx)
        x0, x1 = (dx, 0) if dx > 0 else (0, -dx)
        y0, y1 = (dy, 0) if dy > 0 else (0, -dy)
        one = blurred[y0 : y0 + h, x0 : x0 + w]
        two = blurred[y1 : y1 + h, x1 : x1 + w]
        blurred = cv2.addWeighted(one, 0.5, two, 0.5, 0)
    return np.asarray(blurred, dtype=np.uint8)


def apply(matrix: Floats, points: Floats) -> Floats:
    """Map points ``[..., 2]`` by an affine matrix ``[2, 3]``."""
    return np.asarray(points @ matrix[:, :2].T + matrix[:, 2])


def invert(matrix: Floats) -> Floats:
    """Invert affine matrices ``[..., 2, 3]``."""
    linear = np.linalg.inv(matrix[..., :2])
    return np.concatenate([linear, -linear @ matrix[..., 2:]], axis=-1)
