"""The banded fish: a body that a wave runs along, seven fins and two eyes."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from ddeal_core.datasets.sample.mesh import Mesh
from ddeal_core.datasets.sample.noise import FloatArray, RealArray, random_stream, smoothstep

__all__ = ["COUSIN", "HERO", "Coat", "Fish"]

# Half height and half width along the body, from snout (x = 0.5) to the root of the tail.
OUTLINE_X = (0.5, 0.485, 0.45, 0.38, 0.27, 0.12, -0.05, -0.2, -0.31, -0.38)
OUTLINE_HEIGHT = (0.0, 0.042, 0.082, 0.128, 0.176, 0.205, 0.19, 0.138, 0.083, 0.07)
OUTLINE_WIDTH = (0.0, 0.030, 0.055, 0.083, 0.104, 0.105, 0.085, 0.053, 0.028, 0.018)


@dataclass(frozen=True)
class Coat:
    """Colours of a fish, RGB in 0..255, and where its pale bands lie.

    Attributes:
        back: Upper side.
        flank: Middle.
        belly: Under side.
        band: The pale bands.
        edge: Their dark borders and the fins' margin.
        bands: Place along the body (x) and half width of each band.
    """

    back: tuple[int, int, int]
    flank: tuple[int, int, int]
    belly: tuple[int, int, int]
    band: tuple[int, int, int]
    edge: tuple[int, int, int]
    bands: tuple[tuple[float, float], ...]


HERO = Coat(
    back=(206, 74, 18),
    flank=(255, 124, 24),
    belly=(255, 176, 66),
    band=(250, 248, 240),
    edge=(32, 22, 24),
    bands=((0.235, 0.042), (-0.035, 0.056), (-0.325, 0.026)),
)
COUSIN = Coat(
    back=(176, 62, 30),
    flank=(236, 112, 44),
    belly=(248, 170, 82),
    band=(240, 226, 196),
    edge=(58, 30, 28),
    bands=((0.22, 0.034), (-0.30, 0.030)),
)


@dataclass(frozen=True, eq=False)
class Fish:
    """A fish at rest, ready to be bent.

    Attributes:
        mesh: Straight body, fins spread.
        paddle: Range of the vertices of the two pectoral fins, right then left.
    """

    mesh: Mesh
    paddle: tuple[int, int]

    @classmethod
    def of(cls, coat: Coat, *, detail: float = 1.0) -> Self:
        """Build a fish; ``detail`` scales the number of quads in both directions."""
        along, around = int(84 * detail), 2 * int(22 * detail)
        parts = [
            _body(coat, along, around),
            _tail(coat, detail),
            _ridge_fin(coat, detail, start=0.24, end=-0.33, height=0.105, upper=True),
            _ridge_fin(coat, detail, start=-0.06, end=-0.33, height=0.095, upper=False),
            *(_eye(side) for side in (1, -1)),
            *(_pelvic(coat, side) for side in (1, -1)),
        ]
        first = sum(len(part.vertices) for part in parts)
        parts += [_pectoral(coat, side) for side in (1, -1)]
        mesh = Mesh.joined(parts)
        return cls(mesh, (first, len(mesh.vertices)))

    def swimming(self, *, phase: float, bend: float = 0.0) -> Mesh:
        """Bend the body: a sideways wave that grows towards the tail, and a turn.

        ``d(x) = a(x) sin(k x + phase) + bend (x - 0.15)^2`` displaces the midline sideways;
        each cross-section turns with the slope ``d'(x)``.

        Args:
            phase: Of the wave, radians; one tail beat is 2 pi.
            bend: Curvature of a turn, per body length.
        """
        points = self.mesh.vertices.copy()
        first, last = self.paddle
        half = (first + last) // 2
        for part, side in ((slice(first, half), 1.0), (slice(half, last), -1.0)):
            root = points[part][:1]
            arm = points[part] - root
            spread = 0.35 + 0.3 * np.sin(phase * 0.5 + side)
            out = -arm[:, 0] * np.sin(spread) * side
            points[part] = root + np.stack([arm[:, 0] * np.cos(spread), arm[:, 1], out], axis=1)
        x = points[:, 0]
        growth = 0.010 + 0.105 * np.clip(0.42 - x, 0, None) ** 2
        slope = -0.21 * np.clip(0.42 - x, 0, None)
        wave = 5.4
        d = growth * np.sin(wave * x + phase) + bend * (x - 0.15) ** 2
        tilt = slope * np.sin(wave * x + phase) + growth * wave * np.cos(wave * x + phase)
        tilt = np.arctan(tilt + 2 * bend * (x - 0.15))
        z = points[:, 2].copy()
        points[:, 0] = x - z * np.sin(tilt)
        points[:, 2] = d + z * np.cos(tilt)
        return self.mesh.moved(points)


def _outline(x: FloatArray, values: tuple[float, ...]) -> FloatArray:
    """The outline at x, its corners rounded."""
    fine = np.linspace(-0.38, 0.5, 400)
    table = np.interp(fine, OUTLINE_X[::-1], values[::-1])
    kernel = np.hanning(41)
    padded = np.pad(table, 20, mode="reflect", reflect_type="odd")
    table = np.convolve(padded, kernel / kernel.sum(), mode="valid")
    nose = np.sqrt(np.clip((0.5 - fine) / 0.06, 0, 1))
    return np.asarray(np.interp(x, fine, np.maximum(table, 0.004) * nose), dtype=np.float32)


def _paint(coat: Coat, x: RealArray, y: RealArray) -> FloatArray:
    """Colour of the skin at a place on the side: bands with dark borders on a shaded ground."""
    rise = np.clip(-y / 0.2, -1, 1)[..., None]
    flank, back, belly = (np.array(c, np.float32) for c in (coat.flank, coat.back, coat.belly))
    colour = flank + np.clip(rise, 0, 1) ** 1.5 * (back - flank)
    colour = colour + np.clip(-rise, 0, 1) ** 1.3 * (belly - flank)
    for place, half in coat.bands:
        distance = np.abs(x - place) - half
        edge = smoothstep(0.026, 0.012, distance)[..., None]
        colour = colour + edge * (np.array(coat.edge, np.float32) - colour)
        band = smoothstep(0.005, -0.005, distance)[..., None]
        colour = colour + band * (np.array(coat.band, np.float32) - colour)
    return np.asarray(colour, dtype=np.float32)


def _body(coat: Coat, along: int, around: int) -> Mesh:
    s = 0.5 - 0.88 * np.linspace(0, 1, along + 1, dtype=np.float32)[:, None] ** 1.2
    turn = np.linspace(0, 2 * np.pi, around + 1, dtype=np.float32)[None]
    angle = turn - 0.28 * np.sin(2 * turn)  # more rings where the flank faces us
    up = np.cos(angle)
    # The grid follows the bands' curves, so that their borders fall between quads.
    bulge = np.interp(s, (-0.38, -0.32, -0.04, 0.23, 0.4, 0.5), (0, -0.012, 0.05, -0.015, 0, 0))
    ripple = 0.004 * np.sin(up * 9 + s * 14) * (s < 0.4) * (s > -0.36)
    x = np.asarray(s + bulge * (1 - up**2) + ripple, dtype=np.float32)
    y = -_outline(x, OUTLINE_HEIGHT) * up - 0.02 * np.cos(x * 3) + 0.012
    z = _outline(x, OUTLINE_WIDTH) * np.sin(angle)
    points = np.stack(np.broadcast_arrays(x, y, z), axis=-1)
    middle = 0.25 * (points[:-1, :-1] + points[1:, :-1] + points[:-1, 1:] + points[1:, 1:])
    cx, cy = middle[..., 0], middle[..., 1]
    cs = np.broadcast_to((s[:-1] + s[1:]) / 2, cx.shape)
    colours = _paint(coat, cs, cy)
    rows, columns = np.mgrid[0:along, 0:around]
    scales = np.sin(rows * 1.57 + (columns % 2) * 3.14)
    behind_head = smoothstep(0.28, 0.2, cx)
    grain = random_stream(2).standard_normal((along, around), dtype=np.float32)
    colours *= (1 + 0.03 * scales * behind_head + 0.012 * grain)[..., None]
    gill = np.abs(np.hypot(cx - 0.36, (cy + 0.005) * 0.8) - 0.085)
    gill = smoothstep(0.011, 0.002, gill) * (cx < 0.33) * (np.abs(cy) < 0.08)
    mouth = smoothstep(0.008, 0.002, np.abs(cy - 0.022 - (0.5 - cx) * 0.25)) * (cx > 0.462)
    colours *= (1 - 0.35 * gill - 0.55 * mouth)[..., None]
    return Mesh.from_grid(points, colours, one_sided=True, shine=0.55)


def _fin(coat: Coat, points: FloatArray, *, rays: float, margin: float = 0.80) -> Mesh:
    """A fin from root (first row of the grid) to margin, columns along the root."""
    rows, columns = points.shape[0] - 1, points.shape[1] - 1
    out = (np.arange(rows, dtype=np.float32)[:, None] + 0.5) / rows
    across = (np.arange(columns, dtype=np.float32)[None] + 0.5) / columns
    flank, back, edge = (np.array(c, np.float32) for c in (coat.flank, coat.back, coat.edge))
    stripes = 0.86 + 0.14 * np.sin(across * rays * 2 * np.pi)
    colour = (flank + out[..., None] * 0.35 * (back - flank)) * stripes[..., None]
    dark = smoothstep(margin - 0.1, margin + 0.04, out)[..., None]
    colour = colour + dark * (edge - colour)
    rim = smoothstep(0.93, 0.97, out)[..., None]
    colour = colour + rim * 0.55 * (np.array(coat.band, np.float32) - colour)
    colour = np.broadcast_to(colour, (rows, columns, 3))
    return Mesh.from_grid(points, np.asarray(colour, np.float32), one_sided=False, shine=0.1)


def _tail(coat: Coat, detail: float) -> Mesh:
    out = np.linspace(0, 1, int(16 * detail) + 1, dtype=np.float32)[:, None]
    across = np.linspace(-1, 1, int(28 * detail) + 1, dtype=np.float32)[None]
    reach = 0.215 - 0.05 * np.cos(across * np.pi) * np.abs(across) ** 0 - 0.03 * across**6
    half = 0.055 + 0.105 * np.sin(np.clip(out, 0, 1) * 1.5)
    x = -0.365 - reach * out
    y = across * half - 0.005
    return _fin(coat, np.stack([x, y, 0 * y], axis=-1), rays=11)


def _ridge_fin(
    coat: Coat, detail: float, *, start: float, end: float, height: float, upper: bool
) -> Mesh:
    """A fin along the back or the belly: spines in front, a soft lobe behind."""
    out = np.linspace(0, 1, int(9 * detail) + 1, dtype=np.float32)[:, None]
    along = np.linspace(0, 1, int(40 * detail) + 1, dtype=np.float32)[None]
    x = start + (end - start) * along
    sign = -1.0 if upper else 1.0
    base = sign * _outline(x, OUTLINE_HEIGHT) - 0.02 * np.cos(x * 3) + 0.012
    front = (
        np.clip(np.sin(np.clip(along / 0.5, 0, 1) * np.pi), 0, 1) ** 0.8 * 0.62 if upper else 0.0
    )
    lobe = (
        np.exp(-(((along - 0.74) / 0.22) ** 2))
        if upper
        else np.clip(np.sin(along * np.pi), 0, 1) ** 0.7
    )
    tall = height * np.maximum(front, lobe) * smoothstep(0, 0.06, along)
    tall = tall * smoothstep(1.0, 0.93, along)
    y = base - sign * 0.015 + sign * out * (tall + 0.015)
    sweep = -out * 0.06 * (0.4 + along)
    return _fin(coat, np.stack([x + sweep, y, 0 * y], axis=-1), rays=14 if upper else 8)


def _pelvic(coat: Coat, side: int) -> Mesh:
    out = np.linspace(0, 1, 9, dtype=np.float32)[:, None]
    across = np.linspace(0, 1, 8, dtype=np.float32)[None]
    x = 0.16 - across * 0.07 - out * 0.10 * (1 - 0.4 * across)
    y = 0.165 + out * 0.105 * (1 - across * 0.55)
    z = side * (0.035 + 0.03 * out + 0 * across)
    return _fin(coat, np.stack([x, y, z], axis=-1), rays=4)


def _pectoral(coat: Coat, side: int) -> Mesh:
    """A paddle behind the gills; its first vertex is the joint."""
    out = np.linspace(0, 1, 11, dtype=np.float32)[:, None]
    across = np.linspace(-1, 1, 13, dtype=np.float32)[None]
    half = 0.022 + 0.062 * np.sin(out * 2.0) ** 0.8
    x = 0.185 - out * (0.165 - 0.045 * across**2)
    y = 0.045 + across * half + 0.03 * out
    z = side * (0.104 + 0 * x * y)
    points = np.stack(np.broadcast_arrays(x, y, z), axis=-1)
    fin = _fin(coat, points, rays=6, margin=0.86)
    return Mesh(fin.vertices, fin.quads, fin.colours, fin.one_sided, fin.shine, fin.nearer + 0.02)


def _eye(side: int) -> Mesh:
    """A bulging disc: pupil, golden iris, dark rim, with a glint."""
    radius = np.array([0, 0.3, 0.56, 0.66, 0.84, 1.0], np.float32)[:, None] * 0.036
    angle = np.linspace(0, 2 * np.pi, 17, dtype=np.float32)[None]
    x = 0.372 + radius * np.cos(angle)
    y = -0.052 + radius * np.sin(angle)
    bulge = 0.016 * (1 - (radius / 0.036) ** 2) + 0 * angle
    z = side * (_outline(x, OUTLINE_WIDTH) * 0.90 + bulge)
    rings = np.array(
        [(12, 12, 16), (14, 14, 18), (66, 36, 10), (240, 150, 40), (44, 26, 22)], np.float32
    )
    colours = np.repeat(rings[:, None], 16, axis=1)
    colours[1, 9:13] = 235  # the glint, towards the light
    points = np.stack(np.broadcast_arrays(x, y, z), axis=-1)
    return Mesh.from_grid(points, colours, one_sided=True, shine=0.5, nearer=0.015)
