"""A training clip: frames and their label maps."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated

import cv2
import numpy as np
from numpy.typing import NDArray

from ddeal_core.media.masks.label_images import ids_in
from ddeal_core.settings import Range

IGNORE = 255
"""Label of pixels that no loss or score may count."""

ClipSide = Annotated[int, Range(16, 16_384)]
ClipSize = tuple[ClipSide, ClipSide]
"""(height, width) of a clip's frames, pixels."""


@dataclass(frozen=True, eq=False)
class Clip:
    """Frames with one label map each."""

    images: NDArray[np.uint8]  # ``[T, H, W, 3]`` uint8 RGB
    labels: NDArray[np.uint8]  # ``[T, H, W]`` uint8; 0 background, object ids from 1, 255 ignore

    def __post_init__(self) -> None:
        if self.images.ndim != 4 or self.images.shape[3] != 3 or self.images.dtype != np.uint8:
            raise ValueError(
                f"images must be TxHxWx3 uint8, not {self.images.shape} {self.images.dtype}"
            )
        if self.labels.shape != self.images.shape[:3] or self.labels.dtype != np.uint8:
            raise ValueError(
                f"labels must be {self.images.shape[:3]} uint8, "
                f"not {self.labels.shape} {self.labels.dtype}"
            )

    @property
    def object_ids(self) -> tuple[int, ...]:
        """Ids present anywhere in the clip, ascending, without 0 and 255."""
        return ids_in(self.labels, ignore=IGNORE)

    def __len__(self) -> int:
        return len(self.images)


def shows_objects(labels: NDArray[np.uint8]) -> bool:
    """Whether a label map has any id, other than background and ignored pixels."""
    return bool(cv2.inRange(labels, 1, IGNORE - 1).any())


def closed_up(ids: Iterable[int]) -> NDArray[np.uint8]:
    """``[256]`` uint8, for look-ups: these ids in their order to 1, 2, ..., 255 to itself."""
    table = np.zeros(256, np.uint8)
    table[IGNORE] = IGNORE
    for new, old in enumerate(ids, start=1):
        table[old] = new
    return table
