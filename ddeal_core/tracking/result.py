"""What the tracker says of one frame."""

from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray

from ddeal_core.tracking.probability_maps import ProbabilityMaps

__all__ = ["Result"]


class Result:
    """Segmentation of one frame at its own size.

    Probabilities stay where they were computed, at the network's size, until they are asked for:
    who wants labels alone pays for nothing else.

    Attributes:
        index: Position of the frame among those that the tracker was fed, from 0.
        object_ids: Ids of the K objects known by now, in the order of the probabilities.
        maps: The probabilities as they were computed.
        labels: ``[H, W]`` uint8, id of the most probable object, 0 for the background.
    """

    def __init__(self, *, index: int, object_ids: tuple[int, ...], maps: ProbabilityMaps) -> None:
        """Take what the tracker found; see the class."""
        self.index = index
        self.object_ids = object_ids
        self.maps = maps
        self.labels: NDArray[np.uint8] = maps.labels(object_ids)

    @cached_property
    def probabilities(self) -> NDArray[np.float32]:
        """``[1 + K, H, W]`` float32, background first; they sum to 1."""
        with torch.inference_mode():
            probabilities: NDArray[np.float32] = self.maps.enlarge(None).float().cpu().numpy()
        return probabilities

    @cached_property
    def alpha(self) -> NDArray[np.uint8]:
        """Opacity of all objects together, ``[H, W]`` uint8: 255 * (1 - p(background))."""
        with torch.inference_mode():
            background = self.maps.enlarge(1)[0].float()
            alpha: NDArray[np.uint8] = (
                ((1 - background) * 255).round().to(torch.uint8).cpu().numpy()
            )
        return alpha
