"""Training of the network that makes first masks from hints.

Every crop is looked at once, by the frozen backbone; then somebody who knows the true mask gives a
box, clicks or strokes, sees what comes of it, and corrects it, round by round. Each round is a step
of the optimiser.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from ddeal_core.datasets.object_crops import ObjectCrops
from ddeal_core.errors import InputError, OutputError
from ddeal_core.inference.folding import fold_backbone
from ddeal_core.interaction.network import FirstMaskNetwork, PictureFeatures
from ddeal_core.training.checkpoint import load_run, save_run
from ddeal_core.training.data import TrainingData, batches
from ddeal_core.training.distributed import World
from ddeal_core.training.first_mask.recipe import FirstMaskRecipe
from ddeal_core.training.first_mask.user import HintingUser
from ddeal_core.training.log import LogRow, TrainingLog
from ddeal_core.weights.first_mask import load_first_mask, save_first_mask
from ddeal_core.whole_files import remove_leftovers

__all__ = ["FirstMaskTrainer"]


class FirstMaskTrainer:
    """One training run in one folder.

    ``checkpoint.pt`` holds all that is needed to go on; ``log.csv`` and ``log.png`` the curves;
    ``weights.safetensors`` the averaged weights.

    Args:
        recipe: How to train.
        data: Stills and sequences; nothing else of it is used.
        folder: Of the run; made if it is missing.
        world: This process among those that train together.
        resume: Go on from the checkpoint in the folder if there is one.
        initial: Weights to begin from, as `save_first_mask` writes them.
        imagenet: State dict of a published EfficientNet-Lite0, unless there are other weights.
        workers: Processes that make crops.

    Raises:
        InputError: The folder holds another run, or the crops of a step cannot be shared out.
        WeightsError: The weights to begin from cannot be read.
        DatasetError: There is nothing to learn from.
        OutputError: The folder cannot be made.
    """

    def __init__(
        self,
        recipe: FirstMaskRecipe,
        data: TrainingData,
        folder: Path,
        *,
        world: World,
        resume: bool = False,
        initial: Path | None = None,
        imagenet: dict[str, Tensor] | None = None,
        workers: int = 1,
    ) -> None:
        self.recipe, self.data, self.folder = recipe, data, folder
        self._world, self._device, self._workers = world, world.device, workers
        if recipe.crops % world.size:
            raise InputError(
                f"{recipe.crops} crops a step cannot be shared by {world.size} processes"
            )
        stills = data.sources.stills if data.sources is not None else ()
        size = (recipe.size, recipe.size)
        self._crops = ObjectCrops(
            stills, data.sequences, size=size, seed=recipe.seed, real_share=recipe.real_share
        )
        path = folder / "checkpoint.pt"
        if path.exists() and not resume:
            raise InputError(f"{folder} holds a run: go on with it (resume) or name another")
        torch.manual_seed(recipe.seed)
        self.network = FirstMaskNetwork() if initial is None else load_first_mask(initial)
        if imagenet is not None:
            self.network.backbone.load_imagenet(imagenet)
        self.network.to(self._device)
        self._average = {k: v.detach().clone() for k, v in self.network.state_dict().items()}
        learning = [p for n, p in self.network.named_parameters() if not _is_frozen(n)]
        groups: list[dict[str, Any]] = [
            {"params": [p for p in learning if p.ndim > 1]},
            {"params": [p for p in learning if p.ndim <= 1], "weight_decay": 0.0},
        ]
        self._optimiser = torch.optim.AdamW(
            groups,
            lr=recipe.learning_rate,
            weight_decay=recipe.weight_decay,
        )
        self.step = 0
        if path.exists():
            self._restore(load_run(path))
        self.network.backbone.requires_grad_(False)
        self._backbone: Any = fold_backbone(self.network.backbone.eval())
        decoder = _Decoder(self.network)
        self._decoder = DistributedDataParallel(decoder) if world.size > 1 else decoder
        if not world.leads:
            return
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"cannot make the run's folder {folder}: {error}") from None
        remove_leftovers(folder)

    def run(self, *, deadline: float | None = None) -> Iterator[LogRow]:
        """Train to the end of the recipe, yielding a row after each step.

        Args:
            deadline: By `time.monotonic`; the first step that ends after it is the last one, and
                the run can be gone on with.
        """
        log = TrainingLog(self.folder, step=self.step) if self._world.leads else None
        began = time.monotonic() - (log.seconds if log else 0.0)
        recipe = self.recipe
        share = recipe.crops // self._world.size
        found = batches(
            self._crops,
            steps=range(self.step, recipe.steps),
            clips=recipe.crops,
            part=slice(self._world.rank * share, (self._world.rank + 1) * share),
            objects=1,
            seed=recipe.seed,
            workers=self._workers,
        )
        try:
            waited = time.monotonic()
            for batch in found:
                started = time.monotonic()
                loss, jaccard = self._train_step(batch.images[0], batch.masks[0], batch.valid[0])
                now = time.monotonic()
                row = LogRow(
                    step=self.step,
                    stage=recipe.name,
                    seconds=round(now - began, 3),
                    learning_rate=recipe.rate(self.step),
                    loss=loss,
                    jaccard=jaccard,
                    data_share=(started - waited) / max(now - waited, 1e-9),
                )
                waited = now
                self.step += 1
                late = deadline is not None and self._world.any(now >= deadline)
                last = late or self.step == recipe.steps
                if log is not None:
                    log.append(row)
                    if last or self.step % recipe.checkpoint_every == 0:
                        log.flush()
                        self._save()
                        log.draw()
                yield row
                if last:
                    break
            self._world.wait()
        finally:
            if log is not None:
                log.close()

    def _train_step(self, images: Tensor, masks: Tensor, valid: Tensor) -> tuple[float, float]:
        recipe = self.recipe
        users = [
            HintingUser(truth, known, np.random.default_rng([recipe.seed, self.step, place]))
            for place, (truth, known) in enumerate(
                zip(masks[:, 0].numpy() > 0, valid[:, 0].numpy() > 0, strict=True),
                start=self._world.rank * len(masks),
            )
        ]
        self.network.train()
        self.network.backbone.eval()
        device = self._device
        with torch.no_grad():
            features = self.network.encode(images.to(device).float() / 255, self._backbone)
        target = F.avg_pool2d(masks.to(device).float(), 2)
        known = F.avg_pool2d(valid.to(device).float(), 2)
        for group in self._optimiser.param_groups:
            group["lr"] = recipe.rate(self.step)
        losses = []
        for turn in range(recipe.rounds):
            hints = torch.from_numpy(np.stack([user.maps() for user in users])).to(device)
            fine, coarse = self._decoder(features, hints)
            loss = _loss(fine, coarse, target, known)
            self._optimiser.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(self.network.parameters(), recipe.clip_gradient)
            self._optimiser.step()
            self._follow(self.step * recipe.rounds + turn)
            losses.append(float(loss.detach()))
            probability = F.interpolate(fine.detach(), scale_factor=2, mode="bilinear").sigmoid()
            for user, map_ in zip(users, probability[:, 0].cpu().numpy(), strict=True):
                user.see(map_)
        if not math.isfinite(sum(losses)):
            raise InputError(f"the loss is not finite at step {self.step}: lower the learning rate")
        jaccard = float(np.mean([user.jaccard for user in users]))
        return self._world.mean(sum(losses) / len(losses)), self._world.mean(jaccard)

    @torch.no_grad()
    def _follow(self, turn: int) -> None:
        decay = min(self.recipe.ema, (1 + turn) / (10 + turn))
        for name, value in self.network.state_dict().items():
            if _is_frozen(name):
                continue
            if value.is_floating_point():
                self._average[name].lerp_(value, 1 - decay)
            else:
                self._average[name].copy_(value)

    def _save(self) -> None:
        save_run(
            {
                "recipe": self.recipe.to_dict(),
                "step": self.step,
                "network": self.network.state_dict(),
                "average": self._average,
                "optimiser": self._optimiser.state_dict(),
            },
            self.folder / "checkpoint.pt",
        )
        provenance = {
            "recipe": self.recipe.to_dict(),
            "data": list(self.data.description),
            "steps": self.step,
            "torch": torch.__version__,
        }
        save_first_mask(self._average, provenance, self.folder / "weights.safetensors")

    def _restore(self, state: dict[str, Any]) -> None:
        try:
            self.network.load_state_dict(state["network"])
            self._optimiser.load_state_dict(state["optimiser"])
            self._average = state["average"]
            self.step = int(state["step"])
        except (KeyError, RuntimeError, TypeError, ValueError) as error:
            reason = str(error).splitlines()[0]
            raise InputError(f"the run in {self.folder} is of another network: {reason}") from None


class _Decoder(nn.Module):
    """What of the network learns, as one call."""

    def __init__(self, network: FirstMaskNetwork) -> None:
        super().__init__()
        self._network = network

    def forward(self, features: PictureFeatures, hints: Tensor) -> tuple[Tensor, Tensor]:
        return self._network.decode(features, hints)


def _is_frozen(name: str) -> bool:
    return name.startswith("backbone.")


def _loss(fine: Tensor, coarse: Tensor, target: Tensor, known: Tensor) -> Tensor:
    """Cross-entropy and one minus the soft J at stride 2; cross-entropy at stride 16."""
    pixels = F.binary_cross_entropy_with_logits(fine, target, reduction="none") * known
    entropy = pixels.sum() / known.sum().clamp_min(1)
    probability, mask = fine.sigmoid() * known, target * known
    shared = (probability * mask).sum((1, 2, 3))
    union = (probability + mask - probability * mask).sum((1, 2, 3))
    region = (1 - (shared + 1) / (union + 1)).mean()
    size = (coarse.shape[2], coarse.shape[3])
    share, seen = F.adaptive_avg_pool2d(mask, size), F.adaptive_avg_pool2d(known, size)
    rough = F.binary_cross_entropy_with_logits(
        coarse, share / seen.clamp_min(1e-6), reduction="none"
    )
    return entropy + region + 0.3 * (rough * seen).sum() / seen.sum().clamp_min(1)
