"""What a training run is made of, and the recipes that come with the package."""

import dataclasses
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from ddeal_core.errors import ConfigError
from ddeal_core.settings import Count, Name, Range, Seed, Share, check_settings, read_settings

__all__ = ["RECIPES", "LossWeights", "Recipe", "Recurrence", "Stage"]

Side = Annotated[int, Range(32, 8192)]
Rate = Annotated[float, Range(0, 1000)]
Weight = Annotated[float, Range(0, 1e6)]


@dataclass(frozen=True, slots=True)
class LossWeights:
    """Weights of the summands; the defaults are the paper's (Section IV-A).

    Attributes:
        fine: Cross-entropy of the final prediction.
        coarse: Cross-entropy of the coarse prediction.
        dice: Dice loss of the final prediction, which small objects need.
        cues: Cross-entropy of each cue read as a classifier of its own, so that the embeddings
            learn to tell object from background before the fusion module can use them.
        propagation: Cross-entropy of the coarse prediction from mask propagation alone. Where
            matching is easy, the network does without propagation and its features die; with a
            loss of its own it is there when matching is not.
        object_pixels: Factor on the cross-entropy of object pixels. A network that is unsure of a
            part leaves it out, and what was left out is background to all frames that follow:
            above 1, it loses less of an object and takes more of what is beside it.
    """

    fine: Weight = 1.0
    coarse: Weight = 1.0
    dice: Weight = 0.0
    cues: Weight = 0.0
    propagation: Weight = 0.0
    object_pixels: Weight = 1.0

    def __post_init__(self) -> None:
        check_settings(self)


@dataclass(frozen=True, slots=True)
class Recurrence:
    """What the network is told of the frames before, in training, and by which cues.

    Attributes:
        truth: Probability, a frame, that the true mask takes the place of the predicted one.
        corruption: Probability, a frame, that the mask is moved and smeared before it is handed
            on, so that the network does not merely copy it.
        remembering: Probability that a frame enters the memory.
        burn_in: Frames after the first that are followed without a gradient, before those that
            teach: what has gone wrong by then is what the network learns to live with.
        cue_dropout: Probability, a pass over clips, that some cues are kept from the fusion
            module, as in one of lines 2 to 5 of Table V, or all but mask propagation: it then
            works without them too.
    """

    truth: float = 0.0
    corruption: float = 0.0
    remembering: float = 0.5
    burn_in: int = 0
    cue_dropout: float = 0.0


