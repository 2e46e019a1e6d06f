"""The training loop."""

import math
import time
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from ddeal_core.datasets.real import RealClips
from ddeal_core.datasets.synthetic import SyntheticClips
from ddeal_core.errors import ConfigError, InputError, OutputError, WeightsError
from ddeal_core.inference.folding import fold_backbone
from ddeal_core.network.config import NetworkConfig
from ddeal_core.network.ddeal import Ddeal
from ddeal_core.training.averaging import MovingAverage
from ddeal_core.training.checkpoint import load_run, save_run
from ddeal_core.training.clip_pass import ClipBatch, ClipPass
from ddeal_core.training.data import Mixture, TrainingData, batches
from ddeal_core.training.distributed import World
from ddeal_core.training.log import LogRow, TrainingLog
from ddeal_core.training.precision import autocast_dtype
from ddeal_core.training.recipe import Recipe, Stage
from ddeal_core.training.validation import HeldOut, validate
from ddeal_core.weights.files import Checkpoint, load_checkpoint, save_checkpoint
from ddeal_core.whole_files import remove_leftovers

__all__ = ["Trainer"]


class Trainer:
    """One training run in one folder.

    ``checkpoint.pt`` holds all that is needed to go on; ``log.csv`` and ``log.png`` the curves;
    ``weights.safetensors`` the averaged weights of the last validation and
    ``best.safetensors`` those of the best one.

    Args:
        recipe: How to train.
        data: What to train on.
        folder: Of the run; made if it is missing.
        world: This process among those that train together.
        resume: Go on from the checkpoint in the folder if there is one. The recipe may have
            changed since, to make a run longer; its network may not.
        initial: Weights to begin from, in this project's format.
        imagenet: State dict of a published classifier for the backbone.
        from_scratch: Begin with random weights what the recipe begins with ImageNet's.
        workers: Processes that make clips.
        validation_frames: Frames a held-out sequence; None for all.

    Raises:
        InputError: The folder holds another run, or the arguments contradict each other.
        DatasetError: A held-out sequence has nothing to score.
        OutputError: The folder cannot be made.
        ConfigError: A stage names modules that the network does not have.
        WeightsError: The initial weights do not fit the recipe's network.
    """

    def __init__(
        self,
        recipe: Recipe,
        data: TrainingData,
        folder: Path,
        *,
        world: World,
        resume: bool = False,
        initial: Path | None = None,
        imagenet: dict[str, Tensor] | None = None,
        from_scratch: bool = False,
        workers: int = 1,
        validation_frames: int | None = None,
    ) -> None:
        self.recipe = recipe
        self.data = data
        self.folder = folder
        self._world = world
        self._workers = workers
        self._held_out = tuple(
            HeldOut.of(sequence, max_frames=validation_frames) for sequence in data.held_out
        )
        self._check_batches()
        path = folder / "checkpoint.pt"
        stored: dict[str, Any] | None = None
        if path.exists():
            if not resume:
                raise InputError(f"{folder} holds a run: go on with it (resume) or name another")
            stored = load_run(path)
        torch.manual_seed(recipe.seed)
        config = NetworkConfig.from_preset(recipe.preset)
        network = Ddeal(config)
        _check_learning(recipe, network)
        if imagenet is not None:
            try:
                network.backbone.load_imagenet(imagenet)
            except RuntimeError as error:
                reason = str(error).splitlines()[0]
                raise WeightsError(f"the ImageNet weights do not fit: {reason}") from None
        if initial is not None:
            checkpoint = load_checkpoint(initial)
            try:
                network.load_state_dict(checkpoint.state)
            except RuntimeError:
                raise WeightsError(
                    f"{initial} holds a {checkpoint.config.preset} network, the recipe trains "
                    f"{config.preset}"
                ) from None
        begun = imagenet is not None or initial is not None or stored is not None
        if recipe.imagenet and not begun and not from_scratch:
            raise InputError(
                f"the recipe {recipe.name} begins with a backbone that has seen ImageNet: give its "
                "weights, or other weights to begin from, or say that it begins from scratch"
            )
        self._pretrained = imagenet is not None or (recipe.imagenet and not from_scratch)
        if stored is not None:  # a run goes on as it began, whatever is named now
            self._pretrained = bool(stored.get("pretrained", self._pretrained))
        self.network = network.to(world.device)
        self._average = MovingAverage(self.network, recipe.ema) if recipe.ema else None
        self._learning: tuple[tuple[str, ...], int] | None = None
        self._module: nn.Module = self.network
        self._optimiser = self._make_optimiser()
        self._step = 0
        self._best = -math.inf
        self._dtype = autocast_dtype(recipe.precision, world.device)
        if stored is not None:
            self._restore(stored)
        self._let_learn(recipe.stages[0])  # a frozen backbone is folded as restored
        if world.leads:
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise OutputError(f"cannot make the run's folder {folder}: {error}") from None
            remove_leftovers(folder)

    @property
    def step(self) -> int:
        """Steps done."""
        return self._step

    def run(self, *, deadline: float | None = None) -> Iterator[LogRow]:
        """Train to the end of the recipe, yielding a row after each step.

        Leaving the iterator early loses the steps since the last checkpoint, nothing else.

        Args:
            deadline: By `time.monotonic`. The first step that ends after it is the last one of
                this call: a checkpoint and the weights are written, without a validation, and the
                run can be gone on with.
        """
        log = TrainingLog(self.folder, step=self._step) if self._world.leads else None
        began = time.monotonic() - (log.seconds if log else 0.0)
        try:
            if log is not None and self._step == 0:
                self._save(0.0)  # killed at any time, it goes on with this recipe
            while self._step < self.recipe.steps:
                stage_index, first = self.recipe.locate(self._step)
                stage = self.recipe.stages[stage_index]
                offset = self._step - first
                waited = time.monotonic()
                for batch in self._batches(stage_index, range(first, stage.steps)):
                    started = time.monotonic()
                    row = self._train_step(stage, self._step - offset, batch)
                    self._step += 1
                    done = self._step == self.recipe.steps
                    telling = done or self._step % self.recipe.validate_every == 0
                    late = deadline is not None and self._world.any(time.monotonic() >= deadline)
                    if done or (telling and not late):
                        row |= self._validate()
                    elif late and self._world.leads:
                        self._export({})
                    now = time.monotonic()
                    row["data_share"] = (started - waited) / max(now - waited, 1e-9)
                    result = LogRow(seconds=round(now - began, 3), **row)
                    if log is not None:
                        log.append(result)
                        if done or late or self._step % self.recipe.checkpoint_every == 0:
                            log.flush()
                            self._save(result.seconds)
                        if telling or late:
                            log.draw()
                    waited = time.monotonic()
                    yield result
                    if late:
                        self._world.wait()
                        return
            self._world.wait()
        finally:
            if log is not None:
                log.close()

    def _train_step(self, stage: Stage, step: int, batch: ClipBatch) -> dict[str, Any]:
        rate = stage.rate(step)
        for group in self._optimiser.param_groups:
            group["lr"] = rate * (stage.backbone_rate if group["backbone"] else 1.0)
            group["weight_decay"] = stage.weight_decay if group["decays"] else 0.0
        self._let_learn(stage)
        clips = batch.images.shape[1]
        passes = clips // stage.clips_per_pass
        loss_sum = jaccard_sum = 0.0
        self._optimiser.zero_grad(set_to_none=True)
        for index in range(passes):
            part = slice(index * stage.clips_per_pass, (index + 1) * stage.clips_per_pass)
            # Chance depends on step and place alone, so that resuming needs no random state.
            place = self._world.rank * passes + index
            chance = np.random.SeedSequence([self.recipe.seed, self._step, place])
            generator = torch.Generator().manual_seed(int(chance.generate_state(1)[0]))
            last = index + 1 == passes
            with nullcontext() if last else self._without_exchange():
                with torch.autocast(
                    self._world.device.type, self._dtype, enabled=self._dtype != torch.float32
                ):
                    loss, jaccard = self._module(
                        batch.clips(part).to(self._world.device),
                        stage.recurrence(step),
                        generator,
                    )
                (loss / passes).backward()
            loss_sum += float(loss.detach())
            jaccard_sum += float(jaccard)
        if not math.isfinite(loss_sum):
            raise InputError(
                f"the loss is not finite at step {self._step}: lower the learning rate"
            )
        if self.recipe.clip_gradient:
            nn.utils.clip_grad_norm_(self.network.parameters(), self.recipe.clip_gradient)
        self._optimiser.step()
        if self._average is not None:
            self._average.update(self.network, self._step)
        return {
            "step": self._step,
            "stage": stage.name,
            "learning_rate": rate,
            "loss": self._world.mean(loss_sum / passes),
            "jaccard": self._world.mean(jaccard_sum / passes),
        }

    def _validate(self) -> dict[str, float]:
        scores: dict[str, float] = {}
        if self._world.leads:
            if self._held_out:
                score = validate(self._averaged, self._held_out)
                scores = {"held_out_j": score.region.mean, "held_out_f": score.contour.mean}
            self._export(scores)
        self._world.wait()
        return scores

    @property
    def _averaged(self) -> Ddeal:
        return self._average.network if self._average is not None else self.network

    def _export(self, scores: dict[str, float]) -> None:
        network = self._averaged
        provenance = {
            "recipe": self.recipe.to_dict(),
            "data": list(self.data.description),
            "steps": self._step,
            "torch": torch.__version__,
            **scores,
        }
        checkpoint = Checkpoint(network.config, network.state_dict(), provenance)
        save_checkpoint(checkpoint, self.folder / "weights.safetensors", half=True)
        mean = sum(scores.values()) / len(scores) if scores else -math.inf
        if mean >= self._best:
            self._best = mean
            save_checkpoint(checkpoint, self.folder / "best.safetensors", half=True)

    def _save(self, seconds: float) -> None:
        state: dict[str, Any] = {
            "recipe": self.recipe.to_dict(),
            "step": self._step,
            "seconds": seconds,
            "best": self._best,
            "pretrained": self._pretrained,
            "network": self.network.state_dict(),
            "optimiser": self._optimiser.state_dict(),
        }
        if self._average is not None:
            state["average"] = self._average.network.state_dict()
        save_run(state, self.folder / "checkpoint.pt")

    def _restore(self, state: dict[str, Any]) -> None:
        try:
            self.network.load_state_dict(state["network"])
            self._optimiser.load_state_dict(state["optimiser"])
            if self._average is not None:
                self._average.network.load_state_dict(state["average"])
            self._step, self._best = int(state["step"]), float(state["best"])
        except (KeyError, RuntimeError, TypeError, ValueError) as error:
            reason = str(error).splitlines()[0]
            raise InputError(f"the run in {self.folder} is of another network: {reason}") from None

    def _let_learn(self, stage: Stage) -> None:
        """Put the network in order for a step; what does not learn keeps its statistics too."""
        network = self.network.train()
        if self._pretrained:
            network.backbone.eval()
        for name, module in network.named_children() if stage.learns else ():
            if name not in stage.learns:
                module.eval()
        learning = (stage.learns, stage.backbone_stages)
        if self._learning == learning:
            return
        self._learning = learning
        for name, module in network.named_children():
            module.requires_grad_(not stage.learns or name in stage.learns)
        if self._pretrained and (not stage.learns or "backbone" in stage.learns):
            network.backbone.train_last_stages(stage.backbone_stages)
        self._module = self._wrap()

    def _wrap(self) -> nn.Module:
        """Loss over clips; with several processes they exchange the gradients of what learns."""
        backbone = self.network.backbone
        learns = backbone.training or any(p.requires_grad for p in backbone.parameters())
        frozen = None if learns else fold_backbone(backbone)
        clip_pass = ClipPass(self.network, self.recipe.loss, frozen=frozen)
        return DistributedDataParallel(clip_pass) if self._world.size > 1 else clip_pass

    def _without_exchange(self) -> Any:
        module = self._module
        return module.no_sync() if isinstance(module, DistributedDataParallel) else nullcontext()

    def _batches(self, index: int, steps: range) -> Iterator[ClipBatch]:
        stage = self.recipe.stages[index]
        seed = self.recipe.seed * 1000 + index
        synthetic = real = None
        if self.data.sources is not None:
            synthetic = SyntheticClips(
                self.data.synthetic,
                self.data.sources,
                size=stage.size,
                frames=stage.frames,
                seed=seed,
            )
        if self.data.sequences:
            real = RealClips(
                self.data.sequences,
                size=stage.size,
                frames=stage.frames,
                seed=seed,
                max_gap=stage.max_gap,
            )
        share = stage.clips // self._world.size
        rank = self._world.rank
        return batches(
            Mixture(synthetic, real, stage.real_share, seed),
            steps=steps,
            clips=stage.clips,
            part=slice(rank * share, (rank + 1) * share),
            objects=stage.objects,
            seed=seed,
            workers=self._workers,
        )

    def _check_batches(self) -> None:
        for stage in self.recipe.stages:
            if stage.clips % (stage.clips_per_pass * self._world.size):
                raise InputError(
                    f"{stage.clips} clips a step cannot be shared by {self._world.size} processes "
                    f"in passes of {stage.clips_per_pass}"
                )

    def _make_optimiser(self) -> torch.optim.Optimizer:
        adamw = self.recipe.optimiser == "adamw"
        # Decoupled decay is for the convolutions; the paper's L2 is for everything.
        groups = [
            {"params": params, "decays": decays, "backbone": backbone}
            for backbone in (False, True)
            for decays in (True, False)
            if (
                params := [
                    p
                    for name, p in self.network.named_parameters()
                    if name.startswith("backbone.") == backbone
                    and (p.ndim > 1 or not adamw) == decays
                ]
            )
        ]
        kind = torch.optim.AdamW if adamw else torch.optim.Adam
        return kind(groups, lr=self.recipe.stages[0].learning_rate)


def _check_learning(recipe: Recipe, network: Ddeal) -> None:
    modules = [name for name, _ in network.named_children()]
    for stage in recipe.stages:
        unknown = set(stage.learns) - set(modules)
        if unknown:
            raise ConfigError(
                f"the network has no module {', '.join(sorted(unknown))} that stage {stage.name} "
                f"could let learn: choose from {', '.join(modules)}"
            )
