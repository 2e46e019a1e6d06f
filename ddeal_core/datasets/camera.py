"""The path of the camera, and how a background plate is laid under it."""

from dataclasses import dataclass

import numpy as np

from ddeal_core.datasets.arrays import Floats
from ddeal_core.datasets.motion import log_uniform, smooth_noise
from ddeal_core.datasets.rendering import apply, invert
from ddeal_core.datasets.shot import Shot


@dataclass(frozen=True, eq=False)
class Camera:
    """Path of the camera over a world whose coordinates are pixels of the first frame."""

    matrices: Floats  # [T, 2, 3] from world to frame
    zoom: Floats  # [T] scale
    turn: Floats  # [T] rotation, radians

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

    def smears(self, size: tuple[int, int], shutter: float) -> Floats:
        """Motion ``[T, 2]`` (x, y) of the middle of the frame during exposure, pixels."""
        middle = np.array([size[1] / 2, size[0] / 2])
        places = np.stack([apply(m, middle) for m in self.matrices])
        if len(places) < 2 or shutter == 0:
            return np.zeros_like(places)
        return np.asarray(np.gradient(places, axis=0) * shutter)


def make_camera(shot: Shot) -> Camera:
    """Draw a camera path; its first matrix is the identity."""
    config, rng, times = shot.config, shot.rng, shot.times
    height, width = shot.size
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
    """Draw a map ``[2, 3]`` from world to plate pixels such that the plate covers what is seen.

    Plate and frame have (height, width) `plate` and `size`, `seen` are corners of a box of the
    world; the place (x, y) `focus` of the plate comes near the middle of the first frame.
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
