"""Recipes with a few numbers changed, as the command line offers them."""

import dataclasses
from typing import Any

from ddeal_core.errors import InputError
from ddeal_core.settings import Count, check_value
from ddeal_core.training.first_mask.recipe import FirstMaskRecipe
from ddeal_core.training.recipe import Recipe, Stage


def override(recipe: Recipe, *, steps: int | None = None, **changes: Any) -> Recipe:
    """Change what is not None; what belongs to a stage is changed in all of them.

    Where only `clips` is given and a stage's passes do not divide it, a step becomes one pass;
    where `frames` are few, fewer of them are followed without teaching.

    Args:
        recipe: To begin from.
        steps: Of the whole run; see `with_steps`.
        changes: Of fields of `Recipe` and `Stage`.

    Raises:
        ConfigError: A value is out of range.
    """
    of_recipe = {name: value for name, value in changes.items() if value is not None}
    known = {field.name for field in dataclasses.fields(Stage)}
    of_stages = {name: of_recipe.pop(name) for name in list(of_recipe) if name in known}
    stages = []
    for stage in recipe.stages:
        own = dict(of_stages)
        if "clips" in own and "clips_per_pass" not in own and own["clips"] % stage.clips_per_pass:
            own["clips_per_pass"] = own["clips"]
        if "frames" in own:
            own["burn_in"] = min(stage.burn_in, max(0, own["frames"] - 2))
        stages.append(dataclasses.replace(stage, **own))
    recipe = dataclasses.replace(recipe, stages=tuple(stages), **of_recipe)
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
    for number, stage in enumerate(recipe.stages, start=1):
        last = number == len(recipe.stages) or left <= stage.steps
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
