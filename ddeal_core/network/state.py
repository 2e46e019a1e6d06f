"""What the network remembers of a frame and of a video."""

from dataclasses import dataclass, fields, replace
from typing import NamedTuple

import torch
from torch import Tensor

from ddeal_core.network.cues import Cues
from ddeal_core.network.dense.matching import unlike
from ddeal_core.network.dense.memory import Memory
from ddeal_core.network.directional import DirectionalFeatures

_MOST_FRAMES = 8


class Projections(NamedTuple):
    """Features at stride 16 as the modules see them, ``[B, *, H/16, W/16]`` each.

    Attributes:
        matching: Embedding for matching, before normalisation.
        appearance: Embedding for the appearance model, before normalisation.
        propagation: The frame's share of the propagation module's first layer.
        context: For the dense matching at stride 8, or None.
    """

    matching: Tensor
    appearance: Tensor
    propagation: Tensor
    context: Tensor | None


@dataclass(frozen=True, slots=True)
class FrameEncoding:
    """Everything that depends on a frame alone, whatever the number of objects.

    Attributes:
        s16: Backbone features, ``[B, C16, H/16, W/16]``.
        matching: Unit features for matching, ``[B, C, L]``, L = H*W/256.
        appearance: Features for the appearance model.
        propagation: The frame's share of the propagation module's first layer.
        skips: The frame's shares of the up-sampling blends, at stride 8 and 4.
        dense: Unit features at stride 8, ``[B, Cd, H/8, W/8]``, or None.
    """

    s16: Tensor
    matching: Tensor
    appearance: DirectionalFeatures
    propagation: Tensor
    skips: tuple[Tensor, Tensor]
    dense: Tensor | None

    def frames(self, part: slice) -> "FrameEncoding":
        """The encodings of some of the frames of the batch."""
        return FrameEncoding(
            s16=self.s16[part],
            matching=self.matching[part],
            appearance=DirectionalFeatures(self.appearance.raw[part], self.appearance.length[part]),
            propagation=self.propagation[part],
            skips=(self.skips[0][part], self.skips[1][part]),
            dense=None if self.dense is None else self.dense[part],
        )


@dataclass(frozen=True, slots=True)
class Reference:
    """A frame on which objects were given, and their masks there.

    Attributes:
        kernels: Unit features, ``[G, C, L]``: F^0 of Eq. (1), (2).
        masks: (background, object) at stride 16, ``[G, K, 2, L]``: M^0.
        dense_keys: Unit features at stride 8, all 4L of them or some, ``[G, Cd, N]``; or None.
            Followed by those of other frames on which the same objects were given.
        dense_log_masks: Log-masks for them, ``[G, K, 2, N]``, or None.
    """

    kernels: Tensor
    masks: Tensor
    dense_keys: Tensor | None
    dense_log_masks: Tensor | None

    @property
    def objects(self) -> int:
        """K."""
        return self.masks.shape[1]

    def select(self, indices: list[int]) -> "Reference":
        """Keep only some objects, ``indices`` into K."""
        log_masks = _of_objects(self.dense_log_masks, indices)
        return replace(self, masks=self.masks[:, indices], dense_log_masks=log_masks)

    def with_frame(self, other: "Reference", similarity: float) -> "Reference":
        """Match at stride 8 with another frame, too, on which these objects of a video were given.

        What it says is left out where it is known. Where there would be more positions than those
        of 8 frames, every second one goes: however many masks are given, matching is as fast.

        Args:
            other: That frame.
            similarity: See `NetworkConfig.memory_similarity`.
        """
        keys, log_masks = self.dense_keys, self.dense_log_masks
        more, of_more = other.dense_keys, other.dense_log_masks
        if keys is None or log_masks is None or more is None or of_more is None:
            return self
        if similarity < 1:
            shares = (of_more[0, :, 1].exp(), log_masks[0, :, 1].exp())
            new = unlike(more[0], shares[0], keys[0], shares[1], similarity)
            more, of_more = more[:, :, new], of_more[..., new]
        keys, log_masks = torch.cat([keys, more], dim=2), torch.cat([log_masks, of_more], dim=3)
        if keys.shape[2] > _MOST_FRAMES * 4 * self.kernels.shape[2]:
            keys, log_masks = keys[:, :, ::2].contiguous(), log_masks[..., ::2].contiguous()
        return replace(self, dense_keys=keys, dense_log_masks=log_masks)


