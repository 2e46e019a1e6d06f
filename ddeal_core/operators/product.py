"""Products of matrices for inference, by oneDNN on a CPU.

torch takes MKL for them, which uses AVX2 at most on processors that are not Intel's; oneDNN uses
all that is there. With AVX-512 it takes half the time, with AVX2 the same.
"""

from functools import cache
from typing import Any

import torch
from torch import Tensor

from ddeal_core.operators.onednn import suits_onednn


def product(a: Tensor, b: Tensor) -> Tensor:
    """``a @ b`` of ``[G, N, C]`` and ``[G, C, M]``."""
    learns = torch.is_grad_enabled() and (a.requires_grad or b.requires_grad)
    if learns or not (suits_onednn(a) and _onednn_multiplies()):
        return a @ b
    linear: Any = torch.ops.mkldnn._linear_pointwise
    # A slice of a larger matrix would fall to oneDNN's reference code: a thousand times slower.
    pairs = ((x.contiguous(), y.contiguous()) for x, y in zip(a, b, strict=True))
    parts = [linear(x, y.T, None, "none", [], "") for x, y in pairs]
    return parts[0][None] if len(parts) == 1 else torch.stack(parts)


@cache
def _onednn_multiplies() -> bool:
    """Whether this build has the operator, and it does what is expected of it."""
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return False
    a, b = torch.linspace(-1, 1, 3 * 5).view(3, 5), torch.linspace(-1, 1, 7 * 5).view(7, 5)
    try:
        found = torch.ops.mkldnn._linear_pointwise(a, b, None, "none", [], "")
    except (AttributeError, RuntimeError, TypeError, NotImplementedError):
        return False
    return torch.allclose(found, a @ b.T, atol=1e-5)
