"""The best weighted product with any of many kernels, without keeping all products."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from itertools import accumulate

import torch
import torch.nn.functional as F
from torch import Tensor

from ddeal_core.operators.product import product

# Scores held at once, of each thread. 1 MB of float32 stays in a cache (2 MB take a fifth longer,
# with soft masks 1.4 times as long); a GPU wants long kernels instead.
_CHUNK = 1 << 18
_CHUNK_ON_GPU = 1 << 24
# Kernels at once. A chunk of all the kernels of a memory would be a few rows, slow to multiply.
_BLOCK = 1 << 10
# Kernels are filled up to a multiple of this: oneDNN compiles code for each shape, and keeps it.
_WIDTH = 1 << 7
# Shorter runs of kernels with equal weights are not worth a maximum of their own.
_RUN = 32
# Rows that an argmax is folded into.
_ROWS = 16
_MIX = 0x5851F42D4C957F2D
# Of an exported graph, which has no loops.
_TRACED_BLOCKS = 8
_NEVER = -1e4


def masked_maximum(
    query: Tensor, kernels: Tensor, *, scale: Tensor | None = None, shift: Tensor | None = None
) -> Tensor:
    """``max over l of scale[l] * <query, kernels[l]> + shift[l]`` without keeping all products.

    The gradient of a maximum flows through its winner alone. So when gradients are wanted, the
    winners are found without recording, and only they are computed again.

    Args:
        query: ``[G, C, L]``.
        kernels: ``[G, C, L0]``.
        scale: ``[G, K, M, L0]``, not negative, or None for 1.
        shift: ``[G, K, M, L0]`` or None for 0.

    Returns:
        ``[G, K, M, L]``.
    """
    # Asking would import torch.onnx, which takes a third of a second; an export has done so.
    if "torch.onnx" in sys.modules and torch.onnx.is_in_onnx_export():
        return _traced(query, kernels, scale, shift)
    inputs = (query, kernels, scale, shift)
    if torch.is_grad_enabled() and any(x is not None and x.requires_grad for x in inputs):
        with torch.no_grad():
            winner = _reduce(query, kernels, scale, shift, index=True)  # [G, K, M, L]
        return _at(winner, query, kernels, scale, shift)
    return _reduce(query, kernels, scale, shift, index=False)


def _reduce(
    query: Tensor, kernels: Tensor, scale: Tensor | None, shift: Tensor | None, *, index: bool
) -> Tensor:
    count = kernels.shape[2]
    if not index and query.device.type == "cpu" and count > _BLOCK:
        best: Tensor | None = None
        for start in range(0, count, _BLOCK):
            part = slice(start, start + _BLOCK)
            found = _reduce(
                query,
                kernels[:, :, part],
                None if scale is None else scale[..., part],
                None if shift is None else shift[..., part],
                index=False,
            )
            best = found if best is None else torch.maximum(best, found, out=best)
        assert best is not None
        return best
    if not index and query.device.type == "cpu" and len(query) == 1:
        groups = _equal_weights(scale, shift)
        if groups is not None:
            return _reduce_groups(query, kernels, scale, shift, groups)
    result = query.new_empty(
        (*_weights(scale, shift).shape[:3], query.shape[2]),
        dtype=torch.long if index else query.dtype,
    )
    for part, products in _multiply(query, kernels):
        _best(products, scale, shift, result[..., part], index=index)
    return result


def _traced(query: Tensor, kernels: Tensor, scale: Tensor | None, shift: Tensor | None) -> Tensor:
    """The same for a graph that is exported: blocks of kernels, however many there are."""
    blocks = 1
    if scale is None and shift is not None:  # unknown kernels, which never win, fill the blocks
        blocks = _TRACED_BLOCKS
        kernels = F.pad(kernels, (0, blocks))
        shift = F.pad(shift, (0, blocks), value=_NEVER)
    count = kernels.shape[2]
    best: Tensor | None = None
    for block in range(blocks):
        part = slice(block * count // blocks, (block + 1) * count // blocks)
        scores = (query.transpose(1, 2) @ kernels[:, :, part])[:, None, None]  # [G, 1, 1, L, *]
        if scale is not None:
            scores = scores * scale[..., part].unsqueeze(3)
        if shift is not None:
            scores = scores + shift[..., part].unsqueeze(3)
        found = scores.amax(-1)
        best = found if best is None else torch.maximum(best, found)
    assert best is not None
    return best


def _best(
    products: Tensor, scale: Tensor | None, shift: Tensor | None, result: Tensor, *, index: bool
) -> None:
    """Fill ``result [G, K, M, L]`` with the maxima, or their places, over ``[G, L, L0]``."""
    buffer: Tensor | None = None
    for k in range(result.shape[1]):
        for m in range(result.shape[2]):
            scores = products
            if scale is not None:
                scores = buffer = torch.mul(scores, scale[:, k, m, None], out=buffer)
            if shift is not None:
                scores = buffer = torch.add(scores, shift[:, k, m, None], out=buffer)
            result[:, k, m] = _argmax(scores) if index else scores.amax(-1)


def _argmax(scores: Tensor) -> Tensor:
    """Place of the maximum of each row; torch's own argmax on a CPU is 15 times its maximum."""
    columns = scores.shape[-1] // _ROWS
    if not columns:
        return scores.argmax(-1)
    even, rest = scores[..., : columns * _ROWS], scores[..., columns * _ROWS :]
    rows = [even[..., i * columns : (i + 1) * columns] for i in range(_ROWS)]
    best = reduce(torch.maximum, rows)
    steps = columns * torch.arange(_ROWS, device=scores.device)
    candidates = best.argmax(-1, keepdim=True) + steps
    place: Tensor = candidates.gather(-1, scores.gather(-1, candidates).argmax(-1, keepdim=True))
    if rest.shape[-1]:
        last = rest.argmax(-1, keepdim=True) + columns * _ROWS
        place = torch.where(scores.gather(-1, last) > scores.gather(-1, place), last, place)
    return place[..., 0]


