"""Objects are sized, placed and set in motion: sprites become layers."""

from dataclasses import replace

import numpy as np

from ddeal_core.datasets.arrays import Floats
from ddeal_core.datasets.camera import Camera
from ddeal_core.datasets.degradation import colour_gains
from ddeal_core.datasets.motion import (
    deformation_field,
    folded,
    log_uniform,
    object_path,
    object_shapes,
)
from ddeal_core.datasets.rendering import Layer, apply
from ddeal_core.datasets.shot import Shot
from ddeal_core.datasets.sprites import Sprite


class Animator:
    """Makes the layers of one clip."""

    def __init__(self, shot: Shot, camera: Camera) -> None:
        self._shot, self._camera = shot, camera

    def place(self, sprite: Sprite, label: int, *, area: float | None = None) -> Layer:
        """Put an object anywhere in the frame, in a motion of its own.

        `label` is 0 for none, `area` its size as a share of the frame, drawn where None.
        """
        config, rng = self._shot.config, self._shot.rng
        height, width = self._shot.size
        share = area if area is not None else log_uniform(rng, *config.area)
        scale = np.sqrt(share * height * width / max(sprite.area, 1.0))
        # Neither longer than the frame nor blurred by enlargement.
        scale = float(min(scale, max(height, width) / sprite.extent, 2.2))
        tilt = np.radians(rng.normal() * 12) * sprite.liveliness
        linear = scale * np.array([[np.cos(tilt), -np.sin(tilt)], [np.sin(tilt), np.cos(tilt)]])
        # Its own motion, as long as it has room, stays within the frame.
        own = sprite.path @ linear.T
        low, high = own.min(axis=0) / (width, height), own.max(axis=0) / (width, height)
        first, last = 0.12 - low, 0.88 - high
        first, last = np.minimum(first, (first + last) / 2), np.maximum(last, (first + last) / 2)
        start = rng.uniform(first, last) * (width, height)
        return self._set_in_motion(
            sprite, label, linear, (float(start[0]), float(start[1])), follow=rng.random()
        )

    def lift(
        self, sprite: Sprite, label: int, *, scale: float, centre: tuple[float, float]
    ) -> Layer:
        """Put an object where its still shows it; it moves away from there.

        `scale` is in frame pixels a pixel of the object, `centre` its (x, y) in the first frame.
        """
        calm = replace(sprite, liveliness=0.6)
        linear = np.eye(2) * scale
        return self._set_in_motion(calm, label, linear, centre, follow=1.0, anchored=True)

    def _set_in_motion(
        self,
        sprite: Sprite,
        label: int,
        linear: Floats,
        start: tuple[float, float],
        *,
        follow: float,
        anchored: bool = False,
    ) -> Layer:
        config, rng, times = self._shot.config, self._shot.rng, self._shot.times
        width, calm = self._shot.size[1], sprite.liveliness
        scale = float(np.sqrt(abs(np.linalg.det(linear))))
        sprite = sprite.premultiplied(scale)
        h, w = sprite.frames[0].shape[:2]
        radius = float(np.hypot(h, w) * np.sqrt(np.prod(sprite.pixel[0]))) * scale / 2
        shapes = object_shapes(
            rng,
            times,
            rotation=np.radians(log_uniform(rng, *config.rotation)) * calm,
            zoom=log_uniform(rng, *config.zoom) * calm,
            stretch=config.stretch * calm,
        )
        if anchored:
            shapes = shapes @ np.linalg.inv(shapes[0])
        box = self._walls(start, anchored=anchored)
        path = object_path(
            rng, times, start=start, speed=log_uniform(rng, *config.speed) * calm * width, box=box
        )
        path = self._follow(path, start, box, follow)
        if rng.random() < config.leave_probability:
            path = path + self._excursion(path, radius)
        zoomed = self._camera.zoom**follow
        turned = self._camera.turn * follow
        cos, sin = np.cos(turned) * zoomed, np.sin(turned) * zoomed
        view = np.stack([cos, -sin, sin, cos], axis=1).reshape(-1, 2, 2)
        shapes = view @ shapes @ linear
        own = sprite.path @ linear.T
        shapes = shapes * sprite.pixel[:, None, :]
        offset = path + own - (shapes @ sprite.anchors[..., None])[..., 0]
        matrices = np.concatenate([shapes, offset[..., None]], axis=-1)
        field = None
        if sprite.bends and (config.bend > 0 or config.hinge_probability > 0):
            hinges = int(rng.integers(1, 4)) if rng.random() < config.hinge_probability else 0
            field = deformation_field(
                rng,
                times,
                bend=config.bend * rng.uniform(0, 1.6),
                hinges=hinges,
                swing=np.radians(config.swing),
                controls=int(rng.integers(3, 6)),
                aspect=w / h,
            )
            if anchored:
                field = field - field[:1]
        drift = config.object_light * (rng.random() < config.object_light_probability)
        gains = colour_gains(rng, times, 0.0, drift=drift) if drift else np.ones((len(times), 3))
        # Its motion within its own pictures is blurred there already.
        velocity = np.gradient(path, axis=0) if len(times) > 1 else np.zeros_like(path)
        return Layer(sprite.frames, label, matrices, field, gains, velocity * self._shot.shutter)

    def _walls(
        self, start: tuple[float, float], *, anchored: bool
    ) -> tuple[float, float, float, float]:
        height, width = self._shot.size
        x, y = self._shot.rng.uniform(0.0, 0.12, size=2)
        if not anchored:
            return (x * width, y * height, (1 - x) * width, (1 - y) * height)
        # Something that the still shows near the border may stay there.
        return (
            min(x * width, start[0] - 1),
            min(y * height, start[1] - 1),
            max((1 - x) * width, start[0] + 1),
            max((1 - y) * height, start[1] + 1),
        )

    def _follow(
        self,
        path: Floats,
        start: tuple[float, float],
        box: tuple[float, float, float, float],
        follow: float,
    ) -> Floats:
        """Add the share of the camera's motion that the object does not take part in."""
        place = np.array(start)
        carried = np.stack([apply(m, place) for m in self._camera.matrices]) - place
        moved: Floats = np.asarray(path + follow * carried)
        low, high = np.array(box[:2]), np.array(box[2:])
        return moved if follow >= 1 else np.asarray(low + folded(moved - low, high - low))

    def _excursion(self, path: Floats, radius: float) -> Floats:
        """Offset that carries the object out of the frame, and mostly back, after the start."""
        rng = self._shot.rng
        height, width = self._shot.size
        frames = len(path)
        offset = np.zeros_like(path)
        if frames < 3:
            return offset
        gone = int(rng.integers(1, frames))
        back = gone + int(rng.integers(1, max(2, frames // 2)))
        side = int(rng.integers(4))
        middle = path[gone]
        distance = (
            middle[0] + radius, width - middle[0] + radius,
            middle[1] + radius, height - middle[1] + radius,
        )[side]  # fmt: skip
        direction = np.array([(-1, 0), (1, 0), (0, -1), (0, 1)][side])
        # Out within ``ramp`` frames before it is gone, back in as many after.
        ramp = min(gone, max(1, frames // 4))
        t = np.arange(frames)
        out = np.clip((t - (gone - ramp)) / ramp, 0, 1)
        into = np.clip((t - back) / ramp, 0, 1) if rng.random() < 0.75 else np.zeros(frames)
        share = out - into
        share = share * share * (3 - 2 * share)
        return np.asarray(share[:, None] * direction * distance, dtype=np.float64)
