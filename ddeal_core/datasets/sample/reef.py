"""The set: open water with shafts of light, a sandy floor under caustics, rocks and corals."""

from dataclasses import dataclass
from typing import Self

import cv2
import numpy as np
from numpy.typing import NDArray

from ddeal_core.datasets.sample.coral import plant_corals
from ddeal_core.datasets.sample.noise import (
    FloatArray,
    RealArray,
    caustics,
    clouds,
    random_stream,
    smoothstep,
)

__all__ = ["WATER", "Camera", "Layer", "Reef", "place"]

WATER = (26.0, 116.0, 150.0)
"""RGB of the water far away, which everything distant fades into."""
SURFACE = (128.0, 214.0, 222.0)
DEEP = (10.0, 62.0, 104.0)
HORIZON = 0.60  # where the floor begins, share of the height
MARGIN = 0.25  # how far plates reach beyond each side of the frame, share of its width


@dataclass(frozen=True)
class Camera:
    """Where the camera looks.

    Attributes:
        x: Pan to the right, in frame widths, of what lies at depth 1.
        y: Tilt down, in frame heights, of what lies at depth 1.
        zoom: Of what lies at depth 1.
    """

    x: float
    y: float
    zoom: float

    def at(self, depth: float, size: tuple[int, int]) -> FloatArray:
        """``[2, 3]`` affine from frame coordinates at rest to the picture.

        Args:
            depth: Share of the camera's movement that a layer shows: 0 far away, 1 the stage.
            size: Height and width of the frame.
        """
        height, width = size
        scale = 1 + (self.zoom - 1) * (0.35 + 0.65 * depth)
        x = width / 2 * (1 - scale) - self.x * width * depth * scale
        y = height / 2 * (1 - scale) - self.y * height * (0.3 + 0.7 * depth) * scale
        return np.array([[scale, 0, x], [0, scale, y]], np.float32)


@dataclass(frozen=True, eq=False)
class Layer:
    """A plate, wider than the frame.

    Attributes:
        rgba: ``[h, w, 4]`` uint8, premultiplied.
        origin: Column and row of its corner in the frame at rest.
        depth: Share of the camera's movement that it shows.
    """

    rgba: NDArray[np.uint8]
    origin: tuple[float, float]
    depth: float

    def over(self, picture: FloatArray, camera: Camera) -> None:
        """Lay the plate over the ``[H, W, 3]`` picture, in place."""
        height, width = picture.shape[:2]
        matrix = camera.at(self.depth, (height, width))
        matrix[:, 2] += matrix[:, :2] @ np.array(self.origin, np.float32)
        top = int(np.clip(matrix[1, 2], 0, height))  # rows beyond the plate stay as they are
        low = matrix[1, 1] * self.rgba.shape[0] + matrix[1, 2]
        bottom = int(np.clip(np.ceil(low), top, height))
        if bottom == top:
            return
        matrix[1, 2] -= top
        patch = cv2.warpAffine(self.rgba, matrix, (width, bottom - top)).astype(np.float32)
        colour, alpha = patch[..., :3], patch[..., 3] * np.float32(1 / 255)
        place(picture, colour, alpha, (top, 0))


