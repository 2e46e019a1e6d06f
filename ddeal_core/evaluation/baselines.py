"""What a user gets without learning: the first mask kept, or carried along optical flow.

Any network must beat both. Flow is OpenCV's DIS (Kroeger et al., ECCV 2016), preset medium.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ddeal_core.errors import MaskError

_SMALLEST = 16
"""Frames with a shorter side than this are too small for DIS; the mask stays where it is."""


Labels = NDArray[np.uint8]
Given = Labels | Mapping[int, Labels]
"""``[H, W]`` uint8 labels of the first frame, or labels by frame index, one at 0."""


def copy_first_mask(frames: Iterable[NDArray[np.uint8]], mask: Given) -> Iterator[Labels]:
    """Yield the first mask for every frame; objects that begin later are put over it.

    ``frames [H, W, 3]`` uint8 RGB begin with the masked one; labels are ``[H, W]`` uint8.

    Raises:
        MaskError: The mask has another size or type than a frame.
    """
    return _carried(frames, _by_index(mask), lambda labels, *_: labels)


def carry_along_flow(frames: Iterable[NDArray[np.uint8]], mask: Given) -> Iterator[Labels]:
    """Yield the mask carried from frame to frame along backward optical flow.

    Every pixel looks up where it was in the frame before, and takes the label of the nearest pixel
    there. Beyond the edge it takes what is at the edge. Objects that begin later are put over what
    was carried; 255 counts as background. Shapes as in `copy_first_mask`.

    Raises:
        MaskError: The mask has another size or type than a frame.
    """
    # OpenCV's stubs know nothing of a missing first guess.
    dense: Any = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)

    def follow(labels: Labels, before: NDArray[np.uint8], frame: NDArray[np.uint8]) -> Labels:
        if min(labels.shape) < _SMALLEST:
            return labels
        then, now = (cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in (before, frame))
        flow = dense.calc(now, then, None)
        x = flow[..., 0] + np.arange(labels.shape[1], dtype=np.float32)
        y = flow[..., 1] + np.arange(labels.shape[0], dtype=np.float32)[:, None]
        moved = cv2.remap(labels, x, y, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(moved, np.uint8)

    given = {i: np.where(m == 255, 0, m).astype(np.uint8) for i, m in _by_index(mask).items()}
    return _carried(frames, given, follow)


def _carried(
    frames: Iterable[NDArray[np.uint8]],
    given: Mapping[int, Labels],
    follow: Callable[[Labels, NDArray[np.uint8], NDArray[np.uint8]], Labels],
) -> Iterator[Labels]:
    labels, before = np.zeros_like(given[0]), None
    for index, frame in enumerate(frames):
        fresh = given.get(index)
        _check(frame, labels if fresh is None else fresh)
        if before is not None:
            labels = follow(labels, before, frame)
        if fresh is not None:
            labels = np.where(fresh != 0, fresh, labels)
        before = frame
        yield labels.copy()


def _by_index(mask: Given) -> dict[int, Labels]:
    given = dict(mask) if isinstance(mask, Mapping) else {0: mask}
    if 0 not in given:
        raise MaskError("there is no mask for the first frame; begin with the frame that has one")
    return given


def _check(frame: NDArray[np.uint8], mask: NDArray[np.uint8]) -> None:
    if mask.ndim != 2 or mask.dtype != np.uint8 or frame.shape != (*mask.shape, 3):
        raise MaskError(
            f"a mask of {mask.shape} {mask.dtype} does not fit a frame of {frame.shape}; "
            "it must be HxW uint8 labels at the size of the frame"
        )
