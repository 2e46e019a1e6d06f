"""The moving background: camera, plates, and whole stills that bend."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ddeal_core.datasets.motion import log_uniform, smooth_noise
from ddeal_core.datasets.rendering import (
    apply,
    dense_map,
    field_at,
    grid_points,
    invert,
    smear,
    warp,
)
from ddeal_core.datasets.synthetic_config import SyntheticConfig

__all__ = ["Camera", "Local", "Scenery", "fill_behind", "fit_plate", "make_camera"]

Array = NDArray[np.uint8]
Floats = NDArray[np.float64]
Floats32 = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Camera:
    """Path of the camera over a world whose coordinates are pixels of the first frame.

    Attributes:
        matrices: ``[T, 2, 3]`` from world to frame.
        zoom: ``[T]`` scale.
        turn: ``[T]`` rotation, radians.
    """

    matrices: Floats
    zoom: Floats
    turn: Floats

    @classmethod
    def still(cls, frames: int) -> "Camera":
        """A camera that does not move."""
        matrices = np.tile(np.eye(2, 3), (frames, 1, 1))
        return cls(matrices, np.ones(frames), np.zeros(frames))

    def seen(self, size: tuple[int, int]) -> tuple[Floats, Floats]:
        """Corners (low, high) of the box of the world that is ever seen."""
        height, width = size
        corners = np.array([[0, 0], [width, 0], [0, height], [width, height]], dtype=np.float64)
        world = np.concatenate([apply(m, corners) for m in invert(self.matrices)])
        return world.min(axis=0), world.max(axis=0)


def make_camera(
    config: SyntheticConfig, rng: np.random.Generator, times: Floats, size: tuple[int, int]
) -> Camera:
    """Draw a camera path; its first matrix is the identity."""
    height, width = size
    noise = smooth_noise(rng, times, 4, period=(12.0, 80.0))
    steps = np.diff(times, prepend=times[0])[:, None]
    moving = rng.random() < config.camera_probability
    shares = np.array(
        [
            log_uniform(rng, *config.camera_speed) * width,
            log_uniform(rng, *config.camera_speed) * width * 0.5,
            np.radians(log_uniform(rng, *config.camera_rotation)),
            log_uniform(rng, *config.camera_zoom),
        ]
    )
    shake = rng.normal(size=(len(times), 2)) * log_uniform(rng, 0.02, 2.0) * height / 240
    path = np.cumsum(noise * shares * steps, axis=0)
    path[:, :2] += shake * (rng.random() < 0.3)
    path -= path[0]
    # The view swings within half a frame, or no still would be large enough.
    limit = np.array([0.5 * width, 0.5 * height, 0.5, 0.5])
    path = limit * np.sin(path / limit) * moving
    zoom, turn = np.exp(path[:, 3]), path[:, 2]
    cos, sin = np.cos(turn) * zoom, np.sin(turn) * zoom
    linear = np.stack([cos, -sin, sin, cos], axis=1).reshape(-1, 2, 2)
    centre = np.array([width / 2, height / 2])
    offset = centre - (linear @ (centre + path[:, :2])[..., None])[..., 0]
    return Camera(np.concatenate([linear, offset[..., None]], axis=-1), zoom, turn)


def fit_plate(
    rng: np.random.Generator,
    plate: tuple[int, int],
    seen: tuple[Floats, Floats],
    size: tuple[int, int],
    *,
    focus: tuple[float, float] | None = None,
) -> Floats:
    """Draw a map from world to plate pixels such that the plate covers what is seen.

    Args:
        rng: Source of randomness.
        plate: (height, width) of the plate.
        seen: Corners of the box of the world that is seen.
        size: (height, width) of the frame.
        focus: Place (x, y) of the plate that should come near the middle of the first frame.

    Returns:
        ``[2, 3]``: a scale and an offset.
    """
    height, width = size
    low, high = seen
    extent = high - low
    cover = np.array([plate[1], plate[0]], dtype=np.float64) - 1
    scale = float(np.min(cover / extent)) / rng.uniform(1.0, 1.35)  # plate pixels a world pixel
    # Do not enlarge a plate without end for a camera that goes far: its border mirrors.
    floor = 0.5 * min(plate[0] / height, plate[1] / width)
    scale = max(scale, floor)
    slack = cover - scale * extent
    if focus is None:
        start = slack * rng.uniform(0, 1, size=2)
    else:
        wanted = np.array([width, height]) * rng.uniform(0.3, 0.7, size=2)
        start = np.array(focus) - scale * (wanted - low)
        start = np.clip(start, np.minimum(slack, 0), np.maximum(slack, 0))
    offset = start - scale * low
    return np.array([[scale, 0, offset[0]], [0, scale, offset[1]]])


@dataclass(frozen=True, eq=False)
class Local:
    """Motion of one object of a still that bends as a whole.

    Attributes:
        weight: ``[h, w]`` float32 in [0, 1]: how much a place of the plate takes part, on a
            raster coarser by ``step``.
        step: Plate pixels a raster cell.
        matrices: ``[T, 2, 3]`` from frame-``t`` places to first-frame places of the plate.
    """

    weight: Floats32
    step: float
    matrices: Floats


@dataclass(frozen=True, eq=False)
class Scenery:
    """A background with its motion.

    Attributes:
        plates: One image, or one a frame; all of one size.
        labels: Label map of the plate, or None where it shows no labelled object.
        camera: The camera.
        fit: ``[2, 3]`` from world to plate pixels.
        field: ``[T, F, F, 2]`` displacement over the plate in its sides, or None.
        locals_: Objects that move within the plate.
        smears: ``[T, 2]`` motion during exposure, pixels of the frame.
    """

    plates: list[Array]
    labels: Array | None
    camera: Camera
    fit: Floats
    field: Floats32 | None
    smears: Floats
    locals_: tuple[Local, ...] = ()

    def draw(self, t: int, size: tuple[int, int]) -> tuple[Array, Array]:
        """Render frame ``t``: image ``[H, W, 3]`` and labels ``[H, W]``."""
        height, width = size
        plate = self.plates[t % len(self.plates)]
        to_world = invert(self.camera.matrices[t])
        matrix = self.fit[:, :2] @ to_world
        matrix[:, 2] += self.fit[:, 2]
        border = cv2.BORDER_REFLECT_101
        labels = np.zeros(size, np.uint8)
        if self.field is None and not self.locals_:
            inverse = cv2.WARP_INVERSE_MAP
            shape = (width, height)
            image = cv2.warpAffine(
                plate, matrix, shape, flags=cv2.INTER_LINEAR | inverse, borderMode=border
            )
            if self.labels is not None:
                flags = cv2.INTER_NEAREST | inverse
                cv2.warpAffine(
                    self.labels, matrix, shape, dst=labels, flags=flags, borderMode=border
                )
            return smear(np.asarray(image, dtype=np.uint8), self.smears[t]), labels
        points = apply(matrix, grid_points(0, 0, width, height))
        points = self._bend(points, t, plate.shape[1], plate.shape[0])
        dense = dense_map(points, width, height)
        bent = warp(plate, dense, cv2.INTER_LINEAR, border)
        if self.labels is not None:
            labels = warp(self.labels, dense, cv2.INTER_NEAREST, border)
        return smear(bent, self.smears[t]), labels

    def _bend(self, points: Floats, t: int, width: int, height: int) -> Floats:
        bent = points
        for item in self.locals_:
            moved = apply(item.matrices[t], points)
            index = (moved / item.step).astype(np.float32)
            weight = warp(item.weight, index, cv2.INTER_LINEAR, cv2.BORDER_REPLICATE)
            bent = bent + weight[..., None] * (moved - points)
        if self.field is not None:
            side = np.array([width, height])
            bent = bent + field_at(self.field[t], bent / side) * side
        return bent


def fill_behind(image: Array, hole: Array) -> Array:
    """Fill a hole with what its surroundings suggest: their colours, and texture from nearby.

    Args:
        image: ``[H, W, 3]`` uint8.
        hole: ``[H, W]`` uint8, not 0 where the picture is to be invented.

    Returns:
        A new image.
    """
    height, width = hole.shape
    wide = cv2.dilate(hole, np.ones((7, 7), np.uint8))
    x, y, w, h = cv2.boundingRect(wide)
    if w == 0:
        return image.copy()
    known = (wide == 0).astype(np.float32)
    smooth = _push_pull(image.astype(np.float32), known)
    best, shift = np.inf, (0, 0)
    for dx, dy in ((w, 0), (-w, 0), (0, h), (0, -h), (w, h), (-w, -h), (w, -h), (-w, h)):
        columns = _mirror(np.arange(x, x + w) + dx, width)
        rows = _mirror(np.arange(y, y + h) + dy, height)
        overlap = float((wide[rows[:, None], columns[None, :]] > 0).mean())
        cost = overlap + 0.1 * (dy != 0)  # beside is likelier to be the same than above
        if cost < best:
            best, shift = cost, (dx, dy)
    columns = _mirror(np.arange(x, x + w) + shift[0], width)
    rows = _mirror(np.arange(y, y + h) + shift[1], height)
    index = (rows[:, None], columns[None, :])
    near = image[index].astype(np.float32) - smooth[index]
    base = smooth[y : y + h, x : x + w]
    area = wide[y : y + h, x : x + w]
    soft = cv2.GaussianBlur((area > 0).astype(np.float32), (0, 0), 2.0)[..., None]
    soft = np.maximum(soft, (hole[y : y + h, x : x + w] > 0)[..., None])
    filled = image.copy()
    texture = np.where((wide[index] > 0)[..., None], 0, near)
    new = base + texture
    old = filled[y : y + h, x : x + w].astype(np.float32)
    filled[y : y + h, x : x + w] = np.clip(old + soft * (new - old), 0, 255).astype(np.uint8)
    return filled


def _push_pull(image: Floats32, known: Floats32) -> Floats32:
    """Blurred image in which unknown pixels take the colour of the known ones around them."""
    height, width = known.shape
    colour = image * known[..., None]
    stack = []
    while min(colour.shape[:2]) > 2:
        stack.append((colour, known))
        size = (max(1, colour.shape[1] // 2), max(1, colour.shape[0] // 2))
        colour = _resized(colour, size, cv2.INTER_AREA)
        known = _resized(known, size, cv2.INTER_AREA)
    result = np.asarray(colour / np.maximum(known, 1e-6)[..., None], dtype=np.float32)
    # The two finest levels are left out: they hold texture, which comes from elsewhere.
    for level, (colour, known) in reversed(list(enumerate(stack))):
        size = (colour.shape[1], colour.shape[0])
        result = _resized(result, size, cv2.INTER_LINEAR)
        if level >= 2:
            weight = np.minimum(known, 1)[..., None]
            shown = colour / np.maximum(known, 1e-6)[..., None]
            result = np.asarray(result + weight * (shown - result), dtype=np.float32)
    return np.asarray(cv2.resize(result, (width, height)), dtype=np.float32)


def _resized(image: Floats32, size: tuple[int, int], how: int) -> Floats32:
    return np.asarray(cv2.resize(image, size, interpolation=how), dtype=np.float32)


def _mirror(index: NDArray[np.int64], length: int) -> NDArray[np.int64]:
    folded = np.mod(index, 2 * length)
    return np.asarray(np.minimum(folded, 2 * length - 1 - folded))
