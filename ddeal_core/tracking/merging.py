"""Merging of objects: from one answer an object to one label a pixel."""

import torch
from torch import Tensor

__all__ = ["merge", "to_labels"]

_EPS = 1e-7


def merge(probabilities: Tensor) -> Tensor:
    """Soft aggregation: odds of each object and of the background, normalised over all.

    The background's probability is the minimum over the objects of p(not object), as in the
    released code (RGMP's soft aggregation takes their product instead).

    Args:
        probabilities: p(object) of each object on its own, ``[G, K, H, W]``.

    Returns:
        ``[G, 1 + K, H, W]``, background first; they sum to 1.
    """
    background = (1 - probabilities).amin(dim=1, keepdim=True)
    each = torch.cat([background, probabilities], dim=1)
    odds = each.clamp(_EPS, 1 - _EPS) / (1 - each).clamp(_EPS, 1 - _EPS)
    return odds / odds.sum(dim=1, keepdim=True)


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
