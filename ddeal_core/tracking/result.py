"""What the tracker says of one frame."""

from collections.abc import Callable
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ddeal_core.cues.frame_cues import FrameCues
from ddeal_core.tracking.maps import Maps

__all__ = ["Result"]


class Result:
    """Segmentation of one frame at its own size.

    Probabilities stay where they were computed, at the network's size, until they are asked for:
    who wants labels alone pays for nothing else.

    Attributes:
        index: Position of the frame among those that the tracker was fed, from 0.
        object_ids: Ids of the K objects known by now, in the order of the probabilities.
        labels: ``[H, W]`` uint8, id of the most probable object, 0 for the background.
        maps: What it grows from; None before any object is given, and for joined results.
    """

    def __init__(
        self,
        *,
        index: int,
        object_ids: tuple[int, ...],
        labels: NDArray[np.uint8],
        enlarge: Callable[[int | None], Tensor],
        read_cues: Callable[[], FrameCues | None] | None = None,
        maps: Maps | None = None,
    ) -> None:
        """Take what the tracker found.

        Args:
            index: See the class.
            object_ids: See the class.
            labels: See the class.
            enlarge: Computes the first so many maps of the probabilities, all for None, at the
                frame's size: ``[*, H, W]``, on any device.
            read_cues: Reads the cues of the frame; None where there are none.
            maps: What all of it is made of, where a tracker made it.
        """
        self.index = index
        self.object_ids = object_ids
        self.labels = labels
        self._enlarge = enlarge
        self._read_cues = read_cues
        self.maps = maps

    @classmethod
    def without_objects(cls, index: int, size: tuple[int, int]) -> "Result":
        """Make the result of a frame before any object is given: all is background."""
        return cls(
            index=index,
            object_ids=(),
            labels=np.zeros(size, np.uint8),
            enlarge=lambda _: torch.ones(1, *size),
        )

    @classmethod
    def of_maps(
        cls,
        maps: Maps,
        *,
        labels: NDArray[np.uint8],
        index: int,
        object_ids: tuple[int, ...],
        read_cues: Callable[[], FrameCues | None] | None = None,
    ) -> "Result":
        """Make the result that grows from a frame's maps."""
        return cls(
            index=index,
            object_ids=object_ids,
            labels=labels,
            enlarge=lambda count: maps.background()[None] if count == 1 else maps.probabilities(),
            read_cues=read_cues,
            maps=maps,
        )

    @cached_property
    def probabilities(self) -> NDArray[np.float32]:
        """``[1 + K, H, W]`` float32, background first; they sum to 1."""
        with torch.inference_mode():
            probabilities: NDArray[np.float32] = self._enlarge(None).float().cpu().numpy()
        return probabilities

    @cached_property
    def alpha(self) -> NDArray[np.uint8]:
        """Opacity of all objects together, ``[H, W]`` uint8: 255 * (1 - p(background))."""
        with torch.inference_mode():
            background = self._enlarge(1)[0].float()
            alpha: NDArray[np.uint8] = (
                ((1 - background) * 255).round().to(torch.uint8).cpu().numpy()
            )
        return alpha

    @cached_property
    def cues(self) -> FrameCues | None:
        """What led there: matching, appearance, propagation; see `FrameCues`.

        None unless the tracker keeps cues (`keep_cues`), and where nothing was predicted: on
        frames up to the one on which the first object is given. An object that is given on this
        frame has none yet, and one that is followed backwards has none.
        """
        return None if self._read_cues is None else self._read_cues()
