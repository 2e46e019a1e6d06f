"""Probabilities of one frame, at the network's size, in steps that fit 16 bits."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from ddeal_core.tracking.merging import impose, to_labels

__all__ = ["ProbabilityMaps", "masks_of"]

_ONE = 65535  # 1.0 in steps


@dataclass(frozen=True, slots=True, eq=False)
class ProbabilityMaps:
    """What the network says of a frame, small enough to be kept, exact when it is read again.

    All results grow from these maps, so those that were kept give the bytes that they gave at
    first. A step is far below what 8 bits of alpha show.

    Attributes:
        merged: ``[1, 1 + K, h, w]`` float32, background first, multiples of 1/65535.
        size: (H, W) of the frame.
        given: ``[1, G, H, W]`` float32 masks of the last G objects, if these are results as they
            are, or None.
    """

    merged: Tensor
    size: tuple[int, int]
    given: Tensor | None

    @classmethod
    def of(
        cls, merged: Tensor, size: tuple[int, int], given: Tensor | None = None
    ) -> "ProbabilityMaps":
        """Round ``[1, 1 + K, h, w]`` probabilities; the background takes what the objects leave."""
        return cls(_with_background((merged[:, 1:].float() * _ONE).round()), size, given)

    @classmethod
    def without_objects(cls, size: tuple[int, int]) -> "ProbabilityMaps":
        """Background everywhere."""
        return cls(torch.ones(1, 1, 1, 1).expand(1, 1, *size), size, None)

    @classmethod
    def from_steps(
        cls,
        steps: NDArray[np.uint16],
        size: tuple[int, int],
        given: Tensor | None,
        device: torch.device,
    ) -> "ProbabilityMaps":
        """Undo `to_steps`: ``[K, h, w]`` uint16 of the objects."""
        if not len(steps):
            return cls.without_objects(size)
        objects = torch.from_numpy(steps.astype(np.float32))[None].to(device)
        return cls(_with_background(objects), size, given)

    def to_steps(self) -> NDArray[np.uint16]:
        """``[K, h, w]`` uint16: the objects' probabilities in steps of 1/65535."""
        steps = (self.merged[0, 1:] * _ONE).round().cpu().numpy()
        return np.asarray(steps, np.uint16)

    def enlarge(self, count: int | None) -> Tensor:
        """Compute the first so many maps, all for None, at the frame's size: ``[*, H, W]``."""
        maps = self.merged
        if self.given is None:
            maps = maps[:, :count]
        if maps.shape[-2:] != self.size:
            maps = F.interpolate(maps, self.size, mode="bilinear", align_corners=False)
        if self.given is not None:
            maps = impose(maps, self.given)
        return maps[0, :count]

    def labels(self, object_ids: Sequence[int]) -> NDArray[np.uint8]:
        """``[H, W]`` uint8: the most probable object's id, 0 for the background."""
        table = np.array([0, *object_ids], np.uint8)
        with torch.inference_mode():
            places = to_labels(self.enlarge(None)[None])[0].cpu().numpy()
        return np.asarray(table[places], np.uint8)


def masks_of(labels: NDArray[np.integer], ids: Sequence[int]) -> NDArray[np.float32]:
    """``[G, H, W]`` float32, 1 where a label map shows each of the ids."""
    return np.stack([(labels == i).astype(np.float32) for i in ids])


def _with_background(objects: Tensor) -> Tensor:
    # Sums of whole numbers below 2**24 are exact in float32: 254 objects fit.
    background = (_ONE - objects.sum(dim=1, keepdim=True)).clamp(min=0)
    return torch.cat([background, objects], dim=1) / _ONE
