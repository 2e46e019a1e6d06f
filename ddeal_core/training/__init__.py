"""Training: recipes, data, the loop, and its curves."""

from typing import TYPE_CHECKING

from ddeal_core.lazy_names import lazy_names

if TYPE_CHECKING:
    from ddeal_core.training.clip_pass import ClipBatch, ClipPass
    from ddeal_core.training.data import TrainingData
    from ddeal_core.training.distributed import World, join_world
    from ddeal_core.training.first_mask.recipe import FirstMaskRecipe
    from ddeal_core.training.first_mask.trainer import FirstMaskTrainer
    from ddeal_core.training.log import LogRow, TrainingLog
    from ddeal_core.training.recipe import RECIPES, LossWeights, Recipe, Recurrence, Stage
    from ddeal_core.training.trainer import Trainer
else:
    __getattr__ = lazy_names(
        __name__,
        {
            "clip_pass": ("ClipBatch", "ClipPass"),
            "data": ("TrainingData",),
            "distributed": ("World", "join_world"),
            "first_mask.recipe": ("FirstMaskRecipe",),
            "first_mask.trainer": ("FirstMaskTrainer",),
            "log": ("LogRow", "TrainingLog"),
            "recipe": ("RECIPES", "LossWeights", "Recipe", "Recurrence", "Stage"),
            "trainer": ("Trainer",),
        },
    )

__all__ = [
    "RECIPES",
    "ClipBatch",
    "ClipPass",
    "FirstMaskRecipe",
    "FirstMaskTrainer",
    "LogRow",
    "LossWeights",
    "Recipe",
    "Recurrence",
    "Stage",
    "Trainer",
    "TrainingData",
    "TrainingLog",
    "World",
    "join_world",
]
