"""The sample clip: what happens on the reef, frame by frame."""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ddeal_core.datasets.clip import Clip
from ddeal_core.datasets.sample.fish import COUSIN, HERO, Fish
from ddeal_core.datasets.sample.kelp import Kelp, draw_kelp
from ddeal_core.datasets.sample.mesh import Lighting, Mesh, Pose, Stamp, draw
from ddeal_core.datasets.sample.noise import FloatArray, clouds, random_stream
from ddeal_core.datasets.sample.reef import WATER, Camera, Reef, place
from ddeal_core.datasets.sample.turtle import Turtle

__all__ = ["FISH", "TURTLE", "sample_clip"]

FISH = 1
"""Label of the banded fish."""
TURTLE = 2
"""Label of the turtle."""

RATE = 24  # frames a second, for what beats and sways; the story itself spans the whole clip
SHUTTER = 0.5  # share of a frame's time that the shutter is open
FOREST = (
    Kelp((0.685, 1.12), 1.02, element=32, light=0.82),
    Kelp((0.640, 1.14), 0.80, element=34, light=0.90),
    Kelp((0.590, 1.10), 1.25, element=31),
)
OUTLIER = (Kelp((0.985, 1.15), 0.95, element=33, light=0.9),)
TURNED = 0.70  # from here on the fish is nearer than the kelp; the two are apart at this moment


@dataclass(frozen=True, eq=False)
class _Cast:
    hero: Fish
    cousin: Fish
    turtle: Turtle


def sample_clip(*, frames: int = 72, size: tuple[int, int] = (360, 640)) -> Clip:
    """Render the sample clip: a banded fish (label 1) and a turtle (label 2) on a reef.

    The fish swims behind kelp, turns towards the camera and comes back nearer and larger; the
    turtle glides the other way; an unlabelled fish of similar colours crosses. The same arguments
    give the same bytes.

    Args:
        frames: Length; the whole story is told in as many frames as there are.
        size: Height and width in pixels, each at least 32.

    Returns:
        The clip. A pixel carries a label where the visible part of that animal covers at least
        half of it, averaged over the exposure.

    Raises:
        ValueError: If ``frames`` or ``size`` is too small.
    """
    if frames < 1:
        raise ValueError(f"frames must be at least 1, not {frames}")
    if min(size) < 32:
        raise ValueError(f"size must be at least 32x32, not {size[0]}x{size[1]}")
    height, width = size
    images = np.empty((frames, height, width, 3), np.uint8)
    labels = np.empty((frames, height, width), np.uint8)
    reef = Reef.built(size)
    detail = float(np.clip(height / 360, 0.5, 2))
    cast = _Cast(
        Fish.of(HERO, detail=detail),
        Fish.of(COUSIN, detail=0.65 * detail),
        Turtle.built(detail=detail),
    )
    lens = _Lens(size)
    for number in range(frames):
        story = number / max(frames - 1, 1)
        step = 1 / max(frames - 1, 48)  # short clips leap, but do not smear
        picture, labels[number] = _frame(reef, cast, story, step, number / RATE)
        images[number] = lens.exposed(picture, number)
    return Clip(images, labels)