@dataclass(frozen=True, slots=True)
class _EqualWeights:
    """Positions of a remembered frame, those with the same weights side by side."""

    order: Tensor  # positions, ``[L0]``: one run of equal weights after the other, then the rest
    lengths: list[int]  # of the runs
    kept: Tensor  # one position of each run, then the rest, ``[L1]``


def _equal_weights(scale: Tensor | None, shift: Tensor | None) -> _EqualWeights | None:
    """Find positions whose weights agree for all objects and classes; None where few do.

    A given mask is 0 or 1 almost everywhere, and each pixel belongs to one object at most, so its
    positions fall into 1 + K large groups and some pixels on the outlines.
    """
    columns = torch.cat([w[0].flatten(0, 1) for w in (scale, shift) if w is not None])
    columns = columns.contiguous() + 0.0  # -0 becomes 0
    bits = columns.view(torch.int32).long()
    # Any mixing will do: what it throws together by accident is found below.
    factors = torch.tensor([pow(_MIX, i + 1, 1 << 63) for i in range(len(bits))])
    keys = (bits * factors[:, None]).sum(0)
    _, group, counts = torch.unique(keys, return_inverse=True, return_counts=True)
    is_long = counts >= _RUN
    if int(counts[is_long].sum()) * 2 < len(keys):
        return None
    rank = torch.where(is_long, torch.arange(len(counts)), len(counts))[group]
    order = rank.argsort(stable=True)
    lengths = counts[is_long].tolist()
    runs = sum(lengths)
    starts = list(accumulate(lengths, initial=0))[:-1]
    sorted_columns = columns[:, order]
    for start, length in zip(starts, lengths, strict=True):
        run = sorted_columns[:, start : start + length]
        if not torch.equal(run, run[:, :1].expand_as(run)):
            return None
    return _EqualWeights(order, lengths, torch.cat([order[starts], order[runs:]]))


def _reduce_groups(
    query: Tensor,
    kernels: Tensor,
    scale: Tensor | None,
    shift: Tensor | None,
    groups: _EqualWeights,
) -> Tensor:
    """Let kernels of equal weights compete before they are weighted, once for all objects.

    Rounding keeps the order of numbers, and no weight is negative, so the bytes are the same.
    """
    kernels = kernels[:, :, groups.order]
    scale = None if scale is None else scale[..., groups.kept]
    shift = None if shift is None else shift[..., groups.kept]
    runs = len(groups.lengths)
    result = query.new_empty((*_weights(scale, shift).shape[:3], query.shape[2]))
    sizes = [*groups.lengths, kernels.shape[2] - sum(groups.lengths)]
    for part, products in _multiply(query, kernels):
        *together, rest = torch.split(products, sizes, dim=2)
        winners = products.new_empty((*products.shape[:2], runs + sizes[-1]))
        for place, run in enumerate(together):
            torch.amax(run, dim=2, out=winners[:, :, place])
        winners[:, :, runs:] = rest
        _best(winners, scale, shift, result[..., part], index=False)
    return result


def _multiply(query: Tensor, kernels: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """Chunks of ``[G, C, L]``, each with its products ``[G, chunk, L0]`` with ``[G, C, L0]``."""
    count = kernels.shape[2]
    if query.device.type == "cpu":
        kernels = F.pad(kernels, (0, -count % _WIDTH))
    for part in _parts(query, kernels):
        yield part, product(query[:, :, part].transpose(1, 2), kernels)[..., :count]


def _parts(query: Tensor, kernels: Tensor) -> Iterator[slice]:
    """Cut the current frame's positions so that all products with them fit a chunk."""
    groups, _, count = query.shape
    on_cpu = query.device.type == "cpu"
    threads = torch.get_num_threads() if on_cpu else 1
    budget = _CHUNK * threads if on_cpu else _CHUNK_ON_GPU
    most = max(1, budget // (groups * kernels.shape[2]))
    length = -(-count // -(-count // most))  # all of about one length
    return (slice(start, start + length) for start in range(0, count, length))


def _weights(scale: Tensor | None, shift: Tensor | None) -> Tensor:
    weights = scale if scale is not None else shift
    assert weights is not None
    return weights


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
