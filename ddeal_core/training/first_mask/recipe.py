"""How the network for first masks is trained."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Annotated, Any, Literal

from ddeal_core.errors import ConfigError
from ddeal_core.interaction.hint_maps import STRIDE
from ddeal_core.settings import Count, Range, Seed, Share, check_settings, read_settings
from ddeal_core.training.recipe import ramped


@dataclass(frozen=True, slots=True)
class FirstMaskRecipe:
    """How the network for first masks is trained."""

    name: Literal["first-mask"] = "first-mask"  # for people; "first-mask" in all files
    # Side of the square crops in pixels, a multiple of 32.
    size: Annotated[int, Range(64, 1024)] = 320
    crops: Annotated[int, Range(1, 4096)] = 16  # crops a step
    rounds: Annotated[int, Range(1, 20)] = 3  # times that each crop is corrected and learned from
    steps: Count = 2000  # of the whole run
    learning_rate: Annotated[float, Range(0, 1000, above=True)] = 1e-3  # at the start
    # Share of the run, at its end, over which the rate falls linearly to nothing.
    cooldown: Share = 0.8
    # Steps over which the rate rises from nothing.
    warmup_steps: Annotated[int, Range(0, 1_000_000_000)] = 30
    weight_decay: Annotated[float, Range(0, 1000)] = 0.02  # of the optimiser
    # Stages of the backbone that learn, from the last one; the others keep their ImageNet weights.
    backbone_stages: Annotated[int, Range(0, 8)] = 4
    backbone_rate: Share = 0.15  # factor on the learning rate for the backbone
    real_share: Share = 0.3  # share of crops of video, where there are stills too
    # Decay a round of the averaged weights, which are those that are kept.
    ema: Annotated[float, Range(0, 1, below=True)] = 0.997
    clip_gradient: Annotated[float, Range(0, 1e6, above=True)] = 1.0  # longest gradient
    seed: Seed = 0  # of the weights, the crops and all chance
    checkpoint_every: Count = 50  # steps between checkpoints

    def __post_init__(self) -> None:
        check_settings(self)
        if self.size % STRIDE:
            raise ConfigError(f"size: a crop's side is a multiple of {STRIDE}, not {self.size}")

    def rate(self, step: int) -> float:
        """Learning rate of a step, from 0."""
        rate = self.learning_rate
        return ramped(rate, step, self.steps, self.warmup_steps, self.cooldown)

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON types."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> FirstMaskRecipe:
        """Read back what `to_dict` wrote.

        Raises:
            ConfigError: A field is unknown or out of range.
        """
        return read_settings(cls, values)
