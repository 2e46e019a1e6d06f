"""What both trainers share: a folder, a loop with its log, and a state to go on from."""

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch
from torch import nn

from ddeal_core.errors import InputError, OutputError
from ddeal_core.training.averaging import MovingAverage
from ddeal_core.training.checkpoint import load_run, save_run
from ddeal_core.training.clip_pass import ClipBatch
from ddeal_core.training.data import TrainingData
from ddeal_core.training.distributed import World
from ddeal_core.training.first_mask.recipe import FirstMaskRecipe
from ddeal_core.training.log import LogRow, TrainingLog
from ddeal_core.training.recipe import Recipe
from ddeal_core.whole_files import remove_leftovers

RecipeT = TypeVar("RecipeT", Recipe, FirstMaskRecipe)
NetworkT = TypeVar("NetworkT", bound=nn.Module)

_DRAW_EVERY = 60.0
"""Seconds from one drawing of the curves to the next, the last one aside."""


class TrainingRun(ABC, Generic[RecipeT, NetworkT]):
    """One training run in one folder.

    ``checkpoint.pt`` holds all that is needed to go on; ``log.csv`` and ``log.png`` the curves;
    ``weights.safetensors`` the averaged weights.

    Attributes:
        network: That is trained.
        step: Steps done.
    """

    network: NetworkT
    _average: MovingAverage[NetworkT] | None
    _optimiser: torch.optim.Optimizer
    _report_every: int
    """Steps between exports of the weights; the curves are drawn then, too, but not often."""

    def __init__(
        self, recipe: RecipeT, data: TrainingData, folder: Path, world: World, *, resume: bool
    ) -> None:
        self.recipe: RecipeT = recipe
        self.data, self.folder, self._world = data, folder, world
        self.step = 0
        self._best = -math.inf
        path = folder / "checkpoint.pt"
        if path.exists() and not resume:
            raise InputError(f"{folder} holds a run: go on with it (resume) or name another")
        self._stored = load_run(path) if path.exists() else None
        torch.manual_seed(recipe.seed)

    def run(self, *, deadline: float | None = None) -> Iterator[LogRow]:
        """Train to the end of the recipe, yielding a row after each step.

        Leaving the iterator early loses the steps since the last checkpoint, nothing else.

        Args:
            deadline: By `time.monotonic`. The first step that ends after it is the last one of
                this call: a checkpoint and the weights are written, without a validation, and the
                run can be gone on with.
        """
        world, recipe = self._world, self.recipe
        log = TrainingLog(self.folder, step=self.step) if world.leads else None
        began = time.monotonic() - (log.seconds if log else 0.0)
        try:
            if log is not None and self.step == 0:
                self._save()  # killed at any time, it goes on with this recipe
            waited = drawn = time.monotonic()
            for batch in self._batches():
                started = time.monotonic()
                row = self._train_step(batch)
                if not math.isfinite(row["loss"]):
                    raise InputError(
                        f"the loss is not finite at step {self.step}: lower the learning rate"
                    )
                row["step"] = self.step
                self.step += 1
                done = self.step == recipe.steps
                reports = done or self.step % self._report_every == 0
                late = deadline is not None and world.any(time.monotonic() >= deadline)
                if done or (reports and not late):
                    row |= self._validate()
                elif late and world.leads:
                    self._export({})
                now = time.monotonic()
                row["data_share"] = (started - waited) / max(now - waited, 1e-9)
                result = LogRow(seconds=round(now - began, 3), **row)
                if log is not None:
                    log.append(result)
                    if done or late or self.step % recipe.checkpoint_every == 0:
                        log.flush()
                        self._save()
                    if done or late or (reports and now - drawn >= _DRAW_EVERY):
                        log.draw()
                        drawn = time.monotonic()
                waited = time.monotonic()
                yield result
                if late:
                    break
            world.wait()
        finally:
            if log is not None:
                log.close()

    @abstractmethod
    def _batches(self) -> Iterator[ClipBatch]:
        """The batches of the steps to come."""

    @abstractmethod
    def _train_step(self, batch: ClipBatch) -> dict[str, Any]:
        """Take a step: stage, learning_rate, loss and jaccard, means over the processes."""

    @abstractmethod
    def _export(self, scores: dict[str, float]) -> None:
        """Write the averaged weights."""

    def _validate(self) -> dict[str, float]:
        """Export, and tell what the log shall tell of it."""
        if self._world.leads:
            self._export({})
        return {}

    def _provenance(self, scores: dict[str, float]) -> dict[str, Any]:
        return {
            "recipe": self.recipe.to_dict(),
            "data": list(self.data.description),
            "steps": self.step,
            "torch": torch.__version__,
            **scores,
        }

    def _state(self) -> dict[str, Any]:
        state = {
            "recipe": self.recipe.to_dict(),
            "step": self.step,
            "best": self._best,
            "network": self.network.state_dict(),
            "optimiser": self._optimiser.state_dict(),
        }
        if self._average is not None:
            state["average"] = self._average.network.state_dict()
        return state

    def _save(self) -> None:
        save_run(self._state(), self.folder / "checkpoint.pt")

    def _take_up(self) -> None:
        """Restore what the folder holds, if anything, and make the folder."""
        stored = self._stored
        try:
            if stored is not None:
                self.network.load_state_dict(stored["network"])
                self._optimiser.load_state_dict(stored["optimiser"])
                if self._average is not None:
                    self._average.network.load_state_dict(stored["average"])
                self.step, self._best = int(stored["step"]), float(stored.get("best", -math.inf))
        except (KeyError, RuntimeError, TypeError, ValueError) as error:
            reason = str(error).splitlines()[0]
            raise InputError(f"the run in {self.folder} is of another network: {reason}") from None
        self._stored = None
        if self._world.leads:
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise OutputError(f"cannot make the run's folder {self.folder}: {error}") from None
            remove_leftovers(self.folder)
