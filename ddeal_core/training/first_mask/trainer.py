"""Training of the network that makes first masks from hints.

Every crop is looked at once, by the backbone; then somebody who knows the true mask gives a box,
clicks or strokes, sees what comes of it, and corrects it, round by round. Each round is a step of
the decoder; the backbone learns from all rounds of a crop at once, with the last of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from ddeal_core.datasets.object_crops import ObjectCrops
from ddeal_core.errors import InputError
from ddeal_core.inference.folding import fold_backbone
from ddeal_core.interaction.network import FirstMaskNetwork, PictureFeatures
from ddeal_core.interaction.weights import load_first_mask, save_first_mask
from ddeal_core.training.averaging import MovingAverage
from ddeal_core.training.clip_pass import ClipBatch
from ddeal_core.training.data import TrainingData, batches
from ddeal_core.training.distributed import World
from ddeal_core.training.first_mask.recipe import FirstMaskRecipe
from ddeal_core.training.first_mask.user import HintingUser
from ddeal_core.training.run import TrainingRun


class FirstMaskTrainer(TrainingRun[FirstMaskRecipe, FirstMaskNetwork]):
    """A `TrainingRun` of the network for first masks.

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

    _average: MovingAverage[FirstMaskNetwork]

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
        if recipe.crops % world.size:
            raise InputError(
                f"{recipe.crops} crops a step cannot be shared by {world.size} processes"
            )
        self._workers, self._report_every = workers, recipe.checkpoint_every
        stills = data.sources.stills if data.sources is not None else ()
        size = (recipe.size, recipe.size)
        self._crops = ObjectCrops(
            stills, data.sequences, size=size, seed=recipe.seed, real_share=recipe.real_share
        )
        super().__init__(recipe, data, folder, world, resume=resume)
        self.network = FirstMaskNetwork() if initial is None else load_first_mask(initial)
        if imagenet is not None:
            self.network.backbone.load_imagenet(imagenet)
        self.network.to(world.device)
        self._average = MovingAverage(self.network, recipe.ema)
        backbone = self.network.backbone.eval()
        backbone.train_last_stages(recipe.backbone_stages)
        self._optimiser = self._make_optimiser()
        self._take_up()
        # What is frozen is folded as restored.
        self._encoder: nn.Module = _Encoder(
            self.network, fold_backbone(backbone, learning=recipe.backbone_stages)
        )
        self._decoder: nn.Module = _Decoder(self.network)
        if world.size > 1:  # they exchange the gradients of what learns
            self._decoder = DistributedDataParallel(self._decoder)
            if recipe.backbone_stages:
                self._encoder = DistributedDataParallel(self._encoder)

    def _batches(self) -> Iterator[ClipBatch]:
        return batches(
            self._crops,
            steps=range(self.step, self.recipe.steps),
            clips=self.recipe.crops,
            part=self._world.share(self.recipe.crops),
            objects=1,
            seed=self.recipe.seed,
            workers=self._workers,
        )

    def _train_step(self, batch: ClipBatch) -> dict[str, Any]:
        recipe, device = self.recipe, self._world.device
        images, masks, valid = batch.images[0], batch.masks[0], batch.valid[0]
        users = [
            HintingUser(truth, known, np.random.default_rng([recipe.seed, self.step, place]))
            for place, (truth, known) in enumerate(
                zip(masks[:, 0].numpy() > 0, valid[:, 0].numpy() > 0, strict=True),
                start=self._world.rank * len(masks),
            )
        ]
        self.network.train().backbone.eval()
        seen = self._encoder(images.to(device).float() / 255)
        features = PictureFeatures(*(x.detach().requires_grad_(x.requires_grad) for x in seen))
        target = F.avg_pool2d(masks.to(device).float(), 2)
        known = F.avg_pool2d(valid.to(device).float(), 2)
        rate = recipe.rate(self.step)
        for group in self._optimiser.param_groups:
            group["lr"] = rate * (recipe.backbone_rate if group["backbone"] else 1.0)
        losses = []
        for turn in range(recipe.rounds):
            hints = torch.from_numpy(np.stack([user.maps() for user in users])).to(device)
            fine, coarse = self._decoder(features, hints)
            loss = _loss(fine, coarse, target, known)
            self._optimiser.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(self._decoder.parameters(), recipe.clip_gradient)
            if turn == recipe.rounds - 1:
                self._learn_features(seen, features)
            self._optimiser.step()
            self._average.update(self.network, self.step * recipe.rounds + turn)
            losses.append(float(loss.detach()))
            probability = F.interpolate(fine.detach(), scale_factor=2, mode="bilinear").sigmoid()
            for user, map_ in zip(users, probability[:, 0].cpu().numpy(), strict=True):
                user.see(map_)
        jaccard = float(np.mean([user.jaccard for user in users]))
        return {
            "stage": recipe.name,
            "learning_rate": rate,
            "loss": self._world.mean(sum(losses) / len(losses)),
            "jaccard": self._world.mean(jaccard),
        }

    def _learn_features(self, seen: PictureFeatures, features: PictureFeatures) -> None:
        """Hand what the decoder's rounds asked of the features on to the backbone."""
        asked = [(x, leaf) for x, leaf in zip(seen, features, strict=True) if x.requires_grad]
        if asked:
            torch.autograd.backward([x for x, _ in asked], [leaf.grad for _, leaf in asked])
            backbone = self.network.backbone.parameters()
            nn.utils.clip_grad_norm_(backbone, self.recipe.clip_gradient)

    def _make_optimiser(self) -> torch.optim.Optimizer:
        recipe = self.recipe
        groups = [
            {
                "params": params,
                "backbone": backbone,
                "weight_decay": recipe.weight_decay if decays else 0.0,
            }
            for backbone in (False, True)
            for decays in (True, False)
            if (
                params := [
                    p
                    for name, p in self.network.named_parameters()
                    if p.requires_grad
                    and name.startswith("backbone.") == backbone
                    and (p.ndim > 1) == decays
                ]
            )
        ]
        return torch.optim.AdamW(groups, lr=recipe.learning_rate)

    def _export(self, scores: dict[str, float]) -> None:
        state = self._average.network.state_dict()
        save_first_mask(state, self._provenance(scores), self.folder / "weights.safetensors")


class _Encoder(nn.Module):
    """The backbone's part of the network, as one call."""

    def __init__(self, network: FirstMaskNetwork, backbone: Any) -> None:
        super().__init__()
        self._network, self._backbone = [network], backbone  # in a list: its decoder is not ours

    def forward(self, images: Tensor) -> PictureFeatures:
        return self._network[0].encode(images, self._backbone)


class _Decoder(nn.Module):
    """The decoder's part of the network, as one call."""

    def __init__(self, network: FirstMaskNetwork) -> None:
        super().__init__()
        self._network = [network]
        self._learning = nn.ParameterList(
            p for name, p in network.named_parameters() if not name.startswith("backbone.")
        )

    def forward(self, features: PictureFeatures, hints: Tensor) -> tuple[Tensor, Tensor]:
        return self._network[0].decode(features, hints)


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
