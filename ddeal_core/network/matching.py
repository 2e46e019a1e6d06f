"""Global directional matching with the first frame: Eq. (1) to (8)."""

from torch import Tensor

from ddeal_core.operators.masked_maximum import masked_maximum


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
