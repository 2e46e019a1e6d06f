"""What the tracker says of one frame."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Result"]


@dataclass(frozen=True, slots=True)
class Result:
    """Segmentation of one frame at its own size.

    Attributes:
        index: Position of the frame among those that the tracker was fed, from 0.
        object_ids: Ids of the K objects known by now, in the order of the probabilities.
        labels: ``[H, W]`` uint8, id of the most probable object, 0 for the background.
        probabilities: ``[1 + K, H, W]`` float32, background first; they sum to 1.
    """

    index: int
    object_ids: tuple[int, ...]
    labels: NDArray[np.uint8]
    probabilities: NDArray[np.float32]

    @property
    def alpha(self) -> NDArray[np.uint8]:
        """Opacity of all objects together, ``[H, W]`` uint8: 255 * (1 - p(background))."""
        alpha: NDArray[np.uint8] = np.rint((1 - self.probabilities[0]) * 255).astype(np.uint8)
        return alpha
