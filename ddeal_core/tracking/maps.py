"""Probabilities of a frame at the network's size, and what is made of them at the frame's own."""

from collections.abc import Iterator
from itertools import chain

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from ddeal_core.tracking.merging import update_argmax

_PIXELS_AT_ONCE = 1 << 24  # of enlarged maps


def overruled(merged: Tensor, masks: Tensor) -> Tensor:
    """Let masks that are given overrule what was predicted, at the network's size.

    What an object that is given had before has fallen to the background, as in `Maps`, which does
    this at the frame's size. ``merged [1, 1 + K, h, w]`` and ``masks [1, N, h, w]``, 0 to 1, give
    ``[1, 1 + K + N, h, w]``.
    """
    background = torch.zeros_like(merged)
    background[:, :1] = 1 - merged.sum(dim=1, keepdim=True)
    free = 1 - masks.sum(dim=1, keepdim=True)
    return torch.cat([(merged + background) * free, masks], dim=1)


class GivenLabels:
    """Objects that were given on a frame: their masks overrule what was predicted.

    Args:
        labels: ``[H, W]``.
        ids: Those in it, in the order of the last maps.
    """

    def __init__(self, labels: NDArray[np.uint8], ids: list[int]) -> None:
        self.labels, self.ids = labels, ids

    def mask(self, object_id: int, like: Tensor) -> Tensor:
        """1 on the object and 0 elsewhere, ``[H, W]``."""
        return torch.from_numpy(self.labels == object_id).to(like)

    def free(self, like: Tensor) -> Tensor:
        """1 where no object was given and 0 elsewhere, ``[H, W]``."""
        return torch.from_numpy(~np.isin(self.labels, self.ids)).to(like)


class Maps:
    """Enlarges a few maps at a time, so that many objects need no more memory than some.

    Args:
        merged: ``[1, 1 + K, h, w]``, background first; they sum to 1.
        size: (height, width) of the frame.
        given: What was given on this frame, for the last maps; or None.
    """

    def __init__(self, merged: Tensor, size: tuple[int, int], given: GivenLabels | None) -> None:
        self.merged, self._size, self.given = merged, size, given

    def probabilities(self) -> Tensor:
        """``[1 + K, H, W]`` float32 at the frame's size, background first."""
        given, count = self.given, self.merged.shape[1]
        if given is None and count <= self._step:
            return next(self._enlarged(count))[1]
        maps = torch.empty((count, *self._size), device=self.merged.device)
        predicted = count - (0 if given is None else len(given.ids))
        for place, part in self._enlarged(predicted):
            maps[place : place + len(part)] = part
        if given is not None:
            maps[0] = self.background()
            maps[1:predicted] *= given.free(maps)
            for place, object_id in enumerate(given.ids, start=predicted):
                maps[place] = given.mask(object_id, maps)
        return maps

    def background(self) -> Tensor:
        """Probability of the background, ``[H, W]``."""
        if self.given is None:
            return next(self._enlarged(1))[1][0]
        # what was predicted for the given objects outside their masks falls to the background
        rest = torch.ones(self._size, device=self.merged.device)
        for place, part in self._enlarged(self.merged.shape[1] - len(self.given.ids)):
            rest -= part[1 if place == 0 else 0 :].sum(0)
        return rest * self.given.free(rest)

    def labels(self) -> NDArray[np.uint8]:
        """Places of the most probable maps, ``[H, W]``: 0 for the background, k for object k.

        The first one where two are equal.
        """
        given = self.given
        predicted = self.merged.shape[1] - (0 if given is None else len(given.ids))
        parts = self._enlarged(predicted)
        _, first = next(parts)
        labels = torch.zeros(self._size, dtype=torch.uint8, device=first.device)
        # beside given objects, the background's probability is known only after all maps
        best = first[0].clone() if given is None else torch.zeros_like(first[0])
        rest = torch.ones_like(best)
        for place, part in chain([(1, first[1:])], parts):
            update_argmax(labels, best, part, first=place)
            if given is not None:
                rest -= part.sum(0)
        if given is None:
            return labels.cpu().numpy()
        labels.masked_fill_(rest >= best, 0)
        places = labels.cpu().numpy()
        for place, object_id in enumerate(given.ids, start=predicted):
            places[given.labels == object_id] = place
        return places

    @property
    def _step(self) -> int:
        return max(1, _PIXELS_AT_ONCE // (self._size[0] * self._size[1]))

    def _enlarged(self, count: int) -> Iterator[tuple[int, Tensor]]:
        """The first maps at the frame's size, ``[*, H, W]`` each, and where each part begins."""
        for begin in range(0, count, self._step):
            part = self.merged[:, begin : min(begin + self._step, count)]
            if part.shape[-2:] != self._size:
                part = F.interpolate(part.float(), self._size, mode="bilinear", align_corners=False)
            yield begin, part[0].float()
