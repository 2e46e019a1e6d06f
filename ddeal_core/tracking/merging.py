"""Merging of objects: from one answer an object to one label a pixel."""

import math

import torch
from torch import Tensor

__all__ = ["impose", "merge", "to_labels"]

_EPS = 1e-7  # Probabilities are clamped to [_EPS, 1 - _EPS], as in the released code.
_LIMIT = math.log((1 - _EPS) / _EPS)


def merge(log_odds: Tensor) -> Tensor:
    """Soft aggregation: odds of each object and of the background, normalised over all.

    The background's probability is the minimum over the objects of p(not object), as in the
    released code (RGMP's soft aggregation takes their product instead). In logarithms that is a
    softmax: a float32 probability near 1 has no digits left to tell its odds from.

    Args:
        log_odds: log p(object) / p(not object) of each object on its own, ``[G, K, H, W]``.

    Returns:
        ``[G, 1 + K, H, W]``, background first; they sum to 1.
    """
    background = -log_odds.amax(dim=1, keepdim=True)
    return torch.cat([background, log_odds], dim=1).clamp(-_LIMIT, _LIMIT).softmax(dim=1)


def to_labels(merged: Tensor) -> Tensor:
    """Most probable class, ``[G, H, W]`` uint8: 0 for the background, k for the k-th object.

    The first one where two are equal. Map by map: torch's argmax over the outer dimension of a
    large map takes ten times as long on a CPU.
    """
    best = merged[:, 0]
    labels = torch.zeros_like(best, dtype=torch.uint8)
    for k in range(1, merged.shape[1]):
        labels.masked_fill_(merged[:, k] > best, k)
        best = torch.maximum(best, merged[:, k])
    return labels


def impose(merged: Tensor, masks: Tensor) -> Tensor:
    """Let given masks, the last objects of ``merged``, overrule what was predicted.

    Args:
        merged: ``[1, 1 + K, H, W]``, background first.
        masks: ``[1, G, H, W]`` of the last G objects, 0 to 1.

    Returns:
        ``[1, 1 + K, H, W]``. What was predicted for the given objects outside their masks falls to
        the background.
    """
    count = masks.shape[1]
    free = 1 - masks.sum(dim=1, keepdim=True)
    kept = merged[:, :-count]
    total = kept.sum(dim=1, keepdim=True)
    background = torch.zeros_like(kept)
    background[:, :1] = 1 - total
    return torch.cat([(kept + background) * free, masks], dim=1)