@dataclass(frozen=True, slots=True)
class Stage:
    """A stretch of training with one clip size.

    Attributes:
        name: For the log.
        size: (height, width) of the clips in pixels, multiples of 16.
        frames: Frames a clip, the first of which is given.
        clips: Clips a step, over all processes.
        clips_per_pass: Clips that go through the network at once. Batch norm sees these, so a
            step is the same on one process as on several.
        epochs: Epochs; one ends with the learning rate's decay.
        clips_per_epoch: Clips an epoch.
        learning_rate: At the start.
        decay: Factor on the learning rate an epoch.
        cooldown: Share of the stage, at its end, over which the rate falls linearly to nothing.
        warmup_steps: Steps over which the rate rises from nothing.
        weight_decay: Of the optimiser.
        real_share: Share of the clips that are real where both kinds are there.
        max_gap: Longest distance between frames of a real clip.
        objects: Objects a clip that the network is asked for.
        truth: Probability of the true mask in the recurrence, falling to 0 over the first half.
        corruption: Probability of a corrupted mask in the recurrence.
        remembering: Probability that a frame enters the memory, for networks that have one.
        burn_in: Frames a clip, after the first, that are followed without teaching.
        cue_dropout: Probability that clips go through the network without some of its cues.
        backbone_stages: Last stages of a backbone with ImageNet weights that learn; batch norms
            keep ImageNet's statistics in all of them.
        backbone_rate: Factor on the learning rate for the backbone.
        learns: Modules of the network that learn, such as "propagation"; the others stay as they
            are. None is named where all learn.
    """

    name: Name
    size: tuple[Side, Side]
    frames: Annotated[int, Range(2, 10_000)]
    clips: Annotated[int, Range(1, 65_536)]
    clips_per_pass: Annotated[int, Range(1, 65_536)]
    epochs: Count
    clips_per_epoch: Count
    learning_rate: Annotated[float, Range(0, 1000, above=True)]
    decay: Annotated[float, Range(0, 1, above=True)] = 1.0
    cooldown: Share = 0.0
    warmup_steps: Annotated[int, Range(0, 1_000_000_000)] = 0
    weight_decay: Rate = 0.0
    real_share: Share = 0.5
    max_gap: Annotated[int, Range(1, 1_000_000)] = 3
    objects: Annotated[int, Range(1, 254)] = 1
    truth: Share = 0.0
    corruption: Share = 0.0
    remembering: Share = 0.5
    burn_in: Annotated[int, Range(0, 10_000)] = 0
    cue_dropout: Share = 0.0
    backbone_stages: Annotated[int, Range(0, 100)] = 1
    backbone_rate: Share = 1.0
    learns: tuple[Name, ...] = ()

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
        if step < self.warmup_steps:
            rate *= (step + 1) / self.warmup_steps
        falling = self.cooldown * self.steps
        left = self.steps - step
        return rate * min(1.0, left / falling) if falling else rate

    def recurrence(self, step: int) -> Recurrence:
        """What the network is told of the last frame, at a step of this stage."""
        truth = self.truth * max(0.0, 1 - 2 * step / self.steps)
        return Recurrence(
            truth=truth,
            corruption=self.corruption,
            remembering=self.remembering,
            burn_in=self.burn_in,
            cue_dropout=self.cue_dropout,
        )


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything about a run but its data.

    Attributes:
        name: For people.
        preset: Preset of the network.
        stages: One after the other.
        imagenet: Whether the backbone begins with ImageNet weights, as the paper's does.
        loss: Weights of the summands.
        optimiser: Adam with L2 in the gradient (the paper) or with decoupled decay.
        ema: Decay a step of the averaged weights that are validated and exported; 0 is without.
        clip_gradient: Longest gradient; 0 is without.
        seed: Of the weights, the clips and all chance.
        precision: Type of `torch.autocast`; "auto" takes bfloat16 where the processor has it.
        validate_every: Steps between validations.
        checkpoint_every: Steps between checkpoints.
    """

    name: Name
    preset: Name
    stages: tuple[Stage, ...]
    imagenet: bool = False
    loss: LossWeights = field(default_factory=LossWeights)
    optimiser: Literal["adam", "adamw"] = "adam"
    ema: Annotated[float, Range(0, 1, below=True)] = 0.0
    clip_gradient: Rate = 0.0
    seed: Seed = 0
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    validate_every: Count = 1000
    checkpoint_every: Count = 200

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
        """Read back what `to_dict` wrote.

        Raises:
            ConfigError: A field is unknown, missing, or out of range.
        """
        return read_settings(cls, values)


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

RECIPES: dict[str, Recipe] = {
    "paper-resnet50": Recipe("paper-resnet50", "paper-resnet50", _PAPER_STAGES, imagenet=True),
    "paper-resnet101": Recipe("paper-resnet101", "paper-resnet101", _PAPER_STAGES, imagenet=True),
    # docs/training.md says how each number was found.
    "compact": Recipe(
        name="compact",
        preset="compact",
        stages=(
            Stage(
                name="stills",
                size=(160, 288),
                frames=4,
                clips=4,
                clips_per_pass=2,
                epochs=6,
                clips_per_epoch=400,
                learning_rate=1e-3,
                warmup_steps=50,
                weight_decay=0.01,
                real_share=0.15,
                max_gap=4,
                truth=0.5,
                corruption=0.2,
                backbone_stages=0,
            ),
            Stage(
                name="real-motion",
                size=(192, 336),
                frames=8,
                clips=4,
                clips_per_pass=2,
                epochs=6,
                clips_per_epoch=400,
                learning_rate=8e-4,
                cooldown=0.8,
                warmup_steps=10,
                weight_decay=0.01,
                real_share=0.5,
                max_gap=5,
                objects=2,
                corruption=0.1,
                burn_in=3,
                cue_dropout=0.1,
                backbone_stages=0,
            ),
            Stage(
                name="video",
                size=(240, 432),
                frames=8,
                clips=4,
                clips_per_pass=2,
                epochs=9,
                clips_per_epoch=400,
                learning_rate=6e-4,
                cooldown=1.0,
                warmup_steps=20,
                weight_decay=0.01,
                real_share=0.5,
                max_gap=8,
                objects=2,
                corruption=0.1,
                burn_in=4,
                cue_dropout=0.1,
                backbone_stages=3,
                backbone_rate=0.15,
            ),
        ),
        imagenet=True,
        loss=LossWeights(fine=1.0, coarse=0.5, dice=0.5, cues=0.3, propagation=0.3),
        optimiser="adamw",
        ema=0.995,
        clip_gradient=1.0,
        validate_every=200,
        checkpoint_every=50,
    ),
}