def _frame(
    reef: Reef, cast: _Cast, story: float, step: float, seconds: float
) -> tuple[FloatArray, NDArray[np.uint8]]:
    """One frame: the picture as ``[H, W, 3]`` float32, and its label map."""
    size = reef.size
    camera = _camera(story, seconds)
    picture = reef.picture(camera, seconds)
    shares = {FISH: np.zeros(size, np.float32), TURTLE: np.zeros(size, np.float32)}

    def lay(stamp: Stamp | None, label: int = 0) -> None:
        """Lay a patch over the picture and hide what is behind it."""
        if stamp is None:
            return
        place(picture, stamp.colour, stamp.coverage, (stamp.top, stamp.left))
        rows = slice(stamp.top, stamp.top + stamp.coverage.shape[0])
        columns = slice(stamp.left, stamp.left + stamp.coverage.shape[1])
        for other, share in shares.items():
            share[rows, columns] *= 1 - stamp.coverage
            if other == label:
                share[rows, columns] += stamp.coverage

    def animal(act: Callable[[float, float], tuple[Mesh, Pose]], fog: float) -> Stamp | None:
        """Draw an animal at the shutter's opening and closing."""
        moments = []
        for late in (-SHUTTER / 4, SHUTTER / 4):
            mesh, pose = act(story + late * step, seconds + late / RATE)
            moments.append((mesh, _seen(pose, camera, size)))
        return draw(moments, Lighting(reef.net, reef.drift(seconds), WATER, fog), size)

    view = camera.at(1.12, size)
    forest = draw_kelp(FOREST, seconds, view, size)
    turtle = animal(lambda u, t: _turtle(cast.turtle, u, t), fog=0.20)
    cousin = animal(lambda u, t: _cousin(cast.cousin, u, t), fog=0.24)
    hero = animal(lambda u, t: _hero(cast.hero, u, t), fog=0.06)
    lay(turtle, TURTLE)
    lay(cousin)
    lay(draw_kelp(OUTLIER, seconds, view, size))
    if story < TURNED:
        lay(hero, FISH)
        lay(forest)
    else:
        lay(forest)
        lay(hero, FISH)
    label = np.zeros(size, np.uint8)
    for number, share in shares.items():
        label[share >= 0.5] = number
    return picture, label


def _camera(story: float, seconds: float) -> Camera:
    """A pan to the right that eases in and out, a slow zoom, an unsteady hand."""
    ease = story * story * (3 - 2 * story)
    x = -0.07 + 0.16 * ease + 0.0022 * np.sin(2.9 * seconds) + 0.001 * np.sin(7.3 * seconds)
    y = -0.012 + 0.02 * story + 0.003 * np.sin(2.3 * seconds + 1) + 0.0012 * np.sin(6.1 * seconds)
    return Camera(x=float(x), y=float(y), zoom=1.0 + 0.07 * story)


def _seen(pose: Pose, camera: Camera, size: tuple[int, int]) -> Pose:
    """A pose in shares of the frame, as pixels of the picture."""
    height, width = size
    view = camera.at(0.9, size)
    x, y = view @ np.array([pose.x * width, pose.y * height, 1.0], np.float32)
    length = pose.length * min(height, width * 9 / 16) * float(view[0, 0])
    return Pose(float(x), float(y), length, pose.yaw, pose.pitch, pose.roll, pose.elevation)


def _path(story: float, table: tuple[tuple[float, ...], ...]) -> list[float]:
    """Where a path stands: a smooth curve through rows of (time, value, value, ...).

    Catmull-Rom with the true spacing of the times; straight on beyond the ends.
    """
    rows = np.array(table)
    times, values = rows[:, 0], rows[:, 1:]
    slopes = np.gradient(values, times, axis=0)
    if story <= times[0]:
        return list(values[0] + (story - times[0]) * slopes[0])
    if story >= times[-1]:
        return list(values[-1] + (story - times[-1]) * slopes[-1])
    k = int(np.searchsorted(times, story, side="right")) - 1
    span = times[k + 1] - times[k]
    t = (story - times[k]) / span
    h00, h10 = (1 + 2 * t) * (1 - t) ** 2, t * (1 - t) ** 2
    h01, h11 = t * t * (3 - 2 * t), t * t * (t - 1)
    ends = h00 * values[k] + h01 * values[k + 1]
    return list(ends + span * (h10 * slopes[k] + h11 * slopes[k + 1]))


def _hero(fish: Fish, story: float, seconds: float) -> tuple[Mesh, Pose]:
    """To the right, behind the kelp, round towards us, and back to the left, nearer."""
    table = (  # time, x, y, length, yaw, pitch
        (0.00, 0.20, 0.60, 0.50, 0.20, 0.06),
        (0.20, 0.37, 0.56, 0.50, 0.10, 0.10),
        (0.40, 0.57, 0.53, 0.50, 0.00, -0.04),
        (0.56, 0.76, 0.56, 0.53, 0.35, -0.10),
        (0.70, 0.83, 0.57, 0.60, 1.45, 0.00),
        (0.82, 0.76, 0.56, 0.67, 2.50, 0.06),
        (1.00, 0.52, 0.54, 0.74, 2.95, 0.04),
    )
    x, y, length, yaw, pitch = _path(story, table)
    ahead = _path(story + 0.03, table)[3]
    bend = float(np.clip((ahead - yaw) * 1.6, -0.5, 0.5))
    mesh = fish.swimming(phase=2 * np.pi * 1.9 * seconds, bend=bend)
    bob = 0.006 * np.sin(2.1 * seconds)
    return mesh, Pose(x, y + bob, length, yaw, pitch, 0.08 * np.sin(1.3 * seconds), 0.12)