@dataclass(frozen=True, eq=False)
class Reef:
    """Everything behind the animals.

    Attributes:
        size: Height and width of the frame.
        layers: Plates from far to near.
        sand: ``[h, w, 3]`` float32 albedo of the floor as seen from above, seamless sideways.
        net: ``[S, S]`` caustics.
    """

    size: tuple[int, int]
    layers: tuple[Layer, ...]
    sand: FloatArray
    net: FloatArray

    @classmethod
    def built(cls, size: tuple[int, int]) -> Self:
        """Draw the plates for frames of height and width ``size``."""
        layers = (
            _ridge(size, element=10, depth=0.16, foot=0.66, rise=0.24, fog=0.84, corals=0),
            _ridge(size, element=11, depth=0.36, foot=0.745, rise=0.30, fog=0.58, corals=34),
            _ridge(size, element=12, depth=0.66, foot=0.96, rise=0.44, fog=0.22, corals=36),
        )
        return cls(size, layers, _sand(), caustics())

    def picture(self, camera: Camera, seconds: float) -> FloatArray:
        """The set at one moment, ``[H, W, 3]`` float32 in 0..255."""
        picture = self._water(camera, seconds)
        self.layers[0].over(picture, camera)
        self._floor(picture, camera, seconds)
        for layer in self.layers[1:]:
            layer.over(picture, camera)
        return picture

    def drift(self, seconds: float) -> tuple[float, float]:
        """Shift of the caustics at one moment, pixels of the net."""
        return 21.0 * seconds, 13.0 * seconds

    def _water(self, camera: Camera, seconds: float) -> FloatArray:
        """A gradient, and shafts of light that fan out from a point above the surface."""
        rows, columns = 72, 128
        y, x = np.mgrid[0:rows, 0:columns].astype(np.float32)
        y = y / rows + camera.y * 0.3
        x = x / columns + camera.x * 0.1
        glow = np.exp(-(((x - 0.34) / 0.55) ** 2) - (np.clip(y, 0, None) / 0.50) ** 1.5)
        water, surface, deep = (np.array(c, np.float32) for c in (WATER, SURFACE, DEEP))
        colour = deep + (water - deep) * smoothstep(1.1, 0.0, np.abs(y - 0.45))[..., None]
        colour = colour + glow[..., None] * 0.85 * (surface - colour)
        angle = np.arctan2(x - 0.30, y + 0.55) * 1.6
        beam = np.zeros_like(angle)
        for wave, speed, shift in (
            (17, 0.5, 0.0),
            (31, -0.8, 1.3),
            (53, 1.1, 4.0),
            (83, -0.9, 2.0),
            (9, 0.3, 5.0),
        ):
            beam += np.sin(angle * wave + speed * seconds + shift)
        beam = smoothstep(-0.6, 4.2, beam) * np.exp(-np.clip(y, 0, None) * 1.7)
        beam *= np.exp(-(((x - 0.38) / 0.5) ** 2))
        colour = colour + beam[..., None] * np.array((78, 88, 72), np.float32)
        large = cv2.resize(colour, self.size[::-1], interpolation=cv2.INTER_CUBIC)
        return np.asarray(large, dtype=np.float32)

    def _floor(self, picture: FloatArray, camera: Camera, seconds: float) -> None:
        """Sand in perspective: row ``y`` shows the floor at distance ``1 / (y - horizon)``."""
        height, width = self.size
        scale = 1 + (camera.zoom - 1) * 0.7
        horizon = height / 2 + ((HORIZON - camera.y * 0.65) * height - height / 2) * scale
        top = int(np.clip(np.floor(horizon) + 1, 0, height))
        if top >= height:
            return
        below = (np.arange(top, height, dtype=np.float32) + 0.5 - horizon) / height
        near = below / (1 - HORIZON)  # 1 at the frame's lower edge
        distance = 1 / np.maximum(near, 0.02)
        column = (np.arange(width, dtype=np.float32) + 0.5 - width / 2) / width / scale
        side = self.sand.shape[1]
        x = (column[None] * distance[:, None] + camera.x * 1.05) * side * 0.42
        z = np.repeat((distance * 0.30 * side)[:, None], width, axis=1)
        sand = _sampled(self.sand, x, z)
        calm = smoothstep(0.5, 0.1, near)[:, None, None]  # grains too fine to see far away
        sand += calm * (self.sand.mean((0, 1)) - sand)
        shift = self.drift(seconds)
        net = _sampled(self.net, x * 0.50 + shift[0], z * 0.62 + shift[1])
        net = np.minimum(net, 1.6 * _sampled(self.net, x * 0.43 - shift[1], z * 0.55 + shift[0]))
        fade = smoothstep(0.0, 0.85, near)[:, None]
        sand = sand * (0.80 + 0.80 * net * fade)[..., None]
        clear = (0.86 * smoothstep(0.0, 1.0, near))[:, None, None]
        water = picture[top:]
        water += clear * (sand - water)


def place(
    picture: FloatArray, colour: FloatArray, coverage: FloatArray, corner: tuple[int, int]
) -> None:
    """Lay a premultiplied patch over the picture, in place, its corner at (row, column)."""
    top, left = corner
    region = picture[top : top + coverage.shape[0], left : left + coverage.shape[1]]
    region *= 1 - coverage[..., None]
    region += colour


