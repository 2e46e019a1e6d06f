"""Recipes of training by name, from a file, or of a run that is gone on with."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ddeal_core.errors import ConfigError

if TYPE_CHECKING:
    from torch import Tensor

    from ddeal_core.training import FirstMaskRecipe, Recipe

FIRST_MASK = "first-mask"
"""The recipe of the network that makes masks from hints."""


def read_recipe(name: str | None, *, run: Path | None = None) -> "Recipe | FirstMaskRecipe":
    """Find a recipe that comes with the package, or in a JSON file.

    None is that of the `run` that is gone on with, else compact.
    """
    from ddeal_core.text_files import parsing, read_json
    from ddeal_core.training import RECIPES, FirstMaskRecipe, Recipe

    def of(values: dict[str, Any]) -> Recipe | FirstMaskRecipe:
        kind = FirstMaskRecipe if values.get("name") == FIRST_MASK else Recipe
        return kind.from_dict(values)

    if name is None:
        checkpoint = None if run is None else run / "checkpoint.pt"
        if checkpoint is not None and checkpoint.is_file():
            from ddeal_core.training.checkpoint import load_run

            return of(load_run(checkpoint)["recipe"])
        name = "compact"
    if name == FIRST_MASK:
        return FirstMaskRecipe()
    if name in RECIPES:
        return RECIPES[name]
    path = Path(name)
    if path.suffix != ".json":
        known = ", ".join((*RECIPES, FIRST_MASK))
        raise ConfigError(f"no recipe {name!r}: choose {known}, or a .json file")
    values = read_json(path, ConfigError)
    with parsing(path, "a recipe", ConfigError):
        return of(values)


def changed_recipe(
    recipe: "Recipe | FirstMaskRecipe", **changes: Any
) -> "Recipe | FirstMaskRecipe":
    """Change the numbers that are not None; a recipe may not have all of them: see `override`."""
    from ddeal_core.training import FirstMaskRecipe
    from ddeal_core.training.overrides import override, override_first_mask

    if isinstance(recipe, FirstMaskRecipe):
        return override_first_mask(recipe, **changes)
    return override(recipe, **changes)


def imagenet_for(
    recipe: "Recipe | FirstMaskRecipe", path: Path | None, *, begun: bool
) -> "dict[str, Tensor] | None":
    """Read the ImageNet weights that a run begins with.

    None where no file is named and the run has `begun` with other weights, or shall have none.
    """
    from ddeal_core.network import NetworkConfig
    from ddeal_core.training import FirstMaskRecipe
    from ddeal_core.weights.imagenet import fetch_imagenet, read_imagenet

    if path is not None:
        return read_imagenet(path)
    if isinstance(recipe, FirstMaskRecipe):
        return None if begun else fetch_imagenet("efficientnet-lite0")
    if begun or not recipe.imagenet:
        return None
    return fetch_imagenet(NetworkConfig.from_preset(recipe.preset).backbone)
