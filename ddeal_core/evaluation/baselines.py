"""What a user gets without learning: the first mask kept, or carried along optical flow.

Any network must beat both. Flow is OpenCV's DIS (Kroeger et al., ECCV 2016), preset medium.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ddeal_core.errors import MaskError

__all__ = ["carry_along_flow", "copy_first_mask"]

_SMALLEST = 16
"""Frames with a shorter side than this are too small for DIS; the mask stays where it is."""


Labels = NDArray[np.uint8]


def copy_first_mask(
    frames: Iterable[NDArray[np.uint8]], mask: Labels | Mapping[int, Labels]
) -> Iterator[Labels]:
    """Yield the first mask for every frame; objects that begin later are put over it.

    Args:
        frames: ``[H, W, 3]`` uint8 RGB, the masked one first.
        mask: ``[H, W]`` uint8 labels of the first frame, or labels by frame index, one at 0.

    Yields:
        ``[H, W]`` uint8 labels, one map a frame.

    Raises:
        MaskError: The mask has another size or type than a frame.
    """
    given = _by_index(mask)
    labels = given[0]
    for index, frame in enumerate(frames):
        fresh = given.get(index)
        if fresh is not None:
            _check(frame, fresh)
            labels = np.where(fresh != 0, fresh, labels)
        _check(frame, labels)
        yield labels.copy()


def carry_along_flow(
    frames: Iterable[NDArray[np.uint8]], mask: Labels | Mapping[int, Labels]
) -> Iterator[Labels]:
    """Yield the mask carried from frame to frame along backward optical flow.

    Every pixel looks up where it was in the frame before, and takes the label of the nearest pixel
    there. Beyond the edge it takes what is at the edge. Objects that begin later are put over what
    was carried.

    Args:
        frames: ``[H, W, 3]`` uint8 RGB, the masked one first.
        mask: ``[H, W]`` uint8 labels of the first frame, or labels by frame index, one at 0;
            255 counts as background.

    Yields:
        ``[H, W]`` uint8 labels, one map a frame.

    Raises:
        MaskError: The mask has another size or type than a frame.
    """
    # OpenCV's stubs know nothing of a missing first guess.
    dense: Any = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    given = {i: np.where(m == 255, 0, m).astype(np.uint8) for i, m in _by_index(mask).items()}
    labels = np.zeros_like(given[0])
    before: NDArray[Any] | None = None
    for index, frame in enumerate(frames):
        fresh = given.get(index)
        _check(frame, labels if fresh is None else fresh)
        grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
        if before is not None and min(grey.shape) >= _SMALLEST:
            labels = _carry(labels, dense.calc(grey, before, None))
        if fresh is not None:
            labels = np.where(fresh != 0, fresh, labels)
        before = grey
        yield labels.copy()


def _by_index(mask: Labels | Mapping[int, Labels]) -> dict[int, Labels]:
    given = dict(mask) if isinstance(mask, Mapping) else {0: mask}
    if 0 not in given:
        raise MaskError("there is no mask for the first frame; begin with the frame that has one")
    return given


def _carry(labels: Labels, flow: NDArray[np.float32]) -> Labels:
    height, width = labels.shape
    x = flow[..., 0] + np.arange(width, dtype=np.float32)
    y = flow[..., 1] + np.arange(height, dtype=np.float32)[:, None]
    moved = cv2.remap(labels, x, y, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(moved, np.uint8)


def _check(frame: NDArray[np.uint8], mask: NDArray[np.uint8]) -> None:
    if mask.ndim != 2 or mask.dtype != np.uint8 or frame.shape != (*mask.shape, 3):
        raise MaskError(
            f"a mask of {mask.shape} {mask.dtype} does not fit a frame of {frame.shape}; "
            "it must be HxW uint8 labels at the size of the frame"
        )
