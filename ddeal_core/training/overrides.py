"""Recipes with a few numbers changed, as the command line offers them."""

import dataclasses
from typing import Any, Literal

from ddeal_core.errors import InputError
from ddeal_core.settings import Count, check_value
from ddeal_core.training.first_mask.recipe import FirstMaskRecipe
from ddeal_core.training.recipe import Recipe, Stage

__all__ = ["override", "override_first_mask", "with_steps"]


def override(
    recipe: Recipe,
    *,
    epochs: int | None = None,
    size: tuple[int, int] | None = None,
    frames: int | None = None,
    clips: int | None = None,
    clips_per_pass: int | None = None,
    learning_rate: float | None = None,
    steps: int | None = None,
    seed: int | None = None,
    precision: Literal["auto", "float32", "bfloat16"] | None = None,
    validate_every: int | None = None,
    checkpoint_every: int | None = None,
) -> Recipe:
    """Change what is not None; what belongs to a stage is changed in all of them.

    Args:
        recipe: To begin from.
        epochs: Epochs a stage.
        size: (height, width) of the clips.
        frames: Frames a clip; where they are few, fewer of them are followed without teaching.
        clips: Clips a step.
        clips_per_pass: Clips that go through the network at once; where only `clips` is given
            and the recipe's passes do not divide it, a step becomes one pass.
        learning_rate: At the start of each stage.
        steps: Of the whole run; see `with_steps`.
        seed: Of all chance.
        precision: Of the convolutions.
        validate_every: Steps between validations.
        checkpoint_every: Steps between checkpoints.

    Raises:
        ConfigError: A value is out of range.
    """
    of_stages = {
        "epochs": epochs,
        "size": size,
        "frames": frames,
        "clips": clips,
        "clips_per_pass": clips_per_pass,
        "learning_rate": learning_rate,
    }
    stage_changes: dict[str, Any] = {k: v for k, v in of_stages.items() if v is not None}
    stages = []
    for stage in recipe.stages:
        changes = dict(stage_changes)
        if clips is not None and clips_per_pass is None and clips % stage.clips_per_pass:
            changes["clips_per_pass"] = clips
        if frames is not None:
            changes["burn_in"] = min(stage.burn_in, max(0, frames - 2))
        stages.append(dataclasses.replace(stage, **changes))
    of_recipe = {
        "seed": seed,
        "precision": precision,
        "validate_every": validate_every,
        "checkpoint_every": checkpoint_every,
    }
    changed: dict[str, Any] = {k: v for k, v in of_recipe.items() if v is not None}
    recipe = dataclasses.replace(recipe, stages=tuple(stages), **changed)
    return recipe if steps is None else with_steps(recipe, steps)


def override_first_mask(recipe: FirstMaskRecipe, **changes: Any) -> FirstMaskRecipe:
    """Change what is not None of the recipe for first masks.

    Args:
        recipe: To begin from.
        changes: As `override` takes them; those that are about clips are refused.

    Raises:
        InputError: The recipe has no such number, or the crops are not square.
        ConfigError: A value is out of range.
    """
    changed = {name: value for name, value in changes.items() if value is not None}
    if "size" in changed:
        height, width = changed["size"]
        if height != width:
            raise InputError(f"crops for first masks are square, not {width}x{height}")
        changed["size"] = height
    if "clips" in changed:
        changed["crops"] = changed.pop("clips")
    known = {field.name for field in dataclasses.fields(recipe)}
    for name in changed:
        if name not in known:
            raise InputError(
                f"the recipe first-mask has no {name.replace('_', ' ')}: leave that option out"
            )
    return dataclasses.replace(recipe, **changed)


def with_steps(recipe: Recipe, steps: int) -> Recipe:
    """Make a run exactly so long: the last stage grows or shrinks, or goes if it must.

    Raises:
        ConfigError: `steps` is below 1.
    """
    check_value("steps", steps, Count)
    kept: list[Stage] = []
    left = steps
    for number, stage in enumerate(recipe.stages):
        last = number + 1 == len(recipe.stages) or left <= stage.steps
        kept.append(_stage_of(stage, left) if last else stage)
        if last:
            break
        left -= stage.steps
    return dataclasses.replace(recipe, stages=tuple(kept))


def _stage_of(stage: Stage, steps: int) -> Stage:
    """The stage with so many steps, its learning rate falling as fast as before."""
    old = stage.steps_per_epoch
    # An epoch is a whole number of steps: take the longest that fits.
    new = next(count for count in range(min(old, steps), 0, -1) if steps % count == 0)
    return dataclasses.replace(
        stage,
        epochs=steps // new,
        clips_per_epoch=new * stage.clips,
        decay=stage.decay ** (new / old),
    )
