"""Corals and weeds drawn onto a plate: domes, branches, fans, tubes and grass."""

import cv2
import numpy as np
from numpy.typing import NDArray

from ddeal_core.datasets.sample.noise import FloatArray, clouds, smoothstep

__all__ = ["plant_corals"]

Plate = NDArray[np.uint8]
SHIFT = 4  # fractional bits of OpenCV's coordinates
HALF_TURN = np.linspace(np.pi / 2, 3 * np.pi / 2, 7)
CAP = np.stack([np.cos(HALF_TURN), np.sin(HALF_TURN)], axis=1)  # the round end of a stroke

COLOURS = np.array(
    [
        (214, 92, 112),
        (226, 150, 70),
        (168, 92, 178),
        (206, 186, 92),
        (92, 160, 120),
        (222, 120, 86),
        (150, 120, 200),
    ],
    np.float32,
)


def plant_corals(
    rng: np.random.Generator,
    plate: Plate,
    ground: FloatArray,
    foot: FloatArray,
    count: int,
    unit: float,
) -> None:
    """Plant corals along a skyline, in place.

    Args:
        rng: Source of randomness.
        plate: ``[h, w, 4]`` uint8, premultiplied RGBA.
        ground: ``[w]`` row of the skyline at each column, pixels.
        foot: ``[w]`` row where the rock ends at each column, pixels.
        count: How many.
        unit: Size of a pixel of a 360-row frame, at this distance, in pixels.
    """
    width = plate.shape[1]
    places = (np.arange(count) + rng.uniform(0.1, 0.9, count)) / count
    for share in rng.permutation(places):
        x = float(share * (width - 1))
        top, low = float(ground[int(x)]), float(foot[int(x)])
        y = top + (low - top) * rng.uniform(0.05, 0.95) + 2 * unit
        size = unit * rng.uniform(20, 46)
        colour = COLOURS[rng.integers(len(COLOURS))] * rng.uniform(0.8, 1.1)
        kind = rng.integers(6)
        if kind == 0:
            _dome(rng, plate, x, y, size * 0.75, colour)
        elif kind in (1, 2):
            _branches(rng, plate, x, y, size, colour)
        elif kind == 3:
            _fan(rng, plate, x, y, size * 1.25, colour)
        elif kind == 4:
            _tubes(rng, plate, x, y, size, colour)
        else:
            _grass(rng, plate, x, y, size * 1.1)


def _dome(
    rng: np.random.Generator, plate: Plate, x: float, y: float, radius: float, colour: FloatArray
) -> None:
    """A brain coral: half a ball with a maze of grooves."""
    side = max(int(radius * 2), 6)
    v, u = np.mgrid[0:side, 0:side].astype(np.float32) / (side - 1) * 2 - 1
    v = v * 1.25
    inside = 1 - np.hypot(u, v)
    lift = np.sqrt(np.clip(1 - u**2 - v**2, 0, 1))
    light = np.clip(0.25 + 0.75 * (-0.3 * u - 0.75 * v + 0.55 * lift), 0.08, 1.3)
    field = clouds(rng, side, side, side / 5, 2)
    maze = 0.5 + 0.5 * np.sin(field * 40 / (0.4 + lift))
    shade = light * (0.62 + 0.5 * maze)
    _lay(plate, x, y, shade[..., None] * colour, smoothstep(-0.03, 0.04, inside))


def _branches(
    rng: np.random.Generator, plate: Plate, x: float, y: float, size: float, colour: FloatArray
) -> None:
    """A staghorn coral: stems that fork, paler towards their tips."""
    stems = [(x, y, -np.pi / 2 + t, size * 0.42, size * 0.13, 0) for t in (-0.75, -0.3, 0.15, 0.6)]
    while stems:
        px, py, angle, length, thick, level = stems.pop(0)
        angle += rng.uniform(-0.2, 0.2)
        qx, qy = px + np.cos(angle) * length, py + np.sin(angle) * length
        tone = 0.55 + 0.17 * level
        _line(plate, (px, py), (qx, qy), thick, colour * tone * 0.72)
        shift = thick * 0.18
        tip = np.minimum(colour * tone * 1.1 + 12 * level, 255)
        _line(plate, (px - shift, py - shift), (qx - shift, qy - shift), thick * 0.5, tip)
        if level < 3:
            turns = (rng.uniform(-0.75, -0.25), rng.uniform(0.25, 0.75))
            child = (length * 0.78, thick * 0.74, level + 1)
            stems += [(qx, qy, angle + turn, *child) for turn in turns]


