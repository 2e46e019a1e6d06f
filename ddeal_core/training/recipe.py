"""What a training run is made of, and the recipes that come with the package."""

import dataclasses
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated, Any, Literal

from ddeal_core.errors import ConfigError
from ddeal_core.settings import Count, Name, Range, Seed, Share, check_settings, read_settings

Side = Annotated[int, Range(32, 8192)]
Rate = Annotated[float, Range(0, 1000)]
Weight = Annotated[float, Range(0, 1e6)]


@dataclass(frozen=True, slots=True)
class LossWeights:
    """Weights of the summands; the defaults are the paper's (Section IV-A)."""

    fine: Weight = 1.0  # cross-entropy of the final prediction
    coarse: Weight = 1.0  # cross-entropy of the coarse prediction
    dice: Weight = 0.0  # dice loss of the final prediction, which small objects need
    # Cross-entropy of the final prediction within 4 pixels of true outlines: among all pixels they
    # are too few to be heard beside a part that is missing.
    outline: Weight = 0.0
    # Cross-entropy of each cue read as a classifier of its own, so that the embeddings learn to
    # tell object from background before the fusion module can use them.
    cues: Weight = 0.0
    # Cross-entropy of the coarse prediction from mask propagation alone. Where matching is easy,
    # the network does without propagation and its features die; with a loss of its own it is there
    # when matching is not.
    propagation: Weight = 0.0
    # Factor on the cross-entropy of object pixels, but for those at the outline. A network that is
    # unsure of a part leaves it out, and what was left out is background to all frames that follow:
    # above 1, it loses less of an object and takes more of what is beside it.
    object_pixels: Weight = 1.0

    def __post_init__(self) -> None:
        check_settings(self)


@dataclass(frozen=True, slots=True)
class Recurrence:
    """What the network is told of the frames before, in training, and by which cues."""

    # Probability, a frame, that the true mask takes the place of the predicted one.
    truth: float = 0.0
    # Probability, a frame, that the mask is moved and smeared before it is handed on, so that the
    # network does not merely copy it.
    corruption: float = 0.0
    # Frames after the first that are followed without a gradient, before those that teach: what has
    # gone wrong by then is what the network learns to live with.
    burn_in: int = 0
    # Probability, a pass over clips, that some cues are kept from the fusion module, as in one of
    # lines 2 to 5 of Table V, or all but mask propagation: it then works without them too.
    cue_dropout: float = 0.0


def ramped(rate: float, step: int, steps: int, warmup_steps: int, cooldown: float) -> float:
    """Rate of a step: it rises at first, and falls to nothing over the share `cooldown` at last."""
    if step < warmup_steps:
        rate *= (step + 1) / warmup_steps
    falling = cooldown * steps
    return rate * min(1.0, (steps - step) / falling) if falling else rate


