"""Synthetic clips: pure functions of a seed and a number."""

from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from ddeal_core.datasets.casting import Casting, usable_objects
from ddeal_core.datasets.clip import IGNORE, Clip
from ddeal_core.datasets.cutouts import Still
from ddeal_core.datasets.degradation import Degradation
from ddeal_core.datasets.motion import (
    deformation_field,
    frame_times,
    log_uniform,
    object_path,
    object_shapes,
)
from ddeal_core.datasets.moving_objects import Footage
from ddeal_core.datasets.procedural import procedural_background
from ddeal_core.datasets.rendering import Layer, apply, draw_layer, invert
from ddeal_core.datasets.scenery import Camera, Local, Scenery, fill_behind, fit_plate, make_camera
from ddeal_core.datasets.sources import Sources
from ddeal_core.datasets.synthetic_config import SyntheticConfig
from ddeal_core.errors import ConfigError

__all__ = ["SyntheticClips", "SyntheticConfig"]

Array = NDArray[np.uint8]
Floats = NDArray[np.float64]

_ATTEMPTS = 12
_Build = Callable[
    [np.random.Generator, Floats, float, bool], tuple[Scenery | Footage, list[Layer]] | None
]


class SyntheticClips:
    """An endless list of clips.

    Clip ``index`` depends on the arguments and ``index`` alone: neither the order of calls nor
    the number of worker processes matters, and training resumes exactly. The object pickles;
    what it has decoded stays behind.

    Args:
        config: Switches and strengths.
        sources: Material; with an empty one all is procedural.
        size: (height, width) of the frames, pixels.
        frames: Frames a clip, T.
        seed: First half of every clip's seed, 0 or more.

    Raises:
        ConfigError: A size or number is not positive.
    """

    def __init__(
        self,
        config: SyntheticConfig | None = None,
        sources: Sources | None = None,
        *,
        size: tuple[int, int],
        frames: int,
        seed: int = 0,
    ) -> None:
        if min(size) < 16:
            raise ConfigError(f"clips need 16 x 16 pixels or more, not {size[0]} x {size[1]}")
        if frames < 1 or seed < 0:
            raise ConfigError(f"frames must be 1 or more and seed 0 or more, not {frames}, {seed}")
        self.config = config if config is not None else SyntheticConfig()
        self.sources = sources if sources is not None else Sources()
        self.size = size
        self.frames = frames
        self.seed = seed

    def clip(self, index: int) -> Clip:
        """Make clip ``index`` (0 or more).

        Every labelled object is visible in the first frame; ids are 1 to n without gaps.

        Raises:
            DatasetError: A source file cannot be read.
        """
        rng = np.random.default_rng([self.seed, index])
        config = self.config
        build: _Build = self._pasted
        if self.sources.moving and rng.random() < config.footage_probability:
            build = self._footage
        elif self.sources.stills and rng.random() < config.scene_probability:
            build = self._scene
        for attempt in range(_ATTEMPTS):
            skipping = rng.random() < config.skip_probability
            times = frame_times(rng, self.frames, config.max_skip if skipping else 1)
            blurred = rng.random() < config.blur_probability
            shutter = float(rng.uniform(0.1, 1.0)) * config.shutter if blurred else 0.0
            # Large objects hide each other: the last attempts settle for a single one.
            few = attempt >= _ATTEMPTS // 2
            if few:
                build = self._pasted
            made = build(rng, times, shutter, few)
            if made is None:
                continue
            scenery, layers = made
            names = self._visible(scenery, layers, always=attempt == _ATTEMPTS - 1)
            if names:
                return self._render(rng, scenery, layers, names, times)
        return self._blank(rng)

    def _blank(self, rng: np.random.Generator) -> Clip:
        """A plain clip, should chance never agree with the configuration's demands."""
        height, width = self.size
        plate = procedural_background(rng, height, width)
        labels = np.zeros(self.size, np.uint8)
        labels[height // 4 : 3 * height // 4, width // 4 : 3 * width // 4] = 1
        plate[labels == 1] = 255 - plate[labels == 1]
        return Clip(np.stack([plate] * self.frames), np.stack([labels] * self.frames))

    def _count(self, rng: np.random.Generator, few: bool) -> int:
        if few or self.config.max_objects == 1 or rng.random() < self.config.single_probability:
            return 1
        return int(rng.integers(2, self.config.max_objects + 1))

    def _pasted(
        self, rng: np.random.Generator, times: Floats, shutter: float, few: bool
    ) -> tuple[Scenery, list[Layer]]:
        """Objects on a background that has nothing to do with them."""
        config = self.config
        camera = make_camera(config, rng, times, self.size)
        plates = self._plates(rng, times)
        plate = plates[0]
        field = None
        if config.parallax > 0 and rng.random() < 0.4:
            field = deformation_field(rng, times, bend=config.parallax, controls=4)
        shape = (plate.shape[0], plate.shape[1])
        fit = fit_plate(rng, shape, camera.seen(self.size), self.size)
        plates, fit = _reduced(plates, fit)
        scenery = Scenery(plates, None, camera, fit, field, self._smears(camera.matrices, shutter))
        casting = Casting(
            config, self.sources, rng, times=times, size=self.size, camera=camera, shutter=shutter
        )
        layers: list[Layer] = []
        count = self._count(rng, few)
        for label in range(1, count + 1):
            sprite = casting.draw_object()
            if rng.random() < config.harmonise_probability:
                sprite = casting.harmonise(sprite, plate)
            layers.append(casting.place(sprite, label))
            if label == 1 and rng.random() < config.distractor_probability:
                copies = int(rng.integers(1, 3))
                layers.extend(casting.place(sprite, 0) for _ in range(copies))
        self._add_occluders(rng, casting, layers)
        order = rng.permutation(len(layers))
        return scenery, [layers[i] for i in order]

    def _footage(
        self, rng: np.random.Generator, times: Floats, shutter: float, few: bool
    ) -> tuple[Footage, list[Layer]] | None:
        """Objects on real video, before or behind its own."""
        config, size = self.config, self.size
        source, index = self.sources.draw_moving(rng)
        stride = int(rng.integers(1, config.max_stride + 1))
        footage = source.footage(
            index,
            rng,
            times * stride,
            size,
            max_objects=config.max_objects,
            min_area=config.min_area,
        )
        if footage is None:
            return None
        casting = Casting(
            config,
            self.sources,
            rng,
            times=times,
            size=size,
            camera=Camera.still(len(times)),
            shutter=shutter,
        )
        labels = list(range(footage.objects + 1, self._count(rng, few) + 1))
        layers: list[Layer] = []
        if rng.random() < config.lookalike_probability:
            twin = casting.moving(source, index)
            if twin is not None:
                twin = twin.flipped() if rng.random() < 0.5 else twin
                layers.append(casting.place(twin, labels.pop() if labels else 0))
        for label in labels:
            sprite = casting.draw_object(moving=rng.random() < config.footage_moving_probability)
            if rng.random() < config.harmonise_probability:
                sprite = casting.harmonise(sprite, footage.images[0])
            layers.append(casting.place(sprite, label))
        self._add_occluders(rng, casting, layers)
        if not layers:  # or this would be a plain clip of real video
            layers.append(casting.place(casting.draw_object(moving=True), 0))
        behind = rng.random(len(layers)) < config.behind_probability
        order = rng.permutation(len(layers))
        return footage, [
            replace(layers[i], front=footage.front) if behind[i] else layers[i] for i in order
        ]

    def _add_occluders(
        self, rng: np.random.Generator, casting: Casting, layers: list[Layer]
    ) -> None:
        if rng.random() < self.config.occluder_probability:
            for _ in range(int(rng.integers(1, 3))):
                area = log_uniform(rng, 0.005, 0.08)
                layers.append(casting.place(casting.draw_object(), 0, area=area))

    def _plates(self, rng: np.random.Generator, times: Floats) -> list[Array]:
        config, sources = self.config, self.sources
        height, width = self.size
        if rng.random() >= config.procedural_background_probability:
            if sources.videos and rng.random() < config.video_probability:
                return sources.draw_plates(rng, times, video=True)
            whole = rng.random() < config.still_background_probability
            if sources.stills and (whole or not sources.backgrounds):
                image = sources.draw_still(rng).image
                return [image[:, ::-1].copy() if rng.random() < 0.5 else image]
            if sources.backgrounds:
                image = sources.draw_plates(rng, times, video=False)[0]
                return [image[:, ::-1].copy() if rng.random() < 0.5 else image]
            if sources.videos:
                return sources.draw_plates(rng, times, video=True)
        return [procedural_background(rng, int(height * 1.3), int(width * 1.3))]

    def _scene(
        self, rng: np.random.Generator, times: Floats, shutter: float, few: bool
    ) -> tuple[Scenery, list[Layer]] | None:
        """A still whose own objects move."""
        config = self.config
        still = self.sources.draw_still(rng)
        # A landscape view of a portrait shows a torso: those are rather cut out and pasted.
        mismatch = _aspect(still.labels.shape) / _aspect(self.size)
        if max(mismatch, 1 / mismatch) > 1.7 and rng.random() < 0.75:
            return None
        bent = rng.random() < config.warp_probability
        items = usable_objects(still, whole=not bent)
        if not items:
            return None
        image, labels = still.image, still.labels
        if rng.random() < 0.5:
            still = Still.of(image[:, ::-1].copy(), labels[:, ::-1].copy())
            items = usable_objects(still, whole=not bent)
        count = min(self._count(rng, few), len(items))
        chosen = [items[i] for i in rng.permutation(len(items))[:count]]
        camera = make_camera(config, rng, times, self.size)
        shape = (still.image.shape[0], still.image.shape[1])
        box = chosen[0].box
        focus = ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
        fit = fit_plate(rng, shape, camera.seen(self.size), self.size, focus=focus)
        casting = Casting(
            config, self.sources, rng, times=times, size=self.size, camera=camera, shutter=shutter
        )
        names = np.zeros(256, np.uint8)
        names[IGNORE] = IGNORE
        for label, item in enumerate(chosen, start=1):
            names[item.label] = label
        layers: list[Layer] = []
        smears = self._smears(camera.matrices, shutter)
        if bent:
            field = deformation_field(
                rng, times, bend=config.bend * 0.35 * rng.uniform(0, 1.6), controls=5
            )
            moves = tuple(self._local(rng, times, still, item.label, fit) for item in chosen)
            plates, new_fit = _reduced([still.image], fit)
            ratio = fit[0, 0] / new_fit[0, 0]
            size = (plates[0].shape[1], plates[0].shape[0])
            small = cv2.resize(cv2.LUT(still.labels, names), size, interpolation=cv2.INTER_NEAREST)
            moves = tuple(_rescale(move, ratio) for move in moves)
            scenery = Scenery(
                plates, np.asarray(small, dtype=np.uint8), camera, new_fit, field, smears, moves
            )
        else:
            hole = np.isin(still.labels, [item.label for item in chosen]).astype(np.uint8)
            plate = fill_behind(still.image, hole)
            to_world = invert(fit)
            for label, item in enumerate(chosen, start=1):
                x0, y0, x1, y1 = item.box
                middle = np.array([(x0 + x1 - 1) / 2, (y0 + y1 - 1) / 2])
                place = apply(to_world, middle)
                layers.append(
                    casting.lift(
                        casting.cut(still, item),
                        label,
                        scale=float(to_world[0, 0]),
                        centre=(float(place[0]), float(place[1])),
                    )
                )
            plates, fit = _reduced([plate], fit)
            scenery = Scenery(plates, None, camera, fit, None, smears)
        self._add_occluders(rng, casting, layers)
        return scenery, layers

    def _local(
        self, rng: np.random.Generator, times: Floats, still: Still, label: int, fit: Floats
    ) -> Local:
        """Motion of an object that drags its surroundings along."""
        config = self.config
        mask = (still.labels == label).astype(np.float32)
        step = 4.0
        small = cv2.resize(mask, None, fx=1 / step, fy=1 / step, interpolation=cv2.INTER_AREA)
        extent = float(np.sqrt(mask.sum()))  # plate pixels
        reach = max(2.0, 0.35 * extent / step)
        wide = cv2.dilate(small, np.ones((3, 3), np.uint8), iterations=max(1, int(reach / 2)))
        weight = cv2.GaussianBlur(wide, (0, 0), reach)
        weight = np.clip(weight / max(float(weight.max()), 1e-6), 0, 1)
        total = max(float(mask.sum()), 1.0)
        rows, columns = mask.sum(axis=1), mask.sum(axis=0)
        centre = np.array(
            [columns @ np.arange(len(columns)) / total, rows @ np.arange(len(rows)) / total]
        )
        shapes = object_shapes(
            rng,
            times,
            rotation=np.radians(log_uniform(rng, *config.rotation)) * 0.5,
            zoom=log_uniform(rng, *config.zoom) * 0.5,
            stretch=config.stretch * 0.5,
        )
        # Farther than its soft surroundings reach, the picture would fold over.
        far = 0.45 * reach * step
        path = object_path(
            rng,
            times,
            start=(0.0, 0.0),
            speed=log_uniform(rng, *config.speed) * 0.5 * self.size[1] * fit[0, 0],
            box=(-far, -far, far, far),
        )
        forward = np.concatenate([shapes, (path + centre - shapes @ centre)[..., None]], axis=-1)
        return Local(weight.astype(np.float32), step, invert(forward))

    def _smears(self, matrices: Floats, shutter: float) -> Floats:
        middle = np.array([self.size[1] / 2, self.size[0] / 2])
        places = np.stack([apply(m, middle) for m in matrices])
        if len(places) < 2 or shutter == 0:
            return np.zeros_like(places)
        return np.asarray(np.gradient(places, axis=0) * shutter)

    def _visible(
        self, scenery: Scenery | Footage, layers: list[Layer], *, always: bool
    ) -> dict[int, int]:
        """New ids of the objects that the first frame shows well enough."""
        height, width = self.size
        frame, labels = scenery.draw(0, self.size)
        full = np.bincount(labels.ravel(), minlength=256).astype(np.float64)
        for layer in layers:
            draw_layer(frame, labels, layer, 0)
            if layer.label:
                a = float(cv2.sumElems(cv2.extractChannel(layer.picture(0), 3))[0]) / 255
                full[layer.label] = a * abs(np.linalg.det(layer.matrices[0, :, :2]))
        seen = np.bincount(labels.ravel(), minlength=256)
        least = self.config.min_area * height * width
        share = 0.0 if always else self.config.min_visible
        kept = [
            label
            for label in range(1, IGNORE)
            if seen[label] >= max(least, 1) and seen[label] >= share * full[label]
        ]
        return {label: i for i, label in enumerate(kept, start=1)}

    def _render(
        self,
        rng: np.random.Generator,
        scenery: Scenery | Footage,
        layers: list[Layer],
        names: dict[int, int],
        times: Floats,
    ) -> Clip:
        height, width = self.size
        table = np.zeros(256, np.uint8)
        table[IGNORE] = IGNORE
        for old, new in names.items():
            table[old] = new
        degrade = Degradation(self.config.degradation, rng, times, self.size)
        layers = [replace(layer, label=int(table[layer.label])) for layer in layers]
        images = np.empty((self.frames, height, width, 3), np.uint8)
        labels = np.empty((self.frames, height, width), np.uint8)
        for t in range(self.frames):
            frame, painted = scenery.draw(t, self.size)
            if painted.any():
                painted = np.asarray(cv2.LUT(painted, table), dtype=np.uint8)
            for layer in layers:
                draw_layer(frame, painted, layer, t)
            images[t] = degrade(frame, t)
            labels[t] = painted
        return Clip(images, labels)


def _aspect(size: tuple[int, ...]) -> float:
    return size[1] / size[0]


def _reduced(plates: list[Array], fit: Floats) -> tuple[list[Array], Floats]:
    """Shrink plates that are much finer than the frame, which would alias."""
    scale = float(fit[0, 0])
    if scale <= 1.25:
        return plates, fit
    height, width = plates[0].shape[:2]
    size = (max(2, round(width / scale)), max(2, round(height / scale)))
    once: dict[int, Array] = {}
    for plate in plates:
        if id(plate) not in once:
            once[id(plate)] = np.asarray(cv2.resize(plate, size, interpolation=cv2.INTER_AREA))
    return [once[id(plate)] for plate in plates], fit / scale


def _rescale(move: Local, ratio: float) -> Local:
    """Express a local motion in the pixels of a plate reduced by ``ratio``."""
    matrices = move.matrices.copy()
    matrices[..., 2] /= ratio
    return Local(move.weight, move.step / ratio, matrices)
