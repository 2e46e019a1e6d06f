"""The turtle: a shell of scutes, four paddles that beat, a head and a tail."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from ddeal_core.datasets.sample.mesh import Mesh
from ddeal_core.datasets.sample.noise import FloatArray, random_stream, smoothstep

__all__ = ["Turtle"]

SKIN = np.array((104, 118, 62), np.float32)
SEAM = np.array((226, 214, 150), np.float32)
SCUTE_DARK = np.array((74, 44, 20), np.float32)
SCUTE_LIGHT = np.array((206, 142, 58), np.float32)
PLASTRON = np.array((222, 204, 142), np.float32)

# Middles of the shell's scutes seen from above: five along the spine, four pairs beside them.
SPINE = [(0.30, 0.0), (0.16, 0.0), (0.0, 0.0), (-0.16, 0.0), (-0.31, 0.0)]
RIBS = [
    (x, side * z)
    for x, z in ((0.23, 0.17), (0.08, 0.2), (-0.08, 0.19), (-0.23, 0.14))
    for side in (1, -1)
]
# A paddle: joint, reach along the body and sideways, and width, in body lengths.
FRONT = ((0.235, 0.01, 0.19), (-0.20, 0.46), 0.15)
REAR = ((-0.29, 0.03, 0.13), (-0.17, 0.17), 0.13)


@dataclass(frozen=True, eq=False)
class Turtle:
    """A turtle at rest, ready to swim.

    Attributes:
        mesh: Paddles stretched out level.
        paddles: For each its vertices, its joint ``[3]``, its side (+1 or -1), front or not.
    """

    mesh: Mesh
    paddles: tuple[tuple[slice, FloatArray, int, bool], ...]

    @classmethod
    def built(cls, *, detail: float = 1.0) -> Self:
        """Build a turtle; ``detail`` scales the number of quads in both directions."""
        parts = [_shell(detail, top=True), _shell(detail, top=False), _head(detail), _tail()]
        parts += [_eye(side) for side in (1, -1)]
        count = sum(len(part.vertices) for part in parts)
        paddles = []
        for joint, reach, width in (FRONT, REAR):
            for side in (1, -1):
                fineness = detail * (0.85 if joint is FRONT[0] else 0.5)
                paddle = _paddle(joint, reach, width, side, fineness)
                span = slice(count, count + len(paddle.vertices))
                root = np.array([joint[0], joint[1], joint[2] * side], np.float32)
                paddles.append((span, root, side, joint is FRONT[0]))
                parts.append(paddle)
                count = span.stop
        return cls(Mesh.joined(parts), tuple(paddles))

    def swimming(self, *, phase: float) -> Mesh:
        """Beat the paddles: each turns about its joint, the tip later than the root.

        Args:
            phase: Of the beat, radians.
        """
        points = self.mesh.vertices.copy()
        for span, root, side, front in self.paddles:
            arm = points[span] - root
            out = np.abs(arm[:, 2])
            lag = out * 2.6
            if front:
                lift = 0.12 + 0.62 * np.sin(phase - lag)
                sweep = 0.28 * np.cos(phase - lag * 0.5)
            else:
                lift = 0.10 + 0.16 * np.sin(phase + 1.4 - lag)
                sweep = 0.20 * np.sin(phase + 0.6) * np.ones_like(out)
            twist = 0.35 * np.cos(phase - lag) * (arm[:, 0] + 0.45 * out) if front else 0.0
            x = arm[:, 0] * np.cos(sweep) + out * np.sin(sweep)
            outward = out * np.cos(sweep) - arm[:, 0] * np.sin(sweep) * 0.5
            y = arm[:, 1] - outward * np.sin(lift) + twist
            points[span] = root + np.stack([x, y, side * outward * np.cos(lift)], axis=1)
        return self.mesh.moved(points)


def _mottled(x: FloatArray, z: FloatArray, cells: int, element: int) -> FloatArray:
    """Skin: dark plates with pale seams, a Voronoi diagram of random points; ``[..., 3]``."""
    rng = random_stream(element)
    seeds = rng.uniform((-0.75, -0.75), (0.75, 0.75), (cells, 2)).astype(np.float32)
    gap, owner = _voronoi(x, z, seeds)
    tone = (0.72 + 0.5 * rng.random(cells, dtype=np.float32))[owner]
    seam = smoothstep(0.016, 0.004, gap)[..., None] * 0.75
    colour = SKIN * tone[..., None]
    return np.asarray(colour + seam * (SEAM - colour), dtype=np.float32)


def _voronoi(
    x: FloatArray, z: FloatArray, seeds: FloatArray
) -> tuple[FloatArray, np.ndarray[tuple[int, ...], np.dtype[np.intp]]]:
    """How far the border of the cell is (in x and z's unit, roughly), and the cell's number."""
    distance = np.hypot(x[..., None] - seeds[:, 0], z[..., None] - seeds[:, 1])
    nearest = np.partition(distance, 1, axis=-1)
    gap = np.asarray((nearest[..., 1] - nearest[..., 0]) / 2, dtype=np.float32)
    return gap, np.argmin(distance, axis=-1)


def _shell(detail: float, *, top: bool) -> Mesh:
    rings, around = (int(26 * detail), int(60 * detail)) if top else (6, int(40 * detail))
    r = np.linspace(0, 1, rings + 1, dtype=np.float32)[:, None] ** (0.8 if top else 1.0)
    angle = np.linspace(0, 2 * np.pi, around + 1, dtype=np.float32)[None]
    # An egg with its blunt end in front; the rim is slightly toothed behind.
    reach = 0.41 - 0.015 * np.cos(angle) + 0.008 * np.cos(angle * 22) * (np.cos(angle) < 0.3)
    x = r * reach * np.cos(angle)
    z = r * np.sin(angle) * (0.315 + 0.045 * np.cos(angle))
    dome = np.sqrt(np.clip(1 - r**2 * 0.97, 0, None)) - np.sqrt(0.03)
    y = 0.02 - 0.20 * dome if top else 0.02 + 0.085 * np.sqrt(np.clip(1 - r**2, 0, None))
    ridge = -0.012 * np.exp(-((z / 0.03) ** 2)) * (1 - r) if top else 0.0
    points = np.stack(np.broadcast_arrays(x, y + ridge, z), axis=-1)
    middle = 0.25 * (points[:-1, :-1] + points[1:, :-1] + points[:-1, 1:] + points[1:, 1:])
    cx, cz = middle[..., 0], middle[..., 2]
    if not top:
        seam = smoothstep(0.012, 0.004, np.abs(cz))[..., None]
        colours = PLASTRON * (1 - 0.35 * seam) * np.ones_like(cx)[..., None]
        return Mesh.from_grid(points, colours, one_sided=True, shine=0.15)
    seeds = np.array(SPINE + RIBS, np.float32)
    gap, owner = _voronoi(cx, cz, seeds)
    rays = np.arctan2(cz - seeds[owner, 1], cx - seeds[owner, 0])
    streak = 0.5 + 0.5 * np.sin(rays * 7 + owner * 2.1)
    glow = np.clip(0.30 + 0.55 * streak * smoothstep(0.0, 0.05, gap), 0, 1)[..., None]
    colours = SCUTE_DARK + glow * (SCUTE_LIGHT - SCUTE_DARK)
    seam = smoothstep(0.010, 0.003, gap)[..., None]
    colours = colours + seam * 0.8 * (np.array((40, 26, 16), np.float32) - colours)
    radius = np.broadcast_to((r[:-1] + r[1:]) / 2, cx.shape)
    border = smoothstep(0.885, 0.905, radius)[..., None]
    plates = smoothstep(0.1, 0.3, np.abs(np.sin((angle[:, :-1] + angle[:, 1:]) / 2 * 11)))
    rim = SCUTE_DARK + plates[..., None] * (SCUTE_LIGHT * 0.66 - SCUTE_DARK)
    colours = colours + border * (rim - colours)
    groove = smoothstep(0.02, 0.008, np.abs(radius - 0.89))[..., None]
    colours = colours * (1 - 0.6 * groove)
    grain = random_stream(3).standard_normal(cx.shape, dtype=np.float32)
    colours *= (1 + 0.05 * grain)[..., None]
    return Mesh.from_grid(points, colours, one_sided=True, shine=0.4)


def _head(detail: float) -> Mesh:
    along, around = int(22 * detail), int(26 * detail)
    t = np.linspace(0, 1, along + 1, dtype=np.float32)[:, None]
    angle = np.linspace(0, 2 * np.pi, around + 1, dtype=np.float32)[None]
    knots = (0, 0.25, 0.45, 0.62, 0.8, 0.93, 1.0)
    thick = np.interp(t, knots, (0.075, 0.068, 0.07, 0.085, 0.075, 0.045, 0.0))
    x = 0.33 + 0.27 * t
    y = -0.01 - 0.03 * t - thick * np.cos(angle) * 0.85 + 0.018 * t**3
    z = thick * np.sin(angle) * 0.92
    points = np.stack(np.broadcast_arrays(x, y, z), axis=-1).astype(np.float32)
    middle = 0.25 * (points[:-1, :-1] + points[1:, :-1] + points[:-1, 1:] + points[1:, 1:])
    colours = _mottled(middle[..., 0] * 1.6, middle[..., 1] * 2.2, 260, 4)
    throat = smoothstep(0.0, 0.05, middle[..., 1])[..., None] * 0.8
    colours = colours + throat * (PLASTRON - colours)
    beak = smoothstep(0.575, 0.59, middle[..., 0])[..., None] * 0.6
    colours = colours + beak * (np.array((178, 160, 100), np.float32) - colours)
    return Mesh.from_grid(points, colours, one_sided=True, shine=0.3)


def _eye(side: int) -> Mesh:
    radius = np.array([0, 0.45, 0.7, 1.0], np.float32)[:, None] * 0.02
    angle = np.linspace(0, 2 * np.pi, 13, dtype=np.float32)[None]
    x = 0.515 + radius * np.cos(angle)
    y = -0.058 + radius * np.sin(angle)
    z = side * (0.073 + 0.012 * (1 - (radius / 0.02) ** 2) + 0 * angle)
    rings = np.array([(14, 14, 12), (20, 18, 14), (214, 200, 140)], np.float32)
    colours = np.repeat(rings[:, None], 12, axis=1)
    colours[1, 7:10] = 230
    points = np.stack(np.broadcast_arrays(x, y, z), axis=-1)
    return Mesh.from_grid(points, colours, one_sided=True, shine=0.4, nearer=0.02)


def _tail() -> Mesh:
    t = np.linspace(0, 1, 7, dtype=np.float32)[:, None]
    across = np.linspace(-1, 1, 5, dtype=np.float32)[None]
    points = np.stack(
        np.broadcast_arrays(-0.36 - 0.12 * t, 0.03 + 0.02 * t, across * 0.035 * (1 - t)), axis=-1
    )
    colours = np.broadcast_to(SKIN, (6, 4, 3))
    return Mesh.from_grid(points.astype(np.float32), colours, one_sided=False)


def _paddle(
    joint: tuple[float, float, float],
    reach: tuple[float, float],
    width: float,
    side: int,
    detail: float,
) -> Mesh:
    """A blade that curves backwards, broad at the elbow, pointed at the tip."""
    out = np.linspace(0, 1, int(30 * detail) + 1, dtype=np.float32)[:, None]
    across = np.linspace(-1, 1, int(14 * detail) + 1, dtype=np.float32)[None]
    knots = (0, 0.15, 0.4, 0.7, 0.9, 1.0)
    half = np.interp(out, knots, (0.8, 0.88, 1.0, 0.72, 0.4, 0.05)).astype(np.float32) * width / 2
    x = reach[0] * out**1.7 + across * half + 0.03 * np.sin(out * np.pi)
    z = reach[1] * (out - 0.12 * out**3) + 0 * across
    y = 0.012 * across**2 + 0 * out
    points = np.stack(np.broadcast_arrays(x, y, z * side), axis=-1)
    points = points + np.array([joint[0], joint[1], joint[2] * side], np.float32)
    middle = 0.25 * (points[:-1, :-1] + points[1:, :-1] + points[:-1, 1:] + points[1:, 1:])
    colours = _mottled(middle[..., 0] * 1.3, np.abs(middle[..., 2]) * 1.3, 380, 5)
    hem = smoothstep(0.72, 0.95, np.abs((across[:, :-1] + across[:, 1:]) / 2))[..., None] * 0.5
    colours = colours + hem * (SEAM - colours)
    return Mesh.from_grid(points.astype(np.float32), colours, one_sided=False, shine=0.2)
