"""What the tracker says of one frame."""

from collections.abc import Callable, Collection, Mapping
from functools import cached_property
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ddeal_core.media.matting.cutout import Cutout
from ddeal_core.tracking.frame_cues import FrameCues
from ddeal_core.tracking.maps import GivenLabels, Maps
from ddeal_core.tracking.merging import soft_aggregation
from ddeal_core.tracking.quantisation import quantise, with_background

_EPS = 1e-6
_UNSURE = 1e-3  # least probability to blend: a surer side would leave the other without a say


class Result:
    """Segmentation of one frame at its own size.

    Labels and probabilities are made of the same maps. Probabilities stay at the network's size,
    where they were computed, until they are asked for: labels alone cost nothing else.

    Attributes:
        index: Position of the frame among those that the tracker was fed, from 0.
        object_ids: Ids of the K objects known by now, in the order of the probabilities.
        maps: Probabilities at the network's size.
        labels: ``[H, W]`` uint8, id of the most probable object, 0 for the background.
        is_final: Whether the edges stay as they are, those of a matte and not the network's.
    """

    def __init__(
        self,
        maps: Maps,
        *,
        index: int,
        object_ids: tuple[int, ...],
        is_final: bool = False,
        read_cues: Callable[[], FrameCues | None] | None = None,
    ) -> None:
        self.index, self.object_ids, self.maps = index, object_ids, maps
        self.is_final = is_final
        self._read_cues = read_cues
        self.labels: NDArray[np.uint8] = np.array([0, *object_ids], np.uint8)[maps.labels()]

    @classmethod
    def of_labels(
        cls, labels: NDArray[np.uint8], *, index: int, object_ids: tuple[int, ...] = ()
    ) -> Self:
        """Make a result of a label map alone: probabilities are 0 or 1.

        Args:
            labels: ``[H, W]``.
            index: Position of the frame.
            object_ids: Of all objects known by now, those that `labels` does not show included.
        """
        merged = torch.zeros(1, 1 + len(object_ids), 1, 1)
        merged[:, 0] = 1
        merged = merged.expand(-1, -1, *labels.shape)  # enlarging would round
        given = GivenLabels(labels, list(object_ids)) if object_ids else None
        return cls(Maps(merged, labels.shape, given), index=index, object_ids=object_ids)

    @classmethod
    def of_mattes(
        cls, mattes: NDArray[np.float32], *, index: int, object_ids: tuple[int, ...]
    ) -> Self:
        """Make a result of a matte an object, whose edges are final.

        Args:
            mattes: ``[K, H, W]`` float32, 0 to 1; where they add up to more, each gives way.
            index: Position of the frame.
            object_ids: The K ids.
        """
        objects = torch.from_numpy(mattes)[None]
        objects = objects / objects.sum(1, keepdim=True).clamp(min=1)
        merged = torch.cat([1 - objects.sum(1, keepdim=True), objects], dim=1)
        size = (mattes.shape[1], mattes.shape[2])
        return cls(Maps(merged, size, None), index=index, object_ids=object_ids, is_final=True)

    def only(self, object_ids: Collection[int]) -> "Result":
        """Keep some objects; the others fall to the background."""
        places = [k for k, number in enumerate(self.object_ids, start=1) if number in object_ids]
        kept = tuple(self.object_ids[k - 1] for k in places)
        if kept == self.object_ids:
            return self
        given = self.maps.given
        if given is not None:
            own = [number for number in given.ids if number in kept]
            given = GivenLabels(given.labels, own) if own else None
        if not kept:
            return Result.of_labels(np.zeros(self.labels.shape, np.uint8), index=self.index)
        maps = Maps(with_background(self.maps.merged[:, places]), self.labels.shape, given)
        return Result(maps, index=self.index, object_ids=kept, is_final=self.is_final)

    def joined(self, other: "Result") -> "Result":
        """Add another result's objects of the same frame; none may be in both.

        Where both found objects, these compete for each pixel by soft aggregation.
        """
        if not other.object_ids:
            return self
        if not self.object_ids:
            other.index = self.index
            return other
        given = self.maps.given
        predicted = len(self.object_ids) - (0 if given is None else len(given.ids))
        # Given objects stay the last ones, as `Maps` wants them.
        merged = torch.cat(
            [
                self.maps.merged[:, 1 : 1 + predicted],
                other.maps.merged[:, 1:],
                self.maps.merged[:, 1 + predicted :],
            ],
            dim=1,
        )
        competing = soft_aggregation(merged.clamp(_EPS, 1 - _EPS).logit())
        return Result(
            Maps(quantise(competing), self.labels.shape, given),
            index=self.index,
            object_ids=(
                *self.object_ids[:predicted],
                *other.object_ids,
                *self.object_ids[predicted:],
            ),
            read_cues=self._read_cues,
        )

    def blended(self, other: "Result", shares: Mapping[int, float]) -> "Result":
        """Blend with what was found of the same objects from the other side.

        Log-odds are averaged, so that the nearer side counts more, and the surer one; all objects
        compete anew by soft aggregation.

        Args:
            other: The other side; of the same network and frame.
            shares: By object, how much the other side counts, 0 to 1; objects that are not in it
                stay as they are.
        """
        blended = {i: share for i, share in shares.items() if i in other.object_ids and share}
        if not blended:
            return self
        odds, theirs = _log_odds(self.maps.merged), _log_odds(other.maps.merged)
        for number, share in blended.items():
            mine, its = self.object_ids.index(number), other.object_ids.index(number)
            odds[:, mine] = torch.lerp(odds[:, mine], theirs[:, its], share)
        maps = Maps(quantise(soft_aggregation(odds)), self.labels.shape, self.maps.given)
        return Result(maps, index=self.index, object_ids=self.object_ids, read_cues=self._read_cues)

    def cutout(self, image: NDArray[np.uint8]) -> Cutout:
        """What outputs of the frame ``[H, W, 3]`` are made of."""
        return Cutout.of(
            image,
            self.labels,
            lambda: self.probabilities,
            self.object_ids,
            is_final=self.is_final,
            cues=lambda: self.cues,
        )

    @cached_property
    def probabilities(self) -> NDArray[np.float32]:
        """``[1 + K, H, W]`` float32, background first; they sum to 1."""
        with torch.inference_mode():
            return _on_host(self.maps.probabilities())

    @cached_property
    def foreground(self) -> NDArray[np.float32]:
        """Probability of all objects together, ``[H, W]`` float32.

        Files get an alpha with refined edges instead: see `Cutout.alpha`.
        """
        with torch.inference_mode():
            background = self.maps.background()
            # Rounding leaves a little where nothing is followed.
            return _on_host(1 - background if self.object_ids else torch.zeros_like(background))

    @cached_property
    def cues(self) -> FrameCues | None:
        """What led there: matching, appearance, propagation; see `FrameCues`.

        None unless the tracker keeps cues (`keep_cues`), and where nothing was predicted: on
        frames up to the one on which the first object is given. An object that is given on this
        frame has none yet, and one that is followed backwards has none.
        """
        return None if self._read_cues is None else self._read_cues()


def _log_odds(merged: Tensor) -> Tensor:
    """What soft aggregation made probabilities of, ``[1, K, h, w]``."""
    logs = merged.clamp(min=_UNSURE).log()
    relative = logs[:, 1:] - logs[:, :1]  # to the background, whose log-odds are minus the greatest
    return relative - relative.amax(dim=1, keepdim=True) / 2


def _on_host(maps: Tensor) -> NDArray[np.float32]:
    return np.ascontiguousarray(maps.float().cpu().numpy(), np.float32)
