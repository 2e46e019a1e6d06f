"""Matching at stride 8 with remembered frames. Beyond the paper; off in its presets.

Stride 16 is coarse for the small frames that a laptop can afford, and the first frame alone says
little about an object that has turned since. As FEELVOS does, the last frame is matched too, with
a preference for near positions: a Gaussian in the distance instead of a hard window. What lies
between, a memory of a few frames keeps, in the manner of STM.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ddeal_core.network.convolution import initialise
from ddeal_core.network.dense.memory import Memory
from ddeal_core.network.directional import unit
from ddeal_core.network.upsampling import enlarge
from ddeal_core.operators.masked_maximum import masked_maximum

RENAMED = {"log_reach": "log_sigma"}
"""Parameters by the names that they had in earlier checkpoints."""

_GRIDS = (8, 4, 2, 1)  # Steps.
SAME_SHARE = 0.05
_AT_ONCE = 1 << 22  # Numbers.
_EPS = 1e-3  # A kernel without any of a class still scores, log(1e-3) below one that is all of it.


class DenseMatching(nn.Module):
    """Log-scores of the best match, for (background, object) on (first, last, any) frames.

    The score of pixel q for class c is the maximum over the positions l of a remembered frame of
    ``kappa * cos(q, l) - distance(q, l)^2 / (2 sigma^2) + log mask_c(l)``; the distance, in frame
    heights, counts for the last frame only. "Any" is the best of the first frame and the memory.

    Args:
        s8: Channels of the backbone at stride 8.
        s16: Channels of the backbone at stride 16.
        channels: Dimensions of the embedding.
        shortcut: Whether the embedding begins as that of stride 16: features with ImageNet's
            knowledge tell objects apart far better than the edges and textures of stride 8.
        with_memory: Whether there is a memory.
    """

    def __init__(
        self, s8: int, s16: int, channels: int, *, shortcut: bool = False, with_memory: bool = False
    ) -> None:
        super().__init__()
        self.outputs = 6 if with_memory else 4
        self.project_s8 = nn.Conv2d(s8, channels, 1)
        self.project_s16 = nn.Conv2d(s16, channels, 1)
        self.embed = nn.Conv2d(channels, channels, 3, padding=1)
        for conv in (self.project_s8, self.project_s16, self.embed):
            initialise(conv)
        self.shortcut = shortcut
        if shortcut:
            nn.init.zeros_(self.embed.weight)
        self.log_concentration = nn.Parameter(torch.tensor(2.3))  # kappa = 10
        self.log_sigma = nn.Parameter(torch.tensor(-1.9))  # sigma = 0.15 frame heights

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, *args: Any, **kwargs: Any
    ) -> None:
        """Load, also what was saved under the names of earlier versions."""
        for old, new in RENAMED.items():
            if prefix + old in state_dict:
                state_dict[prefix + new] = state_dict.pop(prefix + old)
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)

    def encode_frame(self, s8: Tensor, context: Tensor) -> Tensor:
        """Embed a frame, once a frame.

        Args:
            s8: Backbone features at stride 8.
            context: Those at stride 16 after `project_s16`.

        Returns:
            Unit features ``[B, channels, H/8, W/8]``.
        """
        context = enlarge(context, 2)
        x = self.embed(F.relu(self.project_s8(s8) + context))
        if self.shortcut:
            x = x + context
        return unit(x.float(), dim=1, eps=1e-6)

    @staticmethod
    def log_masks(masks: Tensor) -> Tensor:
        """Log-masks of the kernels of a remembered frame.

        Args:
            masks: Object probabilities at full size, ``[G, K, H, W]``.

        Returns:
            Logs of the (background, object) shares of each position, ``[G, K, 2, H*W/64]``.
        """
        share = F.avg_pool2d(masks, 8).flatten(2)
        return (torch.stack([1 - share, share], dim=2) + _EPS).log()

    @torch.no_grad()
    def novel(self, scores: Tensor, log_masks: Tensor, similarity: float) -> Tensor:
        """Find the positions of a frame that a memory does not know yet.

        A position belongs to an object or to its background, whichever share is larger. It is
        known if, for each object, its best match in that class on any remembered frame has a
        cosine of at least ``similarity``.

        Args:
            scores: What `forward` said of the frame, ``[G, K, 6, H/8, W/8]``.
            log_masks: From `log_masks`, of the frame's masks.
            similarity: Cosine in (0, 1).

        Returns:
            Whether each position is new, ``[G, H*W/64]`` bool.
        """
        background, foreground = scores[:, :, 4:6].flatten(3).unbind(2)
        own = torch.where(log_masks[:, :, 1] > log_masks[:, :, 0], foreground, background)
        known = own >= similarity * self.log_concentration.exp()
        return ~known.all(1)

    @staticmethod
    @torch.no_grad()
    def distinct(
        keys: Tensor, log_masks: Tensor, similarity: float, wanted: Tensor | None = None
    ) -> Tensor:
        """Find the positions of a frame that say something of their own.

        From the coarsest grid to the finest, a position is kept unless one of a coarser grid was
        kept whose cosine to it is at least ``similarity``, and whose shares of the objects differ
        by at most `SAME_SHARE`.

        Args:
            keys: Unit features of the frame, ``[G, Cd, H/8, W/8]``.
            log_masks: From `log_masks`, of its masks.
            similarity: Cosine in (0, 1).
            wanted: Whether each position is looked at, ``[G, H*W/64]`` bool; None for all.

        Returns:
            Whether each position is kept, ``[G, H*W/64]`` bool.
        """
        flat, shares = keys.flatten(2), log_masks[:, :, 1].exp()
        grids = _coarsest_grids(*keys.shape[2:], device=keys.device).expand(len(keys), -1)
        if wanted is not None:
            grids = torch.where(wanted, grids, len(_GRIDS))
        return torch.stack(
            [_distinct(*video, similarity) for video in zip(flat, shares, grids, strict=True)]
        )

    def forward(
        self,
        query: Tensor,
        first: tuple[tuple[Tensor, Tensor], ...],
        last: tuple[Tensor, Tensor],
        memory: Memory | None = None,
    ) -> Tensor:
        """Match.

        Args:
            query: Embedded current frame, ``[G, C, H/8, W/8]``.
            first: Embedded first frames and log-masks of the objects that began there.
            last: Embedded last frame and log-masks of all objects.
            memory: Frames between these, for a network that has a memory; None while it is empty.

        Returns:
            ``[G*K, outputs, H/8, W/8]``: (background, object) on the first frame, on the last
            one and, with a memory, on any.
        """
        height, width = query.shape[-2:]
        kappa = self.log_concentration.exp()
        flat = query.flatten(2) * kappa
        scores_first = torch.cat(
            [masked_maximum(flat, keys.flatten(2), shift=log_masks) for keys, log_masks in first],
            dim=1,
        )
        keys, log_masks = last
        # -|p - q|^2 / (2 sigma^2) is an inner product of longer vectors: one product does both.
        near_query, near_key = _position_terms(height, width, query)
        precision = (-2 * self.log_sigma).exp()
        near = torch.cat([flat, precision * near_query.expand(len(query), -1, -1)], dim=1)
        keys = torch.cat([keys.flatten(2), near_key.expand(len(query), -1, -1)], dim=1)
        scores = [scores_first, masked_maximum(near, keys, shift=log_masks)]
        if self.outputs > 4:
            scores.append(scores_first)
            if memory is not None and not memory.is_empty:
                found = masked_maximum(flat, memory.keys, shift=memory.log_masks)
                scores[-1] = torch.maximum(scores_first, found)
        # [G, K, outputs, L]
        return torch.cat(scores, dim=2).view(-1, self.outputs, height, width)


def unlike(
    keys: Tensor, shares: Tensor, known: Tensor, known_shares: Tensor, similarity: float
) -> Tensor:
    """Find positions to which no known one is alike: see `DenseMatching.distinct`.

    Args:
        keys: Unit features ``[Cd, N]``.
        shares: Of each object in them, ``[K, N]``.
        known: As `keys`, ``[Cd, M]``.
        known_shares: As `shares`, ``[K, M]``.
        similarity: Cosine in (0, 1).

    Returns:
        Their indices into N, rising.
    """
    places = torch.arange(keys.shape[1], device=keys.device)
    new = []
    for part in torch.split(places, max(1, _AT_ONCE // max(1, known.shape[1]))):
        alike = keys[:, part].T @ known >= similarity
        for share, of_known in zip(shares, known_shares, strict=True):
            alike &= (share[part, None] - of_known).abs() <= SAME_SHARE
        new.append(part[~alike.any(1)])
    return torch.cat(new)


def _distinct(keys: Tensor, shares: Tensor, grids: Tensor, similarity: float) -> Tensor:
    """See `DenseMatching.distinct`: ``[Cd, L]``, ``[K, L]``, and ``[L]`` indices into `_GRIDS`."""
    kept = (grids == 0).nonzero()[:, 0]
    for grid in range(1, len(_GRIDS)):
        places = (grids == grid).nonzero()[:, 0]
        at = (keys[:, places], shares[:, places])
        new = unlike(*at, keys[:, kept], shares[:, kept], similarity)
        kept = torch.cat([kept, places[new]])
    result = torch.zeros_like(grids, dtype=torch.bool)
    result[kept] = True
    return result


def _coarsest_grids(height: int, width: int, *, device: torch.device) -> Tensor:
    """The coarsest of `_GRIDS` on which each position lies, ``[height * width]``."""
    coarsest = torch.empty(height, width, dtype=torch.long, device=device)
    for index, step in reversed(list(enumerate(_GRIDS))):
        coarsest[::step, ::step] = index
    return coarsest.flatten()


def _position_terms(height: int, width: int, like: Tensor) -> tuple[Tensor, Tensor]:
    """Vectors a(p), b(q) with ``<a(p), b(q)> = -|p - q|^2 / 2``, positions in frame heights."""
    y, x = torch.meshgrid(
        torch.arange(height, device=like.device, dtype=like.dtype) / height,
        torch.arange(width, device=like.device, dtype=like.dtype) / height,
        indexing="ij",
    )
    position = torch.stack([y - 0.5, x - 0.5 * width / height]).flatten(1)  # [2, L]
    half_square = -0.5 * position.square().sum(0, keepdim=True)
    one = torch.ones_like(half_square)
    return (
        torch.cat([position, half_square, one])[None],
        torch.cat([position, one, half_square])[None],
    )
