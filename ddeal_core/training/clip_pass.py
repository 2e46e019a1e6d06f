"""One pass of the network over a batch of clips: the recurrence, unrolled."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ddeal_core.inference.network import for_inference
from ddeal_core.network.backbone import Backbone
from ddeal_core.network.config import Ablation
from ddeal_core.network.ddeal import Ddeal
from ddeal_core.network.state import FrameEncoding, ObjectState
from ddeal_core.tracking.merging import soft_aggregation
from ddeal_core.training.losses import clip_loss
from ddeal_core.training.recipe import LossWeights, Recurrence

_REMEMBERED = 0.5
"""Probability that a frame enters the memory."""
_PROPAGATION_ALONE = Ablation(matching=False, base=False, supplementary=False)


@dataclass(frozen=True, slots=True)
class ClipBatch:
    """B clips of T frames, with K of their objects."""

    images: Tensor  # ``[T, B, 3, H, W]`` uint8 RGB
    masks: Tensor  # ``[T, B, K, H, W]`` uint8, 1 on the object
    valid: Tensor  # ``[T, B, 1, H, W]`` uint8, 1 where the masks are known

    def to(self, device: torch.device) -> "ClipBatch":
        """On another device."""
        parts = (self.images, self.masks, self.valid)
        return ClipBatch(*(part.to(device, non_blocking=True) for part in parts))

    def clips(self, part: slice) -> "ClipBatch":
        """Some of the clips."""
        return ClipBatch(self.images[:, part], self.masks[:, part], self.valid[:, part])


@contextmanager
def _without_gradient() -> Iterator[None]:
    """No gradient, and no trace of that afterwards.

    Autocast keeps the weights that it has cast; cast without a gradient, they would be of no use
    to the frames that teach, silently.
    """
    cached = torch.is_autocast_cache_enabled()
    torch.set_autocast_cache_enabled(False)
    try:
        with torch.no_grad():
            yield
    finally:
        torch.set_autocast_cache_enabled(cached)


class ClipPass(nn.Module):
    """Network and loss over whole clips, the unit that data-parallel training wraps.

    Args:
        network: To be trained.
        weights: Of the loss.
        backbone: The network's own, or the same with the stages folded that do not learn.
    """

    def __init__(
        self, network: Ddeal, weights: LossWeights, *, backbone: Backbone | None = None
    ) -> None:
        super().__init__()
        self.network = network
        self.weights = weights
        # Not a submodule: what learns of it is the network's.
        self._backbone = (backbone or network.backbone).forward

    def forward(
        self, batch: ClipBatch, recurrence: Recurrence, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Unroll.

        Args:
            batch: Clips; the masks of their first frames are given to the network.
            recurrence: How the last mask is handed on.
            generator: On the CPU; decides what is replaced and corrupted.

        Returns:
            Loss and mean J, scalars, over the frames that teach.
        """
        frames = len(batch.images)
        teaching = range(1 + recurrence.burn_in, frames)
        network, weights = self.network, self.weights
        encodings = self._encode(batch.images[[0, *teaching]])
        masks, valid = batch.masks.float(), batch.valid.float()
        state = network.start(encodings[0], masks[0])
        ablation = _drawn_ablation(recurrence.cue_dropout, generator)
        state = self._burn_in(batch, state, recurrence.burn_in, ablation, generator)
        losses, jaccards = [], []
        for t, encoding in zip(teaching, encodings[1:], strict=True):
            prediction = network.segment(encoding, state, ablation=ablation)
            alone = None
            if weights.propagation:
                shown = prediction.cues.shown(_PROPAGATION_ALONE)
                alone = network.predict_coarse(shown, prediction.propagation)
            losses.append(clip_loss(prediction, masks[t], valid[t], weights, propagated=alone))
            merged = soft_aggregation(prediction.log_odds)[:, 1:]
            jaccards.append(_jaccard(merged.detach(), masks[t], valid[t]))
            if t + 1 < frames:
                known = valid[t].amin(dim=(1, 2, 3)).bool()
                handed_on = _hand_on(merged, masks[t], known, recurrence, generator)
                remember = _chance(_REMEMBERED, generator)
                state = network.update(encoding, state, prediction, handed_on, remember=remember)
        return torch.stack(losses).mean(), torch.stack(jaccards).mean()

    def _encode(self, images: Tensor) -> list[FrameEncoding]:
        """One pass of the backbone over all frames; frame t of all clips is one slice."""
        frames, clips = images.shape[:2]
        pixels = images.flatten(0, 1).float() / 255
        features = self.network.extract(pixels, self._backbone)
        everything = self.network.describe(features)
        return [everything.frames(slice(t * clips, (t + 1) * clips)) for t in range(frames)]

    @_without_gradient()
    def _burn_in(
        self,
        batch: ClipBatch,
        state: ObjectState,
        frames: int,
        ablation: Ablation | None,
        generator: torch.Generator,
    ) -> ObjectState:
        """Let the state follow the first frames, mistakes and all, as it does in use."""
        network = self._quick_network() if frames else self.network
        for t in range(1, 1 + frames):
            encoding = network.encode(batch.images[t].float() / 255)
            prediction = network.segment(encoding, state, ablation=ablation)
            merged = soft_aggregation(prediction.log_odds)[:, 1:]
            remember = _chance(_REMEMBERED, generator)
            state = network.update(encoding, state, prediction, merged, remember=remember)
        return state

    def _quick_network(self) -> Ddeal:
        """The network of this step made for inference, where its batch norms allow that."""
        if self.network.backbone.training:
            return self.network
        device = self.network.device.type
        autocast = torch.is_autocast_enabled(device)
        precision = torch.get_autocast_dtype(device) if autocast else torch.float32
        return for_inference(self.network, precision=precision)


