"""Shapes and textures made from nothing, so that clips can be made without any data."""

import cv2
import numpy as np

from ddeal_core.datasets.arrays import Array, Floats, Floats32


def procedural_texture(rng: np.random.Generator, height: int, width: int) -> Array:
    """Draw a texture: cloud noise, stripes, checks, dots or a gradient in random colours.

    Returns:
        ``[height, width, 3]`` uint8 RGB.
    """
    kind = rng.integers(5)
    if kind == 0:
        value = _clouds(rng, height, width)
    elif kind in (1, 2):
        y, x = np.mgrid[0:height, 0:width].astype(np.float32)
        angle = rng.uniform(0, np.pi)
        step = rng.uniform(4, max(6.0, min(height, width) / 3))
        wobble = (_clouds(rng, height, width) - 0.5) * rng.uniform(0, 2 * step)
        u = (x * np.cos(angle) + y * np.sin(angle) + wobble) * (2 * np.pi / step)
        value = np.sin(u)
        if kind == 2:
            v = (y * np.cos(angle) - x * np.sin(angle) + wobble) * (2 * np.pi / step)
            value = value * np.sin(v)
        value = np.clip(0.5 + value * rng.uniform(0.5, 4), 0, 1)
    elif kind == 3:
        value = np.zeros((height, width), np.float32)
        for _ in range(int(rng.integers(5, 40))):
            centre = (int(rng.integers(width)), int(rng.integers(height)))
            radius = int(rng.integers(1, max(3, min(height, width) // 8)))
            cv2.circle(value, centre, radius, float(rng.uniform(0.3, 1)), -1, cv2.LINE_AA)
    else:
        ramp_x = np.linspace(0, rng.uniform(-1, 1), width, dtype=np.float32)
        ramp_y = np.linspace(0, rng.uniform(-1, 1), height, dtype=np.float32)
        value = 0.5 + 0.5 * (ramp_x[None, :] + ramp_y[:, None])
    colours = rng.integers(0, 256, size=(3, 3)).astype(np.float32)
    value = value.astype(np.float32)[..., None]
    second = _clouds(rng, height, width)[..., None] * np.float32(rng.uniform(0, 0.6))
    mixed = colours[0] + value * (colours[1] - colours[0])
    mixed += second * (colours[2] - mixed)
    grain = rng.standard_normal((height, width, 1), dtype=np.float32)
    grain *= np.float32(rng.uniform(0, 8))
    return np.asarray(np.clip(mixed + grain, 0, 255), dtype=np.uint8)


def procedural_background(rng: np.random.Generator, height: int, width: int) -> Array:
    """Draw a cluttered plate: a texture with a dozen textured patches on it.

    Returns:
        ``[height, width, 3]`` uint8 RGB.
    """
    plate = procedural_texture(rng, height, width)
    for _ in range(int(rng.integers(2, 12))):
        side = int(rng.integers(min(height, width) // 8 + 2, min(height, width) // 2 + 3))
        mask = procedural_shape(rng, side) > 127
        patch = procedural_texture(rng, *mask.shape)
        y = int(rng.integers(0, max(height - mask.shape[0], 1)))
        x = int(rng.integers(0, max(width - mask.shape[1], 1)))
        region = plate[y : y + mask.shape[0], x : x + mask.shape[1]]
        mask = mask[: region.shape[0], : region.shape[1]]
        region[mask] = patch[: region.shape[0], : region.shape[1]][mask]
    return plate


def procedural_shape(rng: np.random.Generator, side: int) -> Array:
    """Draw a shape: blob, star, polygon, ring, thin curve, or a body with limbs.

    Returns:
        ``[side, side]`` uint8 coverage, 255 inside, anti-aliased, clear of the border.
    """
    scale = 4  # sub-pixel bits are no use for thick lines: draw large, then average
    big = np.zeros((side * scale, side * scale), np.uint8)
    centre = side * scale / 2
    radius = centre * 0.9
    kind = rng.integers(6)
    if kind in (0, 1):  # smooth blob, star
        turn = np.linspace(0, 2 * np.pi, 160, endpoint=False)
        if kind == 0:
            r = np.ones_like(turn)
            for k in range(1, 6):
                r += rng.normal() * 0.35 / k * np.sin(k * turn + rng.uniform(0, 2 * np.pi))
        else:
            tips = int(rng.integers(3, 9))
            r = 1 + rng.uniform(0.3, 0.9) * np.abs(((turn * tips / np.pi) % 2) - 1)
        r = np.clip(r, 0.15, None) / np.max(r)
        _fill(big, centre + radius * r * np.cos(turn), centre + radius * r * np.sin(turn))
    elif kind == 2:  # polygon
        count = int(rng.integers(3, 8))
        turn = np.sort(rng.uniform(0, 2 * np.pi, count)) + np.linspace(0, 0.5, count)
        r = radius * rng.uniform(0.5, 1, count)
        _fill(big, centre + r * np.cos(turn), centre + r * np.sin(turn))
    elif kind == 3:  # ring
        axes = (int(radius * 0.85), int(radius * rng.uniform(0.4, 0.85)))
        thick = int(max(scale * 2, radius * rng.uniform(0.05, 0.28)))
        middle = (int(centre), int(centre))
        cv2.ellipse(big, middle, axes, float(rng.uniform(0, 180)), 0, 360, 255, thick)
    elif kind == 4:  # thin curve
        turn = np.linspace(0, rng.uniform(2, 7), 80)
        r = radius * 0.85 * np.linspace(rng.uniform(0.1, 0.5), 1, 80)
        points = np.stack([centre + r * np.cos(turn), centre + r * np.sin(turn)], axis=1)
        thick = int(max(scale * 2, radius * rng.uniform(0.04, 0.15)))
        cv2.polylines(big, [points.astype(np.int32)], False, 255, thick)
    else:  # body with limbs
        middle = (int(centre), int(centre))
        axes = (int(radius * rng.uniform(0.2, 0.4)), int(radius * rng.uniform(0.25, 0.5)))
        cv2.ellipse(big, middle, axes, float(rng.uniform(0, 180)), 0, 360, 255, -1)
        for _ in range(int(rng.integers(2, 7))):
            turn = rng.uniform(0, 2 * np.pi) + np.array([0.0, 0.0, rng.normal() * 0.5])
            r = radius * 0.85 * np.array([0, 0.5, 1])
            points = np.stack([centre + r * np.cos(turn), centre + r * np.sin(turn)], axis=1)
            thick = int(max(scale * 2, radius * rng.uniform(0.05, 0.2)))
            cv2.polylines(big, [points.astype(np.int32)], False, 255, thick)
    shape = cv2.resize(big, (side, side), interpolation=cv2.INTER_AREA)
    return np.asarray(shape, dtype=np.uint8)


def _fill(canvas: Array, x: Floats, y: Floats) -> None:
    cv2.fillPoly(canvas, [np.stack([x, y], axis=1).astype(np.int32)], 255)


def _clouds(rng: np.random.Generator, height: int, width: int) -> Floats32:
    """Noise of three octaves in [0, 1]."""
    total = np.zeros((height, width), np.float32)
    cells = int(rng.integers(2, 6))
    for octave in range(3):
        coarse = rng.random((cells * 2**octave, cells * 2**octave), dtype=np.float32)
        fine = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
        total += fine * np.float32(0.5**octave)
    low, high = float(total.min()), float(total.max())
    return np.asarray((total - low) / max(high - low, 1e-6), dtype=np.float32)
