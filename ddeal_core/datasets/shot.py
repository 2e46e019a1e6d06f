"""What a synthetic clip is made with, and what it is made of."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np

from ddeal_core.datasets.arrays import Array, Floats
from ddeal_core.datasets.cached_files import CachedFiles
from ddeal_core.datasets.rendering import Layer
from ddeal_core.datasets.sources import Sources, draw_from
from ddeal_core.datasets.synthetic_config import SyntheticConfig

ThingT = TypeVar("ThingT", bound=Any)


@dataclass(frozen=True, eq=False)
class Shot:
    """The circumstances of one clip."""

    config: SyntheticConfig
    sources: Sources
    rng: np.random.Generator
    times: Floats  # [T], in units of one ordinary frame distance
    size: tuple[int, int]  # (height, width) of the frames, pixels
    shutter: float  # exposure as a share of the frame distance; 0 for no motion blur
    single: bool = False  # settle for a single labelled object

    def happens(self, probability: float) -> bool:
        """Draw whether something of this probability happens."""
        return bool(self.rng.random() < probability)

    def draw(self, sources: Sequence[CachedFiles[ThingT]]) -> ThingT:
        """Draw a thing of sources, which must not be empty."""
        source, index = draw_from(sources, self.rng)
        return source[index]

    def object_count(self) -> int:
        """Draw how many labelled objects there are to be."""
        most = self.config.max_objects
        if self.single or most == 1 or self.happens(self.config.single_probability):
            return 1
        return int(self.rng.integers(2, most + 1))


class SceneBackground(Protocol):
    """What layers are drawn on."""

    def draw(self, t: int, size: tuple[int, int]) -> tuple[Array, Array]:
        """Render frame ``t``: a new image ``[H, W, 3]`` and new labels ``[H, W]``, both uint8."""


@dataclass(frozen=True, eq=False)
class Composition:
    """A background and the layers on it, the last on top."""

    background: SceneBackground
    layers: list[Layer]
