"""Global directional matching with the first frame: Eq. (1) to (8)."""

import torch
from torch import Tensor

__all__ = ["masked_maximum", "match"]

# Scores held at once. 1 MB of float32 stays in a core's cache (1.7 times faster than 16 MB); a GPU
# wants long kernels instead.
_CHUNK = 1 << 18
_CHUNK_ON_GPU = 1 << 24


def match(query: Tensor, kernels: Tensor, masks: Tensor) -> Tensor:
    """Best cosine under the object's mask and under the background's, per pixel.

    Eq. (1), (2) weight each kernel with the mask; a weight can as well be applied to its score,
    so the cosines of Eq. (5), (6) are computed once for all objects and both classes.

    Args:
        query: Unit features of the current frame, ``[G, C, L]``.
        kernels: Unit features of the first frame, ``[G, C, L0]``.
        masks: (background, object) at stride 16 in [0, 1], ``[G, K, 2, L0]``.

    Returns:
        ``[G, K, 2, L]``: s^b of Eq. (8), s^t of Eq. (7).
    """
    return masked_maximum(query, kernels, scale=masks)


def masked_maximum(
    query: Tensor, kernels: Tensor, *, scale: Tensor | None = None, shift: Tensor | None = None
) -> Tensor:
    """``max over l of scale[l] * <query, kernels[l]> + shift[l]`` without keeping all products.

    The gradient of a maximum flows through its winner alone. So when gradients are wanted, the
    winners are found without recording, and only they are computed again.

    Args:
        query: ``[G, C, L]``.
        kernels: ``[G, C, L0]``.
        scale: ``[G, K, M, L0]`` or None for 1.
        shift: ``[G, K, M, L0]`` or None for 0.

    Returns:
        ``[G, K, M, L]``.
    """
    weights = scale if scale is not None else shift
    assert weights is not None
    if torch.is_grad_enabled() and (query.requires_grad or kernels.requires_grad):
        with torch.no_grad():
            winner = _reduce(query, kernels, scale, shift, index=True)  # [G, K, M, L]
        return _at(winner, query, kernels, scale, shift)
    return _reduce(query, kernels, scale, shift, index=False)


def _reduce(
    query: Tensor, kernels: Tensor, scale: Tensor | None, shift: Tensor | None, *, index: bool
) -> Tensor:
    groups, _, positions = query.shape
    weights = scale if scale is not None else shift
    assert weights is not None
    objects, classes = weights.shape[1:3]
    budget = _CHUNK if query.device.type == "cpu" else _CHUNK_ON_GPU
    chunk = max(1, budget // (groups * kernels.shape[2]))
    result = query.new_empty(
        (groups, objects, classes, positions), dtype=torch.long if index else query.dtype
    )
    for start in range(0, positions, chunk):
        part = slice(start, start + chunk)
        products = query[:, :, part].transpose(1, 2) @ kernels  # [G, chunk, L0]
        for k in range(objects):
            for m in range(classes):
                scores = products
                if scale is not None:
                    scores = scores * scale[:, k, m, None]
                if shift is not None:
                    scores = scores + shift[:, k, m, None]
                result[:, k, m, part] = scores.argmax(-1) if index else scores.amax(-1)
    return result


def _at(
    winner: Tensor, query: Tensor, kernels: Tensor, scale: Tensor | None, shift: Tensor | None
) -> Tensor:
    groups, objects, classes, positions = winner.shape
    channels = query.shape[1]
    flat = winner.reshape(groups, 1, -1).expand(-1, channels, -1)
    chosen = kernels.gather(2, flat).view(groups, channels, objects, classes, positions)
    scores = torch.einsum("gcl,gckml->gkml", query, chosen)
    if scale is not None:
        scores = scores * scale.gather(3, winner)
    if shift is not None:
        scores = scores + shift.gather(3, winner)
    return scores
