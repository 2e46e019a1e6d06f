"""What training minimises."""

import torch
import torch.nn.functional as F
from torch import Tensor

from ddeal_core.network.cues import Cues
from ddeal_core.network.state import Prediction
from ddeal_core.training.recipe import LossWeights

# Cosines span [-1, 1]: too narrow to be logits. The value is that of the dense matching at start.
_COSINE_SCALE = 10.0
_OUTLINE = 4  # pixels


def clip_loss(
    prediction: Prediction,
    target: Tensor,
    valid: Tensor,
    weights: LossWeights,
    *,
    propagated: Tensor | None = None,
) -> Tensor:
    """Loss of one frame of G clips with K objects.

    Args:
        prediction: What the network says.
        target: 1 on the object, 0 elsewhere, ``[G, K, H, W]`` float.
        valid: 1 where the target is known, ``[G, 1, H, W]`` float.
        weights: Of the summands.
        propagated: Coarse logits from mask propagation alone, ``[G, K, 2, H/16, W/16]``, if they
            have a weight.

    Returns:
        A scalar.
    """
    fine = _log_odds(prediction.fine)
    valid = valid.expand_as(target)
    not_outside, not_inside = (
        F.max_pool2d(x * valid, 2 * _OUTLINE + 1, stride=1, padding=_OUTLINE)
        for x in (target, 1 - target)
    )
    # Only inside: on the outline they would make every object a little too large.
    emphasis = 1 + (weights.object_pixels - 1) * (1 - not_inside)

    def cross_entropy(log_odds: Tensor, emphasis: Tensor, known: Tensor) -> Tensor:
        pixels = F.binary_cross_entropy_with_logits(log_odds, target, reduction="none")
        return (pixels * emphasis * known).sum() / known.sum().clamp_min(1)

    def coarse_cross_entropy(coarse: Tensor) -> Tensor:  # at full size, as in the released code
        size = target.shape[-2:]
        log_odds = F.interpolate(_log_odds(coarse), size, mode="bilinear")
        return cross_entropy(log_odds, emphasis, valid)

    loss = weights.fine * cross_entropy(fine, emphasis, valid)
    if weights.outline:
        outline = not_outside * not_inside * valid
        loss = loss + weights.outline * cross_entropy(fine, outline, outline)
    if weights.coarse:
        loss = loss + weights.coarse * coarse_cross_entropy(prediction.coarse)
    if weights.propagation and propagated is not None:
        loss = loss + weights.propagation * coarse_cross_entropy(propagated)
    if weights.dice:
        loss = loss + weights.dice * _dice(fine.sigmoid() * valid, target * valid)
    if weights.cues:
        loss = loss + weights.cues * _cue_loss(prediction.cues, target, valid)
    return loss


def _log_odds(logits: Tensor) -> Tensor:
    """Softmax over (background, object) is a sigmoid of their difference: ``[G, K, ...]``."""
    return logits[:, :, 1] - logits[:, :, 0]


def _dice(probability: Tensor, target: Tensor) -> Tensor:
    dims = (2, 3)
    shared = (probability * target).sum(dims)
    total = probability.sum(dims) + target.sum(dims)
    return (1 - (2 * shared + 1) / (total + 1)).mean()


def _cue_loss(found: Cues, target: Tensor, valid: Tensor) -> Tensor:
    cues = [
        _log_odds(found.matching) * _COSINE_SCALE,
        _log_odds(found.appearance[:, :, :2]),
        _log_odds(found.appearance[:, :, 2:]),
    ]
    if found.dense is not None:
        cues += [_log_odds(pair) for pair in torch.split(found.dense, 2, dim=2)]
    losses = []
    for cue in cues:
        stride = target.shape[-1] // cue.shape[-1]
        known = F.avg_pool2d(valid, stride)
        share = F.avg_pool2d(target * valid, stride) / known.clamp_min(1e-6)
        pixels = F.binary_cross_entropy_with_logits(cue, share, reduction="none") * known
        losses.append(pixels.sum() / known.sum().clamp_min(1e-6))
    return torch.stack(losses).mean()
