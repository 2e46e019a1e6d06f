"""Who plays in a clip: objects are drawn, sized, set in motion and made into layers."""

from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from ddeal_core.datasets.cutouts import SceneObject, Still, cut, is_usable
from ddeal_core.datasets.degradation import colour_gains
from ddeal_core.datasets.motion import (
    deformation_field,
    log_uniform,
    object_path,
    object_shapes,
    turning,
)
from ddeal_core.datasets.moving_objects import MovingObjects
from ddeal_core.datasets.procedural import procedural_shape, procedural_texture
from ddeal_core.datasets.rendering import Layer, apply
from ddeal_core.datasets.scenery import Camera
from ddeal_core.datasets.sources import Sources
from ddeal_core.datasets.sprites import Sprite
from ddeal_core.datasets.synthetic_config import SyntheticConfig

__all__ = ["Casting", "usable_objects"]

Array = NDArray[np.uint8]
Floats = NDArray[np.float64]


def usable_objects(still: Still, *, whole: bool) -> tuple[SceneObject, ...]:
    """Objects that are worth showing; with ``whole``, those that no border cuts off."""
    pixels = still.labels.size
    return tuple(item for item in still.objects if is_usable(item, pixels, whole=whole))


class Casting:
    """Draws layers for one clip.

    Args:
        config: The engine's configuration.
        sources: Material.
        rng: Source of randomness of this clip.
        times: ``[T]`` times of the frames.
        size: (height, width) of the frame.
        camera: The clip's camera.
        shutter: Exposure as a share of the frame distance; 0 for no motion blur.
    """

    def __init__(
        self,
        config: SyntheticConfig,
        sources: Sources,
        rng: np.random.Generator,
        *,
        times: Floats,
        size: tuple[int, int],
        camera: Camera,
        shutter: float,
    ) -> None:
        self._config = config
        self._sources = sources
        self._rng = rng
        self._times = times
        self._size = size
        self._camera = camera
        self._shutter = shutter

    def draw_object(self, *, moving: bool = False) -> Sprite:
        """Draw something to paste, from one of the kinds of material there are.

        Args:
            moving: Rather an object of video with masks than another.
        """
        config, rng, sources = self._config, self._rng, self._sources
        if moving and (sprite := self._moving()) is not None:
            return sprite.flipped() if rng.random() < 0.5 else sprite
        if rng.random() < config.procedural_probability:
            return self._procedural()
        shares: dict[Callable[[], Sprite | None], float] = {
            self._cutout: config.cutout_probability * bool(sources.cutouts),
            self._turntable: config.turntable_probability * bool(sources.turntables),
            self._moving: config.moving_probability * bool(sources.moving),
        }
        rest = max(0.0, 1 - config.procedural_probability - sum(shares.values()))
        shares[self._from_still] = rest * bool(sources.stills)
        weight = np.array(list(shares.values()))
        if not weight.any():
            return self._procedural()
        draw = list(shares)[int(rng.choice(len(weight), p=weight / weight.sum()))]
        sprite = draw()
        if sprite is None:
            return self._procedural()
        return sprite.flipped() if rng.random() < 0.5 else sprite

    def _cutout(self) -> Sprite:
        return Sprite.of((self._sources.draw_cutout(self._rng),))

    def _from_still(self) -> Sprite | None:
        for _ in range(12):
            still = self._sources.draw_still(self._rng)
            items = usable_objects(still, whole=True)
            if items:
                return self.cut(still, items[int(self._rng.integers(len(items)))])
        return None

    def _turntable(self) -> Sprite:
        config, rng = self._config, self._rng
        sides = self._sources.draw_turntable(rng)
        turn = turning(rng, self._times, log_uniform(rng, *config.turn))
        start = rng.uniform(0, len(sides))
        shown = np.floor(start + turn).astype(int) % len(sides)
        return Sprite.of(tuple(sides[i] for i in shown), liveliness=0.6, bends=False)

    def _moving(self) -> Sprite | None:
        for _ in range(4):
            source, index = self._sources.draw_moving(self._rng)
            sprite = self.moving(source, index)
            if sprite is not None:
                return sprite
        return None

    def moving(self, source: MovingObjects, index: int) -> Sprite | None:
        """Draw an object of one sequence, with its own motion at a pace of its own."""
        config, rng = self._config, self._rng
        stride = int(rng.integers(1, config.max_stride + 1))
        return source.sprite(
            index,
            rng,
            self._times * stride,
            erode_probability=config.erode_probability,
            feather=config.feather,
        )

    def cut(self, still: Still, item: SceneObject) -> Sprite:
        """Cut an object out with an edge of random softness."""
        erode = int(item.area > 3000 and self._rng.random() < self._config.erode_probability)
        feather = float(self._rng.uniform(*self._config.feather))
        return Sprite.of((cut(still, item, erode=erode, feather=feather).rgba,))

    def _procedural(self) -> Sprite:
        side = int(self._rng.integers(96, 200))
        shape = procedural_shape(self._rng, side)
        texture = procedural_texture(self._rng, side, side)
        x, y, w, h = cv2.boundingRect(shape)
        rgba = np.dstack([texture, shape])[y : y + h, x : x + w]
        clear = cv2.BORDER_CONSTANT
        rgba = np.asarray(cv2.copyMakeBorder(rgba, 2, 2, 2, 2, clear, value=0), dtype=np.uint8)
        return Sprite.of((rgba,))

    def harmonise(self, sprite: Sprite, plate: Array) -> Sprite:
        """Draw the colours of an object towards those of a plate."""
        rgba = sprite.frames[0]
        share = float(self._rng.uniform(0.2, 0.9))
        mean_o, std_o = cv2.meanStdDev(rgba[..., :3].copy(), mask=rgba[..., 3].copy())
        mean_p, std_p = cv2.meanStdDev(plate)
        gain = np.clip(std_p.ravel() / np.maximum(std_o.ravel(), 4.0), 0.5, 2.0)
        gain = 1 + share * (gain - 1)
        wanted = mean_o.ravel() + share * (mean_p.ravel() - mean_o.ravel())
        grey = np.arange(256)[:, None]
        table = (grey - mean_o.ravel()) * gain + wanted
        table = np.concatenate([table, grey], axis=1)  # alpha as it is
        return sprite.recoloured(np.clip(table, 0, 255).astype(np.uint8))

    def place(self, sprite: Sprite, label: int, *, area: float | None = None) -> Layer:
        """Put an object anywhere in the frame, in a size and motion of its own.

        Args:
            sprite: The object.
            label: Its label; 0 for none.
            area: Its size as a share of the frame; drawn where None.
        """
        config, rng = self._config, self._rng
        height, width = self._size
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
        """Put an object where its still shows it, from where it moves off.

        Args:
            sprite: The object.
            label: Its label.
            scale: Frame pixels a pixel of the object.
            centre: Place (x, y) of its middle in the first frame.
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
        config, rng, times = self._config, self._rng, self._times
        width, calm = self._size[1], sprite.liveliness
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
        # What it does by itself is blurred already.
        velocity = np.gradient(path, axis=0) if len(times) > 1 else np.zeros_like(path)
        return Layer(sprite.frames, label, matrices, field, gains, velocity * self._shutter)

    def _walls(
        self, start: tuple[float, float], *, anchored: bool
    ) -> tuple[float, float, float, float]:
        height, width = self._size
        x, y = self._rng.uniform(0.0, 0.12, size=2)
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
        if follow >= 1:
            return moved
        low, high = np.array(box[:2]), np.array(box[2:])
        span = high - low
        folded = np.mod(moved - low, 2 * span)
        return np.asarray(low + np.minimum(folded, 2 * span - folded))

    def _excursion(self, path: Floats, radius: float) -> Floats:
        """Offset that carries the object out of the frame, and mostly back, after the start."""
        rng = self._rng
        height, width = self._size
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
