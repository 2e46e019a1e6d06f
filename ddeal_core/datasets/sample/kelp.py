"""The kelp in the foreground: stems that sway, with blades; what hides the animals for a while."""

from dataclasses import dataclass

import cv2
import numpy as np

from ddeal_core.datasets.sample.mesh import SUPERSAMPLING, Stamp
from ddeal_core.datasets.sample.noise import FloatArray, random_stream

__all__ = ["Kelp", "draw_kelp"]

BLADE = np.array((132, 138, 40), np.float32)
STEM = np.array((104, 88, 34), np.float32)
SHIFT = 4


@dataclass(frozen=True)
class Kelp:
    """One stem.

    Attributes:
        root: Column and row of its foot in the frame at rest, shares of the frame's size.
        tall: Its height, in frame heights.
        element: Its stream of random numbers.
        light: Brightness; less stands further in the shade.
    """

    root: tuple[float, float]
    tall: float
    element: int
    light: float = 1.0

    def polygons(
        self, seconds: float, view: FloatArray, size: tuple[int, int]
    ) -> list[tuple[FloatArray, FloatArray]]:
        """The stem's parts at one moment, from back to front.

        Args:
            seconds: Time, for the swell.
            view: ``[2, 3]`` affine from the frame at rest to the picture.
            size: Height and width of the picture.

        Returns:
            Corners ``[n, 2]`` in pixels, and RGB.
        """
        rng = random_stream(self.element)
        scale = np.float32(view[0, 0])
        unit = scale * min(size[0], size[1] * 9 / 16)
        t = np.linspace(0, 1, 40, dtype=np.float32)
        swell = 0.040 * np.sin(1.5 * seconds - 3.2 * t + self.element)
        swell += 0.03 * np.sin(7 * t + self.element)
        foot = view @ np.array([self.root[0] * size[1], self.root[1] * size[0], 1], np.float32)
        reach = np.stack([unit * swell * t * 1.6, -scale * size[0] * self.tall * t], axis=1)
        stem = foot + reach

        count = int(self.tall * 25)
        number = np.arange(count, dtype=np.float32)[:, None]
        share = (number + 0.6) / count
        side = np.where(number % 2 == 1, 1, -1)
        dice = rng.random((5, count, 1), dtype=np.float32)
        long = unit * (0.14 + 0.07 * dice[0]) * (1.1 - 0.4 * share)
        wide = long * (0.09 + 0.045 * dice[1])
        droop = 0.1 + 0.4 * dice[2]
        tone = (0.72 + 0.4 * dice[3]) * (0.55 + 0.55 * share) * self.light
        sway = 0.28 * np.sin(1.5 * seconds - 3.2 * share + 1.2 * dice[4] + self.element)
        s = np.linspace(0, 1, 15, dtype=np.float32)[None]
        heading = -0.35 - 0.5 * share + sway + droop * 2.2 * s
        heading = heading + 0.25 * np.sin(s * 7 + seconds * 2 + number)
        along = np.stack([side * np.cos(heading), np.sin(heading)], axis=-1)  # [B, 15, 2]
        start = stem[(share[:, 0] * 39).astype(int)]
        spine = start[:, None] + np.cumsum(along * (long / 14)[..., None], axis=1)
        half = wide * np.sin(np.pi * np.clip(s, 0.06, 1) ** 0.65)
        half = half * (1 + 0.14 * np.sin(s * 26 + number))
        across = np.stack([-along[..., 1], along[..., 0]], axis=-1) * half[..., None]
        bladder = start + along[:, 1] * unit * 0.012

        parts: list[tuple[FloatArray, FloatArray]] = []
        # Strips from the midrib outwards give the blade its fold: (reach, shade).
        strips = ((1.0, 0.80), (-1.0, 1.04), (0.55, 0.95), (-0.55, 1.24))
        ring = np.linspace(0, 2 * np.pi, 14, endpoint=False, dtype=np.float32)
        ball = np.stack([np.cos(ring), np.sin(ring)], axis=1) * unit * 0.0105
        edges = {r: spine + across * r for r in (1.0, -1.0, 0.55, -0.55, 0.13, -0.13)}
        for k in range(count):
            for r, shade in strips:
                outline = np.concatenate([spine[k], edges[r][k, ::-1]])
                parts.append((outline, BLADE * tone[k] * shade))
            vein = np.concatenate([edges[0.13][k], edges[-0.13][k, ::-1]])
            parts.append((vein, BLADE * tone[k] * 0.55))
            parts.append((bladder[k] + ball, STEM * tone[k] * 1.2))
            parts.append((bladder[k] + ball * 0.5 - unit * 0.003, STEM * tone[k] * 1.9))
        thick = unit * (0.0115 - 0.006 * t)[:, None] * np.array([1, 0], np.float32)
        for left, right, shade in ((1.0, 1.0, 0.62), (0.8, 0.1, 1.05)):
            outline = np.concatenate([stem - left * thick, (stem + right * thick)[::-1]])
            parts.append((outline, STEM * shade * self.light))
        return parts


def draw_kelp(
    stems: tuple[Kelp, ...], seconds: float, view: FloatArray, size: tuple[int, int]
) -> Stamp | None:
    """Draw stems that stand together, from back to front; arguments as `Kelp.polygons`.

    Returns:
        The patch, or None when out of frame.
    """
    height, width = size
    parts = [part for stem in stems for part in stem.polygons(seconds, view, size)]
    points = np.concatenate([outline for outline, _ in parts])
    left = max(int(points[:, 0].min()) - 3, 0)
    right = min(int(points[:, 0].max()) + 4, width)
    top = max(int(points[:, 1].min()) - 3, 0)
    if right - left < 2 or height - top < 2:
        return None
    shape = ((height - top) * SUPERSAMPLING, (right - left) * SUPERSAMPLING, 4)
    canvas = np.zeros(shape, np.uint8)
    local = (points - np.array([left, top], np.float32)) * SUPERSAMPLING - 0.5
    corners = np.round(local * (1 << SHIFT)).astype(np.int32)
    colours = np.clip([colour for _, colour in parts], 0, 255).astype(np.uint8)
    first = 0
    for (outline, _), (r, g, b) in zip(parts, colours.tolist(), strict=True):
        last = first + len(outline)
        cv2.fillPoly(canvas, [corners[first:last]], (r, g, b, 255), cv2.LINE_8, SHIFT)
        first = last
    small = cv2.resize(canvas, (right - left, height - top), interpolation=cv2.INTER_AREA)
    # It stands a little before the focus.
    soft = cv2.GaussianBlur(small, (0, 0), max(0.0025 * height, 0.3)).astype(np.float32)
    return Stamp(soft[..., :3], soft[..., 3] / np.float32(255), top, left)
