"""Synthetic clips: pure functions of a seed and a number."""

from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np

from ddeal_core.datasets.clip import IGNORE, Clip, ClipSize, closed_up
from ddeal_core.datasets.compositions import on_background, on_video
from ddeal_core.datasets.degradation import Degradation
from ddeal_core.datasets.motion import frame_times
from ddeal_core.datasets.procedural import procedural_background
from ddeal_core.datasets.rendering import draw_layer
from ddeal_core.datasets.shot import Composition, Shot
from ddeal_core.datasets.sources import Sources
from ddeal_core.datasets.still_scene import within_still
from ddeal_core.datasets.synthetic_config import SyntheticConfig
from ddeal_core.settings import Count, Seed, check_value

_ATTEMPTS = 12


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
        check_value("size", size, ClipSize)
        check_value("frames", frames, Count)
        check_value("seed", seed, Seed)
        self.config, self.sources = config or SyntheticConfig(), sources or Sources()
        self.size, self.frames, self.seed = size, frames, seed

    def clip(self, index: int) -> Clip:
        """Make clip ``index`` (0 or more).

        Every labelled object is visible in the first frame; ids are 1 to n without gaps.

        Raises:
            DatasetError: A source file cannot be read.
        """
        rng = np.random.default_rng([self.seed, index])
        config, sources = self.config, self.sources
        compose: Callable[[Shot], Composition | None] = on_background
        if sources.moving and rng.random() < config.footage_probability:
            compose = on_video
        elif sources.stills and rng.random() < config.scene_probability:
            compose = within_still
        for attempt in range(_ATTEMPTS):
            skipping = rng.random() < config.skip_probability
            times = frame_times(rng, self.frames, config.max_skip if skipping else 1)
            blurred = rng.random() < config.blur_probability
            shutter = float(rng.uniform(0.1, 1.0)) * config.shutter if blurred else 0.0
            # Large objects hide each other: the last attempts settle for a single one.
            single = attempt >= _ATTEMPTS // 2
            if single:
                compose = on_background
            shot = Shot(config, sources, rng, times, self.size, shutter, single)
            made = compose(shot)
            if made is None:
                continue
            names = self._visible(made, always=attempt == _ATTEMPTS - 1)
            if names:
                return self._render(shot, made, names)
        return self._blank(rng)

    def _blank(self, rng: np.random.Generator) -> Clip:
        """A plain clip, should chance never agree with the configuration's demands."""
        height, width = self.size
        plate = procedural_background(rng, height, width)
        labels = np.zeros(self.size, np.uint8)
        labels[height // 4 : 3 * height // 4, width // 4 : 3 * width // 4] = 1
        plate[labels == 1] = 255 - plate[labels == 1]
        return Clip(np.stack([plate] * self.frames), np.stack([labels] * self.frames))

    def _visible(self, made: Composition, *, always: bool) -> list[int]:
        """The objects that the first frame shows well enough."""
        height, width = self.size
        frame, labels = made.background.draw(0, self.size)
        full = np.bincount(labels.ravel(), minlength=256).astype(np.float64)
        for layer in made.layers:
            draw_layer(frame, labels, layer, 0)
            if layer.label:
                a = float(cv2.sumElems(cv2.extractChannel(layer.picture(0), 3))[0]) / 255
                full[layer.label] = a * abs(np.linalg.det(layer.matrices[0, :, :2]))
        seen = np.bincount(labels.ravel(), minlength=256)
        least = self.config.min_area * height * width
        share = 0.0 if always else self.config.min_visible
        return [
            label
            for label in range(1, IGNORE)
            if seen[label] >= max(least, 1) and seen[label] >= share * full[label]
        ]

    def _render(self, shot: Shot, made: Composition, names: list[int]) -> Clip:
        height, width = self.size
        table = closed_up(names)
        degrade = Degradation(self.config.degradation, shot.rng, shot.times, self.size)
        layers = [replace(layer, label=int(table[layer.label])) for layer in made.layers]
        images = np.empty((self.frames, height, width, 3), np.uint8)
        labels = np.empty((self.frames, height, width), np.uint8)
        for t in range(self.frames):
            frame, painted = made.background.draw(t, self.size)
            if painted.any():
                painted = np.asarray(cv2.LUT(painted, table), dtype=np.uint8)
            for layer in layers:
                draw_layer(frame, painted, layer, t)
            images[t] = degrade(frame, t)
            labels[t] = painted
        return Clip(images, labels)
