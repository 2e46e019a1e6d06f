"""Smooth random motion: paths, changing affine maps and deformation fields.

All functions of time are sampled at ``times [T]`` of a clip's frames, float64, from 0, in units of
one ordinary frame distance. They need not be evenly spaced: a jump in time is a dropped frame, and
moves everything that moves at once.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ddeal_core.datasets.arrays import Floats, Floats32

FIELD_SIZE = 25
"""Samples along each side of a deformation field."""


def log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """Draw a number whose logarithm is uniform; 0 where ``high`` is 0."""
    if high <= 0:
        return 0.0
    low = min(max(low, 1e-6), high)
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def frame_times(rng: np.random.Generator, frames: int, max_skip: int) -> Floats:
    """Strictly ascending times with steps of 1 to `max_skip`."""
    steps = rng.integers(1, max_skip + 1, size=frames).astype(np.float64)
    steps[0] = 0.0
    return np.cumsum(steps)


def smooth_noise(
    rng: np.random.Generator, times: Floats, channels: int, *, period: tuple[float, float]
) -> Floats:
    """Independent smooth random functions of time, ``[T, channels]``, of unit standard deviation.

    Each is a sum of three sinusoids with periods drawn log-uniformly.
    """
    waves = 3
    low, high = np.log(period[0]), np.log(period[1])
    rate = 2 * np.pi / np.exp(rng.uniform(low, high, size=(waves, channels)))
    phase = rng.uniform(0, 2 * np.pi, size=(waves, channels))
    angle: Floats = times[:, None, None] * rate + phase  # [T, waves, C]
    return np.asarray(np.sin(angle).sum(axis=1) * np.sqrt(2 / waves))


def object_path(
    rng: np.random.Generator,
    times: Floats,
    *,
    start: tuple[float, float],
    speed: float,
    box: tuple[float, float, float, float],
) -> Floats:
    """Walk of a centre with wandering heading and pace, reflected at the walls of a box.

    ``[T, 2]`` (x, y) in pixels, from `start` inside the box (x0, y0, x1, y1), at a mean pace of
    `speed` a unit of time.
    """
    wander = smooth_noise(rng, times, 2, period=(8.0, 60.0))
    heading = rng.uniform(0, 2 * np.pi) + rng.uniform(0.2, 1.5) * (wander[:, 0] - wander[0, 0])
    pace = speed * np.clip(1 + 0.6 * wander[:, 1], 0.1, None)
    steps = np.diff(times, prepend=times[0]) * pace
    offset = np.stack([np.cos(heading), np.sin(heading)], axis=1) * steps[:, None]
    path = np.asarray(start, dtype=np.float64) + np.cumsum(offset, axis=0)
    low = np.array(box[:2])
    return np.asarray(low + folded(path - low, np.maximum(np.array(box[2:]) - low, 1e-6)))


def folded(places: NDArray[Any], span: Any) -> NDArray[Any]:
    """Reflect places at 0 and at `span`, to and fro, as a triangle wave."""
    turned = np.mod(places, 2 * span)
    return np.asarray(np.minimum(turned, 2 * span - turned))


def object_shapes(
    rng: np.random.Generator, times: Floats, *, rotation: float, zoom: float, stretch: float
) -> Floats:
    """Changing linear maps ``[T, 2, 2]``: rotation times shear times unequal scale, 1 at first.

    `rotation` is the mean turn in radians and `zoom` the mean change of the scale's logarithm, a
    unit of time; `stretch` is the standard deviation of shear and logarithm of the aspect.
    """
    noise = smooth_noise(rng, times, 4, period=(10.0, 60.0))
    steps = np.diff(times, prepend=times[0])
    angle = np.cumsum(rotation * noise[:, 0] * steps)
    # The scale swings rather than runs away: a walk folded into a factor of 2 each way.
    limit = np.log(2.0)
    log_scale = limit * np.sin(np.cumsum(zoom * noise[:, 1] * steps) / limit)
    aspect = np.exp(stretch * 0.5 * noise[:, 2])
    shear = stretch * noise[:, 3]
    scale = np.exp(log_scale)
    cos, sin = np.cos(angle), np.sin(angle)
    turn = np.stack([cos, -sin, sin, cos], axis=1).reshape(-1, 2, 2)
    zero = np.zeros_like(scale)
    skew = np.stack([scale * aspect, shear * scale, zero, scale / aspect], axis=1)
    return np.asarray(turn @ skew.reshape(-1, 2, 2))


def turning(rng: np.random.Generator, times: Floats, rate: float) -> Floats:
    """Turn ``[T]``, 0 at first, of a thing about its own axis, at `rate` in the mean.

    Round and round or to and fro, at a varying pace.
    """
    pace = smooth_noise(rng, times, 1, period=(10.0, 60.0))[:, 0]
    if rng.random() < 0.5:
        pace = np.clip(1 + 0.6 * pace, 0.1, None) * (1 if rng.random() < 0.5 else -1)
    return np.cumsum(rate * pace * np.diff(times, prepend=times[0]))


@dataclass(frozen=True)
class _Hinge:
    pivot: Floats  # [2] in [0, 1]
    normal: Floats  # [2], points to the side that swings
    angles: Floats  # [T]


def deformation_field(
    rng: np.random.Generator,
    times: Floats,
    *,
    bend: float,
    hinges: int = 0,
    swing: float = 0.0,
    controls: int = 4,
    aspect: float = 1.0,
) -> Floats32:
    """Smooth displacement of a unit square that changes smoothly in time.

    Two parts: a grid of control points that each wander on their own, interpolated by cubic
    B-splines (what thin-plate splines are used for, at a fraction of their cost), and hinges:
    the part on one side of a line swings about a point of it, as limbs do.

    Args:
        rng: Source of randomness.
        times: Of the frames.
        bend: Standard deviation of a control point, as a share of the square's side.
        hinges: Number of hinges.
        swing: Standard deviation of a hinge's angle, radians.
        controls: Control points along a side.
        aspect: Width over height of what the square stands for; hinges turn in its metric.

    Returns:
        ``[T, FIELD_SIZE, FIELD_SIZE, 2]`` float32: offsets (x, y) in units of the side.
    """
    frames = len(times)
    drift = smooth_noise(rng, times, controls * controls * 2, period=(6.0, 40.0))
    still = rng.normal(size=controls * controls * 2) * 0.5  # not every clip starts undeformed
    # Neighbours may differ by a spacing at most, or the picture folds over.
    limit = 0.45 / max(controls - 1, 1)
    grid = np.clip(bend * (0.8 * drift + still), -limit, limit)
    basis = _spline_basis(controls)  # [F, controls]
    grid = grid.reshape(frames, controls, controls, 2)
    field: Floats = np.einsum("yi,tijc,xj->tyxc", basis, grid, basis, optimize=True)
    side = np.linspace(0, 1, FIELD_SIZE)
    points = np.stack(np.meshgrid(side, side), axis=-1)  # [F, F, 2] as (x, y)
    metric = np.array([aspect, 1.0]) / np.sqrt(aspect)
    for hinge in _hinges(rng, times, hinges, swing):
        relative = (points - hinge.pivot) * metric
        weight = 1 / (1 + np.exp(-(relative @ hinge.normal) / 0.06))
        cos = np.cos(hinge.angles)[:, None, None] - 1
        sin = np.sin(hinge.angles)[:, None, None]
        x, y = relative[..., 0], relative[..., 1]
        turned = np.stack([cos * x - sin * y, sin * x + cos * y], axis=-1)
        field = field + weight[..., None] * turned / metric
    return field.astype(np.float32)


def _hinges(
    rng: np.random.Generator, times: Floats, count: int, swing: float
) -> tuple[_Hinge, ...]:
    made = []
    for _ in range(count):
        pivot = rng.uniform(0.25, 0.75, size=2)
        # The half that is farther from the middle swings: limbs, heads, tails.
        outward = pivot - 0.5 + rng.normal(size=2) * 0.15
        normal = outward / max(float(np.hypot(*outward)), 1e-6)
        angles = swing * smooth_noise(rng, times, 1, period=(5.0, 30.0))[:, 0]
        made.append(_Hinge(pivot, normal, np.clip(angles, -1.0, 1.0)))
    return tuple(made)


def _spline_basis(controls: int) -> Floats:
    """Uniform cubic B-spline weights of the control points at ``FIELD_SIZE`` places."""
    place = np.linspace(0, controls - 1, FIELD_SIZE)[:, None]
    distance = np.abs(place - np.arange(controls)[None, :])
    near = 2 / 3 - distance**2 + distance**3 / 2
    far = np.clip(2 - distance, 0, None) ** 3 / 6
    weight = np.where(distance < 1, near, far)
    return np.asarray(weight / weight.sum(axis=1, keepdims=True))
