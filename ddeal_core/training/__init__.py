"""Training: recipes, data, the loop, and its curves."""

from ddeal_core.training.clip_pass import ClipBatch, ClipPass, Recurrence
from ddeal_core.training.data import TrainingData
from ddeal_core.training.distributed import World, join_world
from ddeal_core.training.log import LogRow, TrainingLog
from ddeal_core.training.losses import LossWeights
from ddeal_core.training.recipe import RECIPES, Recipe, Stage
from ddeal_core.training.trainer import Trainer

__all__ = [
    "RECIPES",
    "ClipBatch",
    "ClipPass",
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