def _sampled(texture: FloatArray, x: RealArray, y: RealArray) -> FloatArray:
    sampled = cv2.remap(texture, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
    return np.asarray(sampled, dtype=np.float32)


def _sand(side: int = 512) -> FloatArray:
    """Sand from above: dunes, ripples, grains and pebbles; ``[side, side, 3]``, seamless."""
    rng = random_stream(13)
    half = clouds(rng, side, side, 90, 5)
    ramp = np.abs(np.linspace(-1, 1, side, dtype=np.float32))[None]
    lumps = half * (1 - ramp) + np.roll(half, side // 2, axis=1) * ramp  # seam moved inside
    ramp = ramp.T
    lumps = lumps * (1 - ramp) + np.roll(lumps, side // 2, axis=0) * ramp
    y, _ = np.mgrid[0:side, 0:side].astype(np.float32)
    ripples = np.sin(y * (2 * np.pi * 26 / side) + (lumps - 0.5) * 26)
    tone = 0.90 + 0.42 * (lumps - 0.5) + 0.09 * ripples
    tone += 0.045 * rng.standard_normal((side, side), dtype=np.float32)
    for _ in range(420):
        centre = (int(rng.integers(side)), int(rng.integers(side)))
        radius = int(rng.integers(1, 5))
        cv2.ellipse(tone, centre, (radius + 1, radius), 0, 0, 360, float(rng.uniform(0.3, 1.0)), -1)
    tone = cv2.GaussianBlur(tone, (0, 0), 0.8)
    sand = tone[..., None] * np.array((240, 218, 172), np.float32)
    return np.asarray(sand, dtype=np.float32)


def _ridge(
    size: tuple[int, int],
    *,
    element: int,
    depth: float,
    foot: float,
    rise: float,
    fog: float,
    corals: int,
) -> Layer:
    """Rocks to the left and right that stand on the sand, with corals on them.

    Args:
        size: Height and width of the frame.
        element: Its stream of random numbers.
        depth: Share of the camera's movement that it shows.
        foot: Row where rock meets sand, share of the height.
        rise: How high the rocks are at most, share of the height.
        fog: Share of the water's colour.
        corals: How many.
    """
    rng = random_stream(element)
    frame_height, frame_width = size
    unit = frame_height / 360
    height, width = int(frame_height * 1.15), int(frame_width * (1 + 2 * MARGIN))
    column = np.linspace(0, 1, width, dtype=np.float32)
    knots = rng.random(64)
    skyline = 0.6 * np.interp(column * 18, np.arange(64), knots)
    skyline += 0.25 * np.interp(column * 47, np.arange(64), knots[::-1])
    skyline += 0.06 * np.interp(column * 140 % 63, np.arange(64), knots)
    sides = 1 - np.exp(-(((column - 0.52) / 0.24) ** 4))
    top = foot + 0.02 - rise * sides * (0.25 + skyline)
    base = foot + 0.012 * np.sin(column * 31) + 0.02 * np.interp(column * 50, np.arange(64), knots)
    base = np.maximum(base - 0.10 * (1 - sides), 0)
    y = np.arange(height, dtype=np.float32)[:, None] / frame_height
    inside = smoothstep(-0.75, 0.75, (y - top) * frame_height)
    inside *= smoothstep(1.2, -1.2, (y - base) * frame_height)
    relief = cv2.GaussianBlur(clouds(rng, height, width, 44 * unit, 6), (0, 0), 0.8)
    light = 0.66 + (np.gradient(relief, axis=0) * 11 + np.gradient(relief, axis=1) * 5) * unit
    light += 0.6 * np.exp(-np.clip(y - top, 0, None) / 0.025)  # the lit crest
    light *= 1 - 0.5 * smoothstep(0.0, 0.25, y - top)
    light *= 1 - 0.5 * smoothstep(0.05, 0.0, base - y)  # dark where it meets the sand
    hue = clouds(rng, height, width, 70 * unit, 3)[..., None]
    stone = np.array((112, 98, 92), np.float32) * (1 - hue) + hue * np.array((136, 88, 104))
    moss = smoothstep(0.5, 0.8, clouds(rng, height, width, 30 * unit, 4))[..., None]
    stone = stone + moss * 0.6 * (np.array((104, 126, 66), np.float32) - stone)
    plate = np.zeros((height, width, 4), np.float32)
    plate[..., :3] = np.clip(stone * np.clip(light, 0.1, 1.8)[..., None], 0, 255)
    plate[..., 3] = 255
    plate *= inside[..., None]
    shadow = 0.45 * sides * np.exp(-np.clip(y - base, 0, None) / 0.03) * (y > top)
    plate[..., 3] += (255 - plate[..., 3]) * shadow
    rgba = np.asarray(plate, dtype=np.uint8)
    if corals:
        ground = np.minimum(top, base - 0.005) * frame_height
        plant_corals(rng, rgba, ground, base * frame_height, corals, unit * (0.5 + 0.75 * depth))
    colour = rgba.astype(np.float32)
    grit = clouds(rng, height, width, 5 * unit, 3)
    dapple = smoothstep(0.35, 0.75, clouds(rng, height, width, 34 * unit, 2))
    colour[..., :3] *= ((0.72 + 0.56 * grit) * (0.72 + 0.5 * dapple))[..., None]
    haze = np.array(WATER, np.float32) * colour[..., 3:] / 255
    colour[..., :3] += fog * (haze - colour[..., :3])
    soft = cv2.GaussianBlur(colour, (0, 0), max(0.9 * unit * (1.0 - depth), 0.3))
    rgba = np.asarray(np.clip(soft, 0, 255), np.uint8)
    used = np.flatnonzero(rgba[..., 3].any(axis=1))
    first, last = int(used[0]), int(used[-1]) + 1
    return Layer(rgba[first:last].copy(), (-MARGIN * frame_width, float(first)), depth)