@dataclass(frozen=True, slots=True)
class Stage:
    """A stretch of training with one clip size."""

    name: Name  # for the log
    size: tuple[Side, Side]  # (height, width) of the clips in pixels, multiples of 16
    frames: Annotated[int, Range(2, 10_000)]  # frames a clip, the first of which is given
    clips: Annotated[int, Range(1, 65_536)]  # clips a step, over all processes
    # Clips that go through the network at once. Batch norm sees these, so a step is the same on one
    # process as on several.
    clips_per_pass: Annotated[int, Range(1, 65_536)]
    epochs: Count  # epochs; one ends with the learning rate's decay
    clips_per_epoch: Count  # clips an epoch
    learning_rate: Annotated[float, Range(0, 1000, above=True)]  # at the start
    decay: Annotated[float, Range(0, 1, above=True)] = 1.0  # factor on the learning rate an epoch
    # Share of the stage, at its end, over which the rate falls linearly to nothing.
    cooldown: Share = 0.0
    # Steps over which the rate rises from nothing.
    warmup_steps: Annotated[int, Range(0, 1_000_000_000)] = 0
    weight_decay: Rate = 0.0  # of the optimiser
    real_share: Share = 0.5  # share of the clips that are real where both kinds are there
    # Longest distance between frames of a real clip.
    max_gap: Annotated[int, Range(1, 1_000_000)] = 3
    # Standard deviation of the logarithm of how much the crops of real clips zoom.
    zoom: Annotated[float, Range(0, 10)] = 0.0
    objects: Annotated[int, Range(1, 254)] = 1  # objects a clip that the network is asked for
    # Probability of the true mask in the recurrence, falling to 0 over the first half.
    truth: Share = 0.0
    corruption: Share = 0.0  # probability of a corrupted mask in the recurrence
    # Frames a clip, after the first, that are followed without teaching.
    burn_in: Annotated[int, Range(0, 10_000)] = 0
    # Probability that clips go through the network without some of its cues.
    cue_dropout: Share = 0.0
    # Last stages of a backbone with ImageNet weights that learn; batch norms keep ImageNet's
    # statistics in all of them.
    backbone_stages: Annotated[int, Range(0, 100)] = 1
    backbone_rate: Share = 1.0  # factor on the learning rate for the backbone

    def __post_init__(self) -> None:
        check_settings(self)
        if any(side % 16 for side in self.size):
            raise ConfigError(f"clip sides are multiples of 16, at least 32, not {self.size}")
        if self.burn_in > self.frames - 2:
            raise ConfigError(
                f"burn_in leaves a clip of {self.frames} frames one to teach, so it lies in "
                f"[0, {self.frames - 2}], not {self.burn_in}"
            )
        if self.clips % self.clips_per_pass:
            raise ConfigError(
                f"{self.clips} clips a step cannot be split into passes of {self.clips_per_pass}"
            )

    @property
    def steps_per_epoch(self) -> int:
        """Optimiser steps an epoch."""
        return max(1, self.clips_per_epoch // self.clips)

    @property
    def steps(self) -> int:
        """Optimiser steps in the stage."""
        return self.epochs * self.steps_per_epoch

    def rate(self, step: int) -> float:
        """Learning rate of a step of this stage, from 0."""
        rate = self.learning_rate * self.decay ** (step // self.steps_per_epoch)
        return ramped(rate, step, self.steps, self.warmup_steps, self.cooldown)

    def recurrence(self, step: int) -> Recurrence:
        """What the network is told of the last frame, at a step of this stage."""
        truth = self.truth * max(0.0, 1 - 2 * step / self.steps)
        return Recurrence(truth, self.corruption, self.burn_in, self.cue_dropout)


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything about a run but its data."""

    name: Name  # for people
    preset: Name  # preset of the network
    stages: tuple[Stage, ...]  # one after the other
    imagenet: bool = False  # whether the backbone begins with ImageNet weights, as the paper's does
    loss: LossWeights = field(default_factory=LossWeights)  # weights of the summands
    # Adam with L2 in the gradient (the paper) or with decoupled decay.
    optimiser: Literal["adam", "adamw"] = "adam"
    # Decay a step of the averaged weights that are validated and exported; 0 is without.
    ema: Annotated[float, Range(0, 1, below=True)] = 0.0
    clip_gradient: Rate = 0.0  # longest gradient; 0 is without
    seed: Seed = 0  # of the weights, the clips and all chance
    # Type of `torch.autocast`; "auto" takes bfloat16 where the processor has it.
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    validate_every: Count = 1000  # steps between validations
    checkpoint_every: Count = 200  # steps between checkpoints

    def __post_init__(self) -> None:
        check_settings(self)
        if not self.stages:
            raise ConfigError("stages: a recipe has at least one")

    @property
    def steps(self) -> int:
        """Optimiser steps in all stages."""
        return sum(stage.steps for stage in self.stages)

    def locate(self, step: int) -> tuple[int, int]:
        """(stage, step within it) of a step of the run."""
        first = 0
        for index, stage in enumerate(self.stages):
            if step < first + stage.steps:
                return index, step - first
            first += stage.steps
        raise ConfigError(f"step {step} lies beyond the last stage")

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON types, for checkpoints and provenance."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Recipe":
        """Read back what `to_dict` wrote, by earlier versions too.

        Raises:
            ConfigError: A field is unknown, missing, or out of range.
        """
        return read_settings(cls, _without_past_settings(values))


def _without_past_settings(values: Any) -> Any:
    """Leave out settings of stages that are gone, where they say what is done without them."""
    stages = values.get("stages") if isinstance(values, dict) else None
    if not isinstance(stages, list | tuple) or not all(isinstance(s, dict) for s in stages):
        return values
    kept = [{k: v for k, v in stage.items() if v not in _PAST.get(k, ())} for stage in stages]
    return {**values, "stages": kept}


_PAST: dict[str, tuple[Any, ...]] = {"learns": ([], ()), "remembering": (0.5,)}


# One snippet of each of the 60 + 3,471 training videos of DAVIS 2017 and YouTube-VOS an epoch.
_PAPER_CLIPS = 3531

_PAPER_STAGES = (
    Stage(
        name="240p",
        size=(240, 432),
        frames=8,
        clips=4,
        clips_per_pass=4,
        epochs=100,
        clips_per_epoch=_PAPER_CLIPS,
        learning_rate=1e-4,
        decay=0.95,
        weight_decay=1e-5,
    ),
    Stage(
        name="480p",
        size=(480, 864),
        frames=12,
        clips=2,
        clips_per_pass=2,
        epochs=120,
        clips_per_epoch=_PAPER_CLIPS,
        learning_rate=1e-5,
        decay=0.985,
        weight_decay=1e-6,
    ),
)

# docs/training.md says how each number was found.
_compact_stage = partial(
    Stage, clips=4, clips_per_pass=2, clips_per_epoch=400, weight_decay=0.01, cue_dropout=0.1
)
_COMPACT_VIDEO = _compact_stage(
    name="video",
    size=(240, 432),
    frames=12,
    epochs=9,
    learning_rate=6e-4,
    cooldown=1.0,
    warmup_steps=20,
    real_share=0.7,
    max_gap=7,
    objects=2,
    corruption=0.1,
    burn_in=8,
    backbone_stages=3,
    backbone_rate=0.15,
)
_COMPACT_STAGES = (
    _compact_stage(
        name="stills",
        size=(160, 288),
        frames=4,
        epochs=6,
        learning_rate=1e-3,
        warmup_steps=50,
        real_share=0.15,
        max_gap=4,
        truth=0.5,
        corruption=0.2,
        cue_dropout=0.0,
        backbone_stages=0,
    ),
    _compact_stage(
        name="real-motion",
        size=(192, 336),
        frames=8,
        epochs=6,
        learning_rate=8e-4,
        cooldown=0.8,
        warmup_steps=10,
        max_gap=5,
        objects=2,
        corruption=0.1,
        burn_in=3,
        backbone_stages=0,
    ),
    _COMPACT_VIDEO,
    dataclasses.replace(
        _COMPACT_VIDEO,
        name="long-video",
        frames=20,
        burn_in=16,
        epochs=10,
        learning_rate=5e-4,
        max_gap=5,
        zoom=0.3,
    ),
)

RECIPES: dict[str, Recipe] = {
    "paper-resnet50": Recipe("paper-resnet50", "paper-resnet50", _PAPER_STAGES, imagenet=True),
    "paper-resnet101": Recipe("paper-resnet101", "paper-resnet101", _PAPER_STAGES, imagenet=True),
    "compact": Recipe(
        "compact",
        "compact",
        _COMPACT_STAGES,
        imagenet=True,
        loss=LossWeights(
            fine=1.0,
            coarse=0.5,
            dice=0.5,
            outline=0.7,
            cues=0.3,
            propagation=0.3,
            object_pixels=2.0,
        ),
        optimiser="adamw",
        ema=0.995,
        clip_gradient=1.0,
        validate_every=200,
        checkpoint_every=50,
    ),
}
