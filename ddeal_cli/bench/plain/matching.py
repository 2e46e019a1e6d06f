"""Matching of the plain network, and what is remembered to match with.

Whole maps of all products; see `ddeal_cli.bench.plain`.
"""

from collections.abc import Collection
from dataclasses import dataclass, field

import torch

from ddeal_cli.bench.plain.features import PlainFeatures, PlainFrame


@dataclass
class PlainObject:
    """State of one object."""

    first_frame: PlainFrame
    first_features: torch.Tensor  # [C, N] unit, for matching
    first_mask: torch.Tensor  # [2, h, w], (background, object)
    last_mask: torch.Tensor
    means: list[torch.Tensor]
    # Frames on which it was given, the shares of the classes, and the positions matched with.
    given: list[tuple[PlainFrame, torch.Tensor, torch.Tensor]] = field(default_factory=list)
    last_frame: PlainFrame | None = None
    last_dense: torch.Tensor | None = None
    # By age: a frame, the shares of the classes, and which positions are remembered.
    memory: dict[int, tuple[PlainFrame, torch.Tensor, torch.Tensor]] = field(default_factory=dict)
    any_frame: list[torch.Tensor] = field(default_factory=list)  # matches of the last frame

    @property
    def last_share(self) -> torch.Tensor:
        """Share of each cell of the last frame, at stride 8 if it is known there."""
        return (self.last_mask if self.last_dense is None else self.last_dense)[1]


class PlainMatching(PlainFeatures):
    """Global directional matching, and at stride 8 with what is remembered."""

    def match(self, frame: PlainFrame, item: PlainObject) -> list[torch.Tensor]:
        """Eq. (1) to (8): background, object, ``[h, w]`` each."""
        height, width = frame.s16.shape[-2:]
        features = self.matching_features(frame)
        maps = []
        for share in item.first_mask:  # background, object
            kernels = share.flatten() * item.first_features  # Eq. (1), (2): [C, HW]
            products = kernels.T @ features  # Eq. (5), (6): [HW, HW]
            maps.append(products.amax(0).view(height, width))  # Eq. (7), (8)
        return maps

    def match_several(
        self, frame: PlainFrame, others: Collection[tuple[PlainFrame, torch.Tensor, torch.Tensor]]
    ) -> list[torch.Tensor]:
        """The best match with any of several frames."""
        found = [self.match_dense(frame, f, m, near=False, only=kept) for f, m, kept in others]
        return [torch.stack(each).amax(0) for each in zip(*found, strict=True)]

    def match_dense(
        self,
        frame: PlainFrame,
        other: PlainFrame,
        shares: torch.Tensor,
        *,
        near: bool,
        only: torch.Tensor | None = None,
    ) -> list[torch.Tensor]:
        """``max kappa cos - distance^2 / (2 sigma^2) + log(share + 1e-3)``, distance in heights."""
        assert frame.dense is not None
        assert other.dense is not None
        height, width = frame.dense.shape[-2:]
        kappa = self.state["dense_matching.log_concentration"].exp()
        sigma = self.state["dense_matching.log_sigma"].exp()
        scores = kappa * other.dense.flatten(1).T @ frame.dense.flatten(1)  # [kernels, pixels]
        if near:
            index = torch.arange(height * width, device=self.device)
            y, x = index // width / height, index % width / height
            square = (y[:, None] - y[None]) ** 2 + (x[:, None] - x[None]) ** 2
            scores = scores - square / (2 * sigma**2)
        if only is not None:
            scores[~only.flatten()] = -torch.inf
        return [
            (scores + (share.flatten()[:, None] + 1e-3).log()).amax(0).view(height, width)
            for share in shares
        ]

    def novel(self, items: Collection[PlainObject]) -> torch.Tensor:
        """Positions at stride 8 of the last frame that some object's memory does not know."""
        kappa = self.state["dense_matching.log_concentration"].exp()
        similarity = self.config.memory_similarity
        novel = []
        for item in items:
            assert item.last_dense is not None
            background, foreground = item.last_dense
            own = torch.where(foreground > background, item.any_frame[1], item.any_frame[0])
            novel.append((own < similarity * kappa) | (similarity == 1))
        return torch.stack(novel).any(0)

    def keep_given(self, item: PlainObject, before: PlainObject) -> None:
        """Keep what was given of an object that begins anew, where it says something new."""
        similarity = self.config.memory_similarity
        known = item.given
        for frame, shares, kept in before.given:
            for other, of_other, of_them in known if similarity < 1 else []:
                assert frame.dense is not None
                assert other.dense is not None
                alike = frame.dense.flatten(1).T @ other.dense[:, of_them] >= similarity
                alike &= (shares[1].flatten()[:, None] - of_other[1][of_them]).abs() <= 0.05
                kept = kept & ~alike.any(1).view(kept.shape)
            known = [*known, (frame, shares, kept)]
        item.given = known

    def distinct(
        self, features: torch.Tensor, items: Collection[PlainObject], wanted: torch.Tensor | None
    ) -> torch.Tensor:
        """Positions at stride 8 of the last frame, of those wanted, that say something new.

        Grid by grid, from every eighth position to each: those that none kept before is alike to.
        """
        if wanted is None:
            wanted = torch.ones(features.shape[1:], dtype=torch.bool, device=self.device)
        similarity = self.config.memory_similarity
        if similarity == 1:
            return wanted
        shares = torch.stack([item.last_dense[1] for item in items if item.last_dense is not None])
        kept = torch.zeros_like(wanted)
        seen = kept.clone()
        for step in (8, 4, 2, 1):
            here = torch.zeros_like(kept)
            here[::step, ::step] = True
            here &= ~seen
            seen |= here
            here &= wanted
            alike = features[:, here].T @ features[:, kept] >= similarity
            for share in shares:
                alike &= (share[here][:, None] - share[kept][None]).abs() <= 0.05
            kept[here] = ~alike.any(1)
        return kept