def _cousin(fish: Fish, story: float, seconds: float) -> tuple[Mesh, Pose]:
    """The look-alike: across to the left, behind the fish."""
    table = (
        (0.00, 1.06, 0.50, 0.34, 3.30, 0.05),
        (0.30, 0.66, 0.60, 0.36, 3.05, -0.08),
        (0.60, 0.30, 0.63, 0.38, 3.20, 0.06),
        (1.00, -0.12, 0.52, 0.40, 3.35, 0.12),
    )
    x, y, length, yaw, pitch = _path(story, table)
    mesh = fish.swimming(phase=2 * np.pi * 2.3 * seconds + 1)
    return mesh, Pose(x, y, length, yaw, pitch, 0.0, 0.10)


def _turtle(turtle: Turtle, story: float, seconds: float) -> tuple[Mesh, Pose]:
    """A glide to the left in the upper water, banking."""
    table = (  # time, x, y, length, yaw, pitch, roll
        (0.00, 0.395, 0.240, 0.40, 2.60, 0.08, 0.10),
        (0.35, 0.345, 0.23, 0.41, 2.85, 0.02, 0.00),
        (0.70, 0.30, 0.255, 0.43, 3.15, -0.05, 0.14),
        (1.00, 0.27, 0.31, 0.47, 3.45, -0.10, 0.22),
    )
    x, y, length, yaw, pitch, roll = _path(story, table)
    phase = 2 * np.pi * 0.62 * seconds
    bob = -0.010 * np.sin(phase)
    return turtle.swimming(phase=phase), Pose(x, y + bob, length, yaw, pitch, roll, 0.55)


class _Lens:
    """What lies between the scene and the file: drifting specks, vignette, grain."""

    def __init__(self, size: tuple[int, int]) -> None:
        height, width = size
        rng = random_stream(40)
        self._specks = rng.uniform(0, 1, (70, 5))
        y, x = np.mgrid[0:height, 0:width].astype(np.float32)
        r = np.hypot((x / width - 0.5) * 1.1, y / height - 0.48)
        self._vignette = np.asarray(1.04 - 0.62 * r**2.2, np.float32)[..., None]
        grain = rng.standard_normal((height + 32, width + 32, 3), dtype=np.float32)
        soft = cv2.GaussianBlur(grain, (0, 0), 0.55)
        self._grain = soft * np.float32(3.0) / soft.std()
        self._murk = clouds(rng, height, width, height / 3, 3)[..., None]

    def exposed(self, picture: FloatArray, number: int) -> NDArray[np.uint8]:
        """The picture as the camera stores it, ``[H, W, 3]`` uint8."""
        height, width = picture.shape[:2]
        seconds = number / RATE
        unit = height / 360
        specks = np.zeros((height, width), np.float32)
        for x, y, depth, phase, bright in self._specks:
            column = (x - 0.035 * (0.4 + depth) * seconds + 0.01 * np.sin(seconds + 6 * phase)) % 1
            row = (y + 0.012 * seconds + 0.01 * np.cos(seconds * 1.3 + 6 * phase)) % 1
            centre = (int(column * width * 16), int(row * height * 16))
            radius = int(16 * unit * (0.5 + 1.5 * depth**4))
            cv2.circle(specks, centre, max(radius, 6), float(0.1 + 0.35 * bright), -1, shift=4)
        haze = cv2.GaussianBlur(specks, (0, 0), max(0.7 * unit, 0.4))[..., None]
        rng = random_stream(1000 + number)
        top, left = (int(v) for v in rng.integers(0, 33, 2))
        grain = self._grain[top : top + height, left : left + width]
        mixed = picture + haze * (np.array((216, 236, 226), np.float32) - picture)
        mixed += (self._murk - 0.5) * 8
        mixed *= self._vignette
        mixed += grain
        return np.asarray(np.clip(mixed + 0.5, 0, 255), dtype=np.uint8)
