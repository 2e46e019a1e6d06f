"""Objects to paste, drawn from the material there is."""

from collections.abc import Callable

import cv2
import numpy as np

from ddeal_core.datasets.motion import log_uniform, turning
from ddeal_core.datasets.moving_objects import MovingObjects
from ddeal_core.datasets.procedural import procedural_shape, procedural_texture
from ddeal_core.datasets.shot import Shot
from ddeal_core.datasets.sources import draw_from
from ddeal_core.datasets.sprites import Sprite
from ddeal_core.datasets.stills import SceneObject, Still, cut, usable_objects


class ObjectSampler:
    """Draws the objects of one clip."""

    def __init__(self, shot: Shot) -> None:
        self._shot = shot

    def draw(self, *, moving: bool = False) -> Sprite:
        """Draw an object to paste; if `moving`, one of video with masks where there is one."""
        config, rng, sources = self._shot.config, self._shot.rng, self._shot.sources
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
        return Sprite.of((self._shot.draw(self._shot.sources.cutouts),))

    def _from_still(self) -> Sprite | None:
        for _ in range(12):
            still = self._shot.draw(self._shot.sources.stills)
            items = usable_objects(still, whole=True)
            if items:
                return self.cut(still, items[int(self._shot.rng.integers(len(items)))])
        return None

    def _turntable(self) -> Sprite:
        config, rng = self._shot.config, self._shot.rng
        sides = self._shot.draw(self._shot.sources.turntables)
        turn = turning(rng, self._shot.times, log_uniform(rng, *config.turn))
        start = rng.uniform(0, len(sides))
        shown = np.floor(start + turn).astype(int) % len(sides)
        return Sprite.of(tuple(sides[i] for i in shown), liveliness=0.6, bends=False)

    def _moving(self) -> Sprite | None:
        for _ in range(4):
            source, index = draw_from(self._shot.sources.moving, self._shot.rng)
            sprite = self.moving(source, index)
            if sprite is not None:
                return sprite
        return None

    def moving(self, source: MovingObjects, index: int) -> Sprite | None:
        """Draw an object of one sequence, with its own motion at a pace of its own."""
        config, rng = self._shot.config, self._shot.rng
        stride = int(rng.integers(1, config.max_stride + 1))
        return source.sprite(
            index,
            rng,
            self._shot.times * stride,
            erode_probability=config.erode_probability,
            feather=config.feather,
        )

    def cut(self, still: Still, item: SceneObject) -> Sprite:
        """Cut an object out with an edge of random softness."""
        erode = int(
            item.area > 3000 and self._shot.rng.random() < self._shot.config.erode_probability
        )
        feather = float(self._shot.rng.uniform(*self._shot.config.feather))
        return Sprite.of((cut(still, item, erode=erode, feather=feather),))

    def _procedural(self) -> Sprite:
        side = int(self._shot.rng.integers(96, 200))
        shape = procedural_shape(self._shot.rng, side)
        texture = procedural_texture(self._shot.rng, side, side)
        x, y, w, h = cv2.boundingRect(shape)
        rgba = np.dstack([texture, shape])[y : y + h, x : x + w]
        clear = cv2.BORDER_CONSTANT
        rgba = np.asarray(cv2.copyMakeBorder(rgba, 2, 2, 2, 2, clear, value=0), dtype=np.uint8)
        return Sprite.of((rgba,))
