"""The training of the network that follows objects."""

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from ddeal_core.datasets.real import RealClips, RealConfig
from ddeal_core.datasets.synthetic import SyntheticClips
from ddeal_core.errors import InputError, WeightsError
from ddeal_core.inference.folding import fold_backbone
from ddeal_core.network.config import NetworkConfig
from ddeal_core.network.ddeal import Ddeal
from ddeal_core.training.averaging import MovingAverage
from ddeal_core.training.clip_pass import ClipBatch, ClipPass
from ddeal_core.training.data import Mixture, TrainingData, batches
from ddeal_core.training.distributed import World
from ddeal_core.training.recipe import Recipe, Stage
from ddeal_core.training.run import TrainingRun
from ddeal_core.training.validation import HeldOut, validate
from ddeal_core.weights.files import Checkpoint, load_checkpoint, save_checkpoint


class Trainer(TrainingRun[Recipe, Ddeal]):
    """A `TrainingRun` stage by stage.

    ``weights.safetensors`` are the averaged weights of the last validation and
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
        for stage in recipe.stages:
            if stage.clips % (stage.clips_per_pass * world.size):
                raise InputError(
                    f"{stage.clips} clips a step cannot be shared by {world.size} processes "
                    f"in passes of {stage.clips_per_pass}"
                )
        self._workers, self._report_every = workers, recipe.validate_every
        self._held_out = tuple(
            HeldOut.of(sequence, max_frames=validation_frames) for sequence in data.held_out
        )
        super().__init__(recipe, data, folder, world, resume=resume)
        network = _begun_network(recipe.preset, initial, imagenet)
        begun = imagenet is not None or initial is not None or self._stored is not None
        if recipe.imagenet and not begun and not from_scratch:
            raise InputError(
                f"the recipe {recipe.name} begins with a backbone that has seen ImageNet: give its "
                "weights, or other weights to begin from, or say that it begins from scratch"
            )
        self._pretrained = imagenet is not None or (recipe.imagenet and not from_scratch)
        if self._stored is not None:  # a run goes on as it began, whatever is named now
            self._pretrained = bool(self._stored.get("pretrained", self._pretrained))
        self.network = network.to(world.device)
        self._average = MovingAverage(self.network, recipe.ema) if recipe.ema else None
        self._optimiser = self._make_optimiser()
        self._dtype = _autocast_dtype(recipe.precision, world.device)
        self._take_up()
        self._learning: int | None = None
        self._let_learn(recipe.stages[0])  # a frozen backbone is folded as restored

    def _batches(self) -> Iterator[ClipBatch]:
        while self.step < self.recipe.steps:
            index, first = self.recipe.locate(self.step)
            stage = self.recipe.stages[index]
            seed = self.recipe.seed * 1000 + index
            shape: dict[str, Any] = {"size": stage.size, "frames": stage.frames, "seed": seed}
            synthetic = real = None
            if self.data.sources is not None:
                synthetic = SyntheticClips(self.data.synthetic, self.data.sources, **shape)
            if self.data.sequences:
                config = RealConfig(zoom=stage.zoom)
                real = RealClips(self.data.sequences, max_gap=stage.max_gap, config=config, **shape)
            yield from batches(
                Mixture(synthetic, real, stage.real_share, seed),
                steps=range(first, stage.steps),
                clips=stage.clips,
                part=self._world.share(stage.clips),
                objects=stage.objects,
                seed=seed,
                workers=self._workers,
            )

    def _train_step(self, batch: ClipBatch) -> dict[str, Any]:
        index, step = self.recipe.locate(self.step)
        stage = self.recipe.stages[index]
        rate = stage.rate(step)
        for group in self._optimiser.param_groups:
            group["lr"] = rate * (stage.backbone_rate if group["backbone"] else 1.0)
            group["weight_decay"] = stage.weight_decay if group["decays"] else 0.0
        self._let_learn(stage)
        module, device = self._module, self._world.device
        passes = batch.images.shape[1] // stage.clips_per_pass
        loss_sum = jaccard_sum = 0.0
        self._optimiser.zero_grad(set_to_none=True)
        for number in range(passes):
            part = slice(number * stage.clips_per_pass, (number + 1) * stage.clips_per_pass)
            # Chance depends on step and place alone, so that resuming needs no random state.
            place = self._world.rank * passes + number
            chance = np.random.SeedSequence([self.recipe.seed, self.step, place])
            generator = torch.Generator().manual_seed(int(chance.generate_state(1)[0]))
            exchange: Any = nullcontext
            if isinstance(module, DistributedDataParallel) and number + 1 < passes:
                exchange = module.no_sync  # processes exchange their gradients once a step
            with exchange():
                with torch.autocast(device.type, self._dtype, enabled=self._dtype != torch.float32):
                    clips = batch.clips(part).to(device)
                    loss, jaccard = module(clips, stage.recurrence(step), generator)
                (loss / passes).backward()
            loss_sum += float(loss.detach())
            jaccard_sum += float(jaccard)
        if self.recipe.clip_gradient:
            nn.utils.clip_grad_norm_(self.network.parameters(), self.recipe.clip_gradient)
        self._optimiser.step()
        if self._average is not None:
            self._average.update(self.network, self.step)
        return {
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
        checkpoint = Checkpoint(network.config, network.state_dict(), self._provenance(scores))
        save_checkpoint(checkpoint, self.folder / "weights.safetensors", half=True)
        mean = sum(scores.values()) / len(scores) if scores else float("-inf")
        if mean >= self._best:
            self._best = mean
            save_checkpoint(checkpoint, self.folder / "best.safetensors", half=True)

    def _state(self) -> dict[str, Any]:
        return {**super()._state(), "pretrained": self._pretrained}

    def _let_learn(self, stage: Stage) -> None:
        """Put the network in order for a step; a backbone from ImageNet keeps its statistics."""
        backbone = self.network.train().backbone
        if self._pretrained:
            backbone.eval()
        if self._learning == stage.backbone_stages:
            return
        self._learning = stage.backbone_stages
        if self._pretrained:
            backbone.train_last_stages(stage.backbone_stages)
            backbone = fold_backbone(backbone, learning=stage.backbone_stages)
        self._module: nn.Module = ClipPass(self.network, self.recipe.loss, backbone=backbone)
        if self._world.size > 1:  # they exchange the gradients of what learns
            self._module = DistributedDataParallel(self._module)

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


def _begun_network(preset: str, initial: Path | None, imagenet: dict[str, Tensor] | None) -> Ddeal:
    network = Ddeal(NetworkConfig.from_preset(preset))
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
        except RuntimeError as error:
            theirs, ours = checkpoint.config, network.config
            names = (field.name for field in fields(ours) if field.name != "tracker")
            differ = [
                f"{name} {getattr(theirs, name)}, not {getattr(ours, name)}"
                for name in names
                if getattr(theirs, name) != getattr(ours, name)
            ]
            reason = "; ".join(differ) or " ".join(str(error).split())
            raise WeightsError(
                f"{initial} holds another network than the recipe trains ({reason})"
            ) from None
    return network


def _autocast_dtype(wanted: str, device: torch.device) -> torch.dtype:
    """Type for `torch.autocast`; "auto" takes bfloat16 where the processor has it."""
    if wanted == "bfloat16" or (wanted == "auto" and device.type == "cuda"):
        return torch.bfloat16
    if wanted == "auto" and device.type == "cpu":
        try:
            information = Path("/proc/cpuinfo").read_text()
        except OSError:
            return torch.float32
        flags = (line for line in information.splitlines() if line.startswith("flags"))
        return torch.bfloat16 if "bf16" in next(flags, "") else torch.float32
    return torch.float32
