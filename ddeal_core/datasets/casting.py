"""Who plays in a clip: objects are drawn, sized, set in motion and made into layers."""

import cv2
import numpy as np
from numpy.typing import NDArray

from ddeal_core.datasets.cutouts import SceneObject, Still, cut
from ddeal_core.datasets.degradation import colour_gains
from ddeal_core.datasets.motion import (
    deformation_field,
    log_uniform,
    object_path,
    object_shapes,
)
from ddeal_core.datasets.procedural import procedural_shape, procedural_texture
from ddeal_core.datasets.rendering import Layer, apply, premultiply
from ddeal_core.datasets.scenery import Camera
from ddeal_core.datasets.sources import Sources
from ddeal_core.datasets.synthetic_config import SyntheticConfig

__all__ = ["Casting", "usable_objects"]

Array = NDArray[np.uint8]
Floats = NDArray[np.float64]

MIN_PIXELS = 500
"""Smaller objects of a still are too coarse to be cut out."""


def usable_objects(still: Still, *, whole: bool) -> tuple[SceneObject, ...]:
    """Objects that are worth showing; with ``whole``, those that no border cuts off."""
    total = still.labels.size
    return tuple(
        item
        for item in still.objects
        if item.area >= max(MIN_PIXELS, 0.004 * total)
        and item.area <= 0.75 * total
        and (not whole or item.cut_off <= 0.06)
    )


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

    def draw_object(self) -> Array:
        """Draw something to paste: ``[h, w, 4]`` uint8, alpha not multiplied in."""
        config, rng, sources = self._config, self._rng, self._sources
        kind = rng.random()
        if kind < config.procedural_probability:
            return self._procedural()
        if sources.cutouts and (
            not sources.stills or kind < config.procedural_probability + config.cutout_probability
        ):
            return self._flip(sources.draw_cutout(rng))
        if sources.stills:
            for _ in range(12):
                still = sources.draw_still(rng)
                items = usable_objects(still, whole=True)
                if items:
                    item = items[int(rng.integers(len(items)))]
                    return self._flip(self.cut(still, item))
        return self._procedural()

    def cut(self, still: Still, item: SceneObject) -> Array:
        """Cut an object out with an edge of random softness."""
        erode = int(item.area > 3000 and self._rng.random() < self._config.erode_probability)
        feather = float(self._rng.uniform(*self._config.feather))
        return cut(still, item, erode=erode, feather=feather).rgba

    def _procedural(self) -> Array:
        side = int(self._rng.integers(96, 200))
        shape = procedural_shape(self._rng, side)
        texture = procedural_texture(self._rng, side, side)
        x, y, w, h = cv2.boundingRect(shape)
        rgba = np.dstack([texture, shape])[y : y + h, x : x + w]
        clear = cv2.BORDER_CONSTANT
        return np.asarray(cv2.copyMakeBorder(rgba, 2, 2, 2, 2, clear, value=0), dtype=np.uint8)

    def _flip(self, rgba: Array) -> Array:
        return np.ascontiguousarray(rgba[:, ::-1]) if self._rng.random() < 0.5 else rgba

    def harmonise(self, rgba: Array, plate: Array) -> Array:
        """Draw the colours of an object towards those of a plate."""
        share = float(self._rng.uniform(0.2, 0.9))
        mean_o, std_o = cv2.meanStdDev(rgba[..., :3].copy(), mask=rgba[..., 3].copy())
        mean_p, std_p = cv2.meanStdDev(plate)
        gain = np.clip(std_p.ravel() / np.maximum(std_o.ravel(), 4.0), 0.5, 2.0)
        gain = 1 + share * (gain - 1)
        wanted = mean_o.ravel() + share * (mean_p.ravel() - mean_o.ravel())
        grey = np.arange(256)[:, None]
        table = (grey - mean_o.ravel()) * gain + wanted
        table = np.concatenate([table, grey], axis=1)  # alpha as it is
        table = np.clip(table, 0, 255).astype(np.uint8)
        return np.asarray(cv2.LUT(rgba, table[None]), dtype=np.uint8)

    def place(self, rgba: Array, label: int, *, area: float | None = None) -> Layer:
        """Put an object anywhere in the frame, in a size and motion of its own.

        Args:
            rgba: The object, alpha not multiplied in.
            label: Its label; 0 for none.
            area: Its size as a share of the frame; drawn where None.
        """
        config, rng = self._config, self._rng
        height, width = self._size
        share = area if area is not None else log_uniform(rng, *config.area)
        covered = max(float(cv2.sumElems(rgba[..., 3].copy())[0]) / 255, 1.0)
        scale = np.sqrt(share * height * width / covered)
        # Neither longer than the frame nor blurred by enlargement.
        scale = float(min(scale, 1.0 * max(height, width) / max(rgba.shape[:2]), 2.2))
        flat = premultiply(rgba)
        if scale < 0.85:
            new = (max(4, round(rgba.shape[1] * scale)), max(4, round(rgba.shape[0] * scale)))
            flat = np.asarray(cv2.resize(flat, new, interpolation=cv2.INTER_AREA))
            scale = 1.0
        tilt = np.radians(rng.normal() * 12)
        linear = scale * np.array([[np.cos(tilt), -np.sin(tilt)], [np.sin(tilt), np.cos(tilt)]])
        start = (rng.uniform(0.12, 0.88) * width, rng.uniform(0.12, 0.88) * height)
        return self._set_in_motion(flat, label, linear, start, calm=1.0, follow=rng.random())

    def lift(self, rgba: Array, label: int, *, scale: float, centre: tuple[float, float]) -> Layer:
        """Put an object where its still shows it, from where it moves off.

        Args:
            rgba: The object, alpha not multiplied in.
            label: Its label.
            scale: Frame pixels a pixel of the object.
            centre: Place (x, y) of its middle in the first frame.
        """
        flat = premultiply(rgba)
        if scale < 0.85:
            new = (max(4, round(rgba.shape[1] * scale)), max(4, round(rgba.shape[0] * scale)))
            factor = new[0] / rgba.shape[1]
            flat = np.asarray(cv2.resize(flat, new, interpolation=cv2.INTER_AREA))
            scale = scale / factor
        linear = np.eye(2) * scale
        return self._set_in_motion(flat, label, linear, centre, calm=0.6, follow=1.0, anchored=True)

    def _set_in_motion(
        self,
        flat: Array,
        label: int,
        linear: Floats,
        start: tuple[float, float],
        *,
        calm: float,
        follow: float,
        anchored: bool = False,
    ) -> Layer:
        config, rng, times = self._config, self._rng, self._times
        width = self._size[1]
        h, w = flat.shape[:2]
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
            path = path + self._excursion(path, float(np.hypot(h, w)) / 2)
        zoomed = self._camera.zoom**follow
        turned = self._camera.turn * follow
        cos, sin = np.cos(turned) * zoomed, np.sin(turned) * zoomed
        view = np.stack([cos, -sin, sin, cos], axis=1).reshape(-1, 2, 2)
        shapes = view @ shapes @ linear
        middle = np.array([(w - 1) / 2, (h - 1) / 2])
        offset = path - shapes @ middle
        matrices = np.concatenate([shapes, offset[..., None]], axis=-1)
        field = None
        if config.bend > 0 or config.hinge_probability > 0:
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
        velocity = np.gradient(path, axis=0) if len(times) > 1 else np.zeros_like(path)
        return Layer(flat, label, matrices, field, gains, velocity * self._shutter)

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
