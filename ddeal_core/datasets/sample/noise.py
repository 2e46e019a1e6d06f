"""Smooth random fields that textures of the sample clip are made of."""

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["FloatArray", "RealArray", "caustics", "clouds", "random_stream", "smoothstep"]

FloatArray = NDArray[np.float32]
RealArray = NDArray[np.floating]

SEED = 20


def random_stream(element: int) -> np.random.Generator:
    """A generator of its own for each element of the scene: one change does not move the rest."""
    return np.random.default_rng((SEED, element))


def clouds(
    rng: np.random.Generator, height: int, width: int, cell: float, octaves: int = 4
) -> FloatArray:
    """Value noise in [0, 1], ``[height, width]``.

    Args:
        rng: Source of randomness.
        height: Rows.
        width: Columns.
        cell: Size in pixels of the coarsest octave's lumps.
        octaves: How many, each of half the size and half the strength.
    """
    total = np.zeros((height, width), np.float32)
    for octave in range(octaves):
        step = max(cell / 2**octave, 1.0)
        rows, columns = int(np.ceil(height / step)) + 3, int(np.ceil(width / step)) + 3
        coarse = rng.random((rows, columns), dtype=np.float32)
        matrix = np.array([[1 / step, 0, 1], [0, 1 / step, 1]], np.float32)
        flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
        total += cv2.warpAffine(coarse, matrix, (width, height), flags=flags) * 0.5**octave
    low, high = float(total.min()), float(total.max())
    return np.asarray((total - low) / max(high - low, 1e-6), dtype=np.float32)


def caustics(side: int = 256) -> FloatArray:
    """A net of light as waves cast it, in [0, 1], ``[side, side]``, seamless in both directions."""
    rng = random_stream(1)
    y, x = np.mgrid[0:side, 0:side].astype(np.float32) * np.float32(2 * np.pi / side)
    net = np.ones((side, side), np.float32)
    for _ in range(2):
        for _ in range(3):  # domain warping by whole periods keeps the seams shut
            a, b = rng.integers(1, 4, 2)
            p, q = rng.uniform(0, 2 * np.pi, 2)
            x, y = x + 0.45 * np.sin(a * y + p), y + 0.45 * np.sin(b * x + q)
        wave = np.sin(3 * x + y) + np.sin(3 * y - 2 * x) + np.sin(4 * x - y)
        net = np.minimum(net, np.abs(wave) / 3)
    light = np.exp(-net * 9)
    return np.asarray(light / light.max(), dtype=np.float32)


def smoothstep(low: float, high: float, value: RealArray) -> FloatArray:
    """0 below ``low``, 1 above ``high``, smooth between."""
    t = np.clip((value - low) / (high - low), 0, 1)
    return np.asarray(t * t * (3 - 2 * t), dtype=np.float32)
