"""Scaling of frames and masks to the resolution that the network sees."""

from math import prod

import cv2
import numpy as np
from numpy.typing import NDArray

# Enlarging helps with small objects in small videos; more of it shows the network nothing new.
_MOST_ENLARGED = 2


def scaled_size(height: int, width: int, short_side: int | None) -> tuple[int, int]:
    """The (height, width) at which the network sees a frame.

    Args:
        height: Of the frame.
        width: Of the frame.
        short_side: Pixels that its short side shall have; None leaves it. Frames are enlarged to
            twice their size at most.
    """
    if short_side is None:
        return height, width
    scale = min(short_side / min(height, width), _MOST_ENLARGED)
    return max(1, round(height * scale)), max(1, round(width * scale))


def scale_image(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Bring ``[H, W, 3]`` to (height, width); the same array where it has that size."""
    if image.shape[:2] == size:
        return image
    way = cv2.INTER_AREA if prod(size) < prod(image.shape[:2]) else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(image, size[::-1], interpolation=way), np.uint8)


def scale_mask(
    mask: NDArray[np.float32], size: tuple[int, int], *, nearest: bool
) -> NDArray[np.float32]:
    """Bring ``[H, W]``, 0 to 1, to (height, width); ``nearest`` keeps 0 and 1 what they are."""
    if mask.shape == size:
        return mask
    way = cv2.INTER_AREA if prod(size) < prod(mask.shape) else cv2.INTER_LINEAR
    way = cv2.INTER_NEAREST_EXACT if nearest else way
    return np.asarray(cv2.resize(mask, size[::-1], interpolation=way), np.float32)