@dataclass(frozen=True, slots=True)
class ObjectState:
    """State of K objects in each of G videos; its size does not depend on their length.

    Attributes:
        references: Frames on which objects were given, by objects that share them: their K add up.
        mean_directions: ``[G, K, 4, C]``: mu_0 to mu_3 of the appearance model.
        propagation_first: The first frame's share of the propagation module's first layer,
            ``[G, K, P, H/16, W/16]``.
        last_masks: (background, object) of the last frame, ``[G, K, 2, H/16, W/16]``.
        last_dense_keys: Unit features of the last frame at stride 8, ``[G, Cd, H/8, W/8]``.
        last_dense_log_masks: Log-masks for them, ``[G, K, 2, 4L]``.
        memory: Frames between the first and the last one; None while there is none.
        age: Frames since the first one.
    """

    references: tuple[Reference, ...]
    mean_directions: Tensor
    propagation_first: Tensor
    last_masks: Tensor
    last_dense_keys: Tensor | None
    last_dense_log_masks: Tensor | None
    memory: Memory | None = None
    age: int = 0

    @property
    def objects(self) -> int:
        """K."""
        return self.mean_directions.shape[1]

    @property
    def last_shares(self) -> Tensor:
        """Share of each cell that each object took up in the last frame.

        ``[G, K, H/8, W/8]`` where there is matching at stride 8, else ``[G, K, H/16, W/16]``.
        """
        if self.last_dense_keys is None or self.last_dense_log_masks is None:
            return self.last_masks[:, :, 1]
        shares = self.last_dense_log_masks[:, :, 1].exp()
        return shares.view(*shares.shape[:2], *self.last_dense_keys.shape[-2:])

    def select(self, indices: list[int]) -> "ObjectState":
        """Keep only some objects, ``indices`` into K in ascending order."""
        references = []
        begin = 0
        for reference in self.references:
            end = begin + reference.objects
            kept = [i - begin for i in indices if begin <= i < end]
            if kept:
                references.append(reference.select(kept))
            begin = end
        return ObjectState(
            references=tuple(references),
            mean_directions=self.mean_directions[:, indices],
            propagation_first=self.propagation_first[:, indices],
            last_masks=self.last_masks[:, indices],
            last_dense_keys=self.last_dense_keys,
            last_dense_log_masks=_of_objects(self.last_dense_log_masks, indices),
            memory=None if self.memory is None else self.memory.select(indices),
            age=self.age,
        )

    def with_objects(self, other: "ObjectState") -> "ObjectState":
        """Add objects of the same videos, given on the frame that was just seen."""
        joined = {}
        for field in fields(self):
            mine, its = getattr(self, field.name), getattr(other, field.name)
            if field.name == "references":
                joined[field.name] = mine + its
            elif field.name == "memory":
                joined[field.name] = (
                    None if mine is None else mine.with_unknown_objects(other.objects)
                )
            elif field.name == "age":
                joined[field.name] = mine
            elif field.name == "last_dense_keys" or mine is None:
                joined[field.name] = its
            else:
                joined[field.name] = torch.cat([mine, its], dim=1)
        return replace(self, **joined)


def _of_objects(x: Tensor | None, indices: list[int]) -> Tensor | None:
    return None if x is None else x[:, indices]


@dataclass(frozen=True, slots=True)
class Prediction:
    """What the network says of a frame, before the objects are merged.

    Attributes:
        coarse: (background, object) logits at stride 16, ``[G, K, 2, H/16, W/16]``.
        fine: (background, object) logits at full size, ``[G, K, 2, H, W]``.
        cues: What led there; all of them, also those that the fusion module was not shown.
        propagation: Features of the propagation module, ``[G, K, P, H/16, W/16]``.
    """

    coarse: Tensor
    fine: Tensor
    cues: Cues
    propagation: Tensor

    @property
    def log_odds(self) -> Tensor:
        """Log p(object) / p(background) of the fine prediction, ``[G, K, H, W]``."""
        return self.fine[:, :, 1] - self.fine[:, :, 0]