def _fan(
    rng: np.random.Generator, plate: Plate, x: float, y: float, size: float, colour: FloatArray
) -> None:
    """A sea fan: many thin twigs in one plane."""
    twigs = [(x, y, -np.pi / 2 + rng.uniform(-0.2, 0.2), size * 0.2, size * 0.055, 0)]
    while twigs:
        px, py, angle, length, thick, level = twigs.pop(0)
        qx, qy = px + np.cos(angle) * length, py + np.sin(angle) * length
        _line(plate, (px, py), (qx, qy), thick, colour * (0.6 + 0.09 * level))
        if level < 6:
            spread = 0.34 if level else 0.6
            for turn in (-spread, spread):
                wobble = rng.uniform(-0.16, 0.16)
                twigs.append(
                    (qx, qy, angle + turn + wobble, length * 0.87, thick * 0.74, level + 1)
                )


def _tubes(
    rng: np.random.Generator, plate: Plate, x: float, y: float, size: float, colour: FloatArray
) -> None:
    """Tube sponges: leaning cylinders with dark mouths."""
    for _ in range(int(rng.integers(3, 6))):
        px = x + rng.uniform(-0.45, 0.45) * size
        tall, thick = size * rng.uniform(0.5, 1.1), size * rng.uniform(0.16, 0.24)
        lean = (px - x) * 0.5
        for share, tone in ((1.0, 0.5), (0.74, 0.75), (0.46, 0.98), (0.2, 1.15)):
            shift = -(1 - share) * thick * 0.32
            ends = ((px + shift, y), (px + lean + shift, y - tall))
            _line(plate, *ends, thick * share, colour * tone)
        mouth = (px + lean, y - tall - thick * 0.1)
        _disc(plate, mouth, (thick * 0.5, thick * 0.3), np.minimum(colour * 1.2 + 20, 255))
        _disc(plate, mouth, (thick * 0.34, thick * 0.18), colour * 0.25)


def _grass(rng: np.random.Generator, plate: Plate, x: float, y: float, size: float) -> None:
    """A tuft of sea grass."""
    for _ in range(int(rng.integers(9, 18))):
        t = np.linspace(0, 1, 7)
        lean, curl = rng.uniform(-0.5, 0.5), rng.uniform(-0.5, 0.5)
        tall = size * rng.uniform(0.5, 1.0)
        px = x + rng.uniform(-0.3, 0.3) * size + tall * (lean * t + curl * t**2)
        py = y - tall * t
        tone = rng.uniform(0.6, 1.2)
        for k in range(6):
            colour = np.array((84, 142, 70), np.float32) * tone * (0.6 + 0.11 * k)
            ends = ((px[k], py[k]), (px[k + 1], py[k + 1]))
            _line(plate, *ends, size * 0.075 * (1 - t[k] * 0.8), colour)


def _line(
    plate: Plate,
    start: tuple[float, float],
    end: tuple[float, float],
    thick: float,
    colour: FloatArray,
) -> None:
    """A stroke with round ends, of any width in pixels."""
    dx, dy = end[0] - start[0], end[1] - start[1]
    scale = max(thick / 2, 0.35) / max(float(np.hypot(dx, dy)), 1e-6)
    cap = CAP @ (np.array([[dx, dy], [-dy, dx]]) * scale)
    points = np.concatenate([cap + start, end - cap])
    corners = np.round(points * (1 << SHIFT)).astype(np.int32)
    cv2.fillConvexPoly(plate, corners, (*_bytes(colour), 255), cv2.LINE_AA, SHIFT)


def _disc(
    plate: Plate, centre: tuple[float, float], axes: tuple[float, float], colour: FloatArray
) -> None:
    turn = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    points = np.array(centre) + np.stack([np.cos(turn), np.sin(turn)], axis=1) * np.array(axes)
    corners = np.round(points * (1 << SHIFT)).astype(np.int32)
    cv2.fillConvexPoly(plate, corners, (*_bytes(colour), 255), cv2.LINE_AA, SHIFT)


def _lay(plate: Plate, x: float, y: float, colour: FloatArray, coverage: FloatArray) -> None:
    """Lay a square patch over the plate, its middle at (x, y), cut at the border."""
    side = coverage.shape[0]
    left, top = int(x - side / 2), int(y - side / 2)
    x0, y0 = max(left, 0), max(top, 0)
    x1, y1 = min(left + side, plate.shape[1]), min(top + side, plate.shape[0])
    if x1 <= x0 or y1 <= y0:
        return
    part = (slice(y0 - top, y1 - top), slice(x0 - left, x1 - left))
    share = coverage[part][..., None]
    new = np.concatenate([np.clip(colour[part], 0, 255), np.full_like(share, 255)], axis=2)
    region = plate[y0:y1, x0:x1]
    region[:] = (region * (1 - share) + new * share).astype(np.uint8)


def _bytes(colour: FloatArray) -> tuple[int, int, int]:
    r, g, b = np.clip(colour, 0, 255).astype(int).tolist()
    return r, g, b