def _chance(probability: float, generator: torch.Generator) -> bool:
    return float(torch.rand((), generator=generator)) < probability


def _drawn_ablation(probability: float, generator: torch.Generator) -> Ablation | None:
    if not _chance(probability, generator):
        return None
    line = int(torch.randint(2, 7, (), generator=generator))
    if line > 5:
        return _PROPAGATION_ALONE
    return Ablation.table_v(line)


def _jaccard(probability: Tensor, target: Tensor, valid: Tensor) -> Tensor:
    mask = (probability > 0.5).float() * valid
    target = target * valid
    shared = (mask * target).sum((2, 3))
    union = (mask + target).clamp_max(1).sum((2, 3))
    return torch.where(union > 0, shared / union.clamp_min(1), 1.0).mean()


def _hand_on(
    merged: Tensor,
    target: Tensor,
    known: Tensor,
    recurrence: Recurrence,
    generator: torch.Generator,
) -> Tensor:
    """Mask for the next frame: predicted or true, as it is or corrupted."""
    clips = len(merged)
    device = merged.device
    drawn = torch.rand(2, clips, generator=generator).to(device)
    true = (drawn[0] < recurrence.truth) & known  # a frame without truth keeps its prediction
    mask = torch.where(true.view(-1, 1, 1, 1), target, merged)
    if recurrence.corruption:
        corrupted = _corrupt(mask, generator)
        mask = torch.where((drawn[1] < recurrence.corruption).view(-1, 1, 1, 1), corrupted, mask)
    return mask


def _corrupt(mask: Tensor, generator: torch.Generator) -> Tensor:
    """Move, scale and smear: what a mask looks like after a bad frame."""
    clips, _, height, width = mask.shape
    draw = torch.randn(clips, 4, generator=generator)
    noise = torch.randn(clips, 1, max(2, height // 32), max(2, width // 32), generator=generator)
    shift, scale = 0.06 * draw[:, :2], (0.12 * draw[:, 2:]).exp()
    affine = torch.zeros(clips, 2, 3)
    affine[:, 0, 0], affine[:, 1, 1] = scale[:, 0], scale[:, 1]
    affine[:, :, 2] = shift
    grid = F.affine_grid(affine, [clips, 1, height, width], align_corners=False)
    moved = F.grid_sample(mask, grid.to(mask.device, mask.dtype), align_corners=False)
    noise = F.interpolate(noise.to(mask.device), (height, width), mode="bilinear")
    # Noise on the log-odds: most of the object stays, parts of it and near it change sides.
    return (moved.clamp(0.02, 0.98).logit() + 1.5 * noise).sigmoid()
