"""Merging of objects: from one answer an object to one label a pixel."""

import math
from collections.abc import Iterable

import torch
from torch import Tensor

_EPS = 1e-7  # Probabilities are clamped to [_EPS, 1 - _EPS], as in the released code.
_LIMIT = math.log((1 - _EPS) / _EPS)


def soft_aggregation(log_odds: Tensor) -> Tensor:
    """Normalise the odds of each object and of the background over all of them.

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

    Where two are equal, the first one.
    """
    best = merged[:, 0].clone()
    labels = torch.zeros_like(best, dtype=torch.uint8)
    update_argmax(labels, best, merged[:, 1:].unbind(1), first=1)
    return labels


def update_argmax(labels: Tensor, best: Tensor, maps: Iterable[Tensor], *, first: int) -> None:
    """Let further classes compete for each pixel.

    Map by map: torch's argmax over the outer dimension of a large map takes ten times as long on
    a CPU.

    Args:
        labels: Most probable class so far, uint8; changed in place.
        best: Its probability; changed in place.
        maps: Probabilities of the next classes, of the same shape.
        first: Number of the first of them.
    """
    for k, probability in enumerate(maps, start=first):
        labels.masked_fill_(probability > best, k)
        torch.maximum(best, probability, out=best)
