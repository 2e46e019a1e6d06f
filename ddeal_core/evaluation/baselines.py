"""What a user gets without learning: the first mask kept, or carried along optical flow.

Any network must beat both. Flow is OpenCV's DIS (Kroeger et al., ECCV 2016), preset medium.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from ddeal_core.errors import ConfigError, MaskError

__all__ = ["carry_along_flow", "copy_first_mask"]

_SMALLEST = 16
"""Frames with a shorter side than this are too small for DIS; the mask stays where it is."""


def copy_first_mask(
    frames: Iterable[NDArray[np.uint8]], mask: NDArray[np.uint8]
) -> Iterator[NDArray[np.uint8]]:
    """Yield the first mask for every frame.

    Args:
        frames: ``[H, W, 3]`` uint8 RGB, the masked one first.
        mask: ``[H, W]`` uint8 labels of the first frame.

    Yields:
        ``[H, W]`` uint8 labels, one map a frame.

    Raises:
        MaskError: The mask has another size or type than a frame.
    """
    for frame in frames:
        _check(frame, mask)
        yield mask.copy()


def carry_along_flow(
    frames: Iterable[NDArray[np.uint8]],
    mask: NDArray[np.uint8],
    *,
    carry: Literal["labels", "soft"] = "labels",
) -> Iterator[NDArray[np.uint8]]:
    """Yield the mask carried from frame to frame along backward optical flow.

    Every pixel looks up where it was in the frame before and takes what was there. Beyond the
    edge it takes what is at the edge.

    Args:
        frames: ``[H, W, 3]`` uint8 RGB, the masked one first.
        mask: ``[H, W]`` uint8 labels of the first frame; 255 counts as background.
        carry: ``"labels"`` carries the labels, to the nearest pixel; ``"soft"`` carries one
            float map an object, interpolated, and labels a pixel by the highest.

    Yields:
        ``[H, W]`` uint8 labels, one map a frame.

    Raises:
        MaskError: The mask has another size or type than a frame.
    """
    if carry not in ("labels", "soft"):
        raise ConfigError(f"unknown way to carry a mask {carry!r}; choose labels or soft")
    # OpenCV's stubs know nothing of a missing first guess.
    dense: Any = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    labels = np.where(mask == 255, 0, mask).astype(np.uint8)
    ids = np.unique(np.append(labels, 0)).astype(np.uint8)  # background first
    soft = carry == "soft"
    maps: list[NDArray[Any]] = [(labels == i).astype(np.float32) for i in ids] if soft else [labels]
    before: NDArray[Any] | None = None
    for frame in frames:
        _check(frame, mask)
        grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
        if before is not None and min(grey.shape) >= _SMALLEST:
            flow = dense.calc(grey, before, None)
            maps = _carry(maps, flow, how=cv2.INTER_LINEAR if soft else cv2.INTER_NEAREST)
        before = grey
        yield ids[np.argmax(maps, axis=0)] if soft else maps[0].copy()


def _carry(maps: list[NDArray[Any]], flow: NDArray[np.float32], *, how: int) -> list[NDArray[Any]]:
    height, width = flow.shape[:2]
    x = flow[..., 0] + np.arange(width, dtype=np.float32)
    y = flow[..., 1] + np.arange(height, dtype=np.float32)[:, None]
    return [np.asarray(cv2.remap(m, x, y, how, borderMode=cv2.BORDER_REPLICATE)) for m in maps]


def _check(frame: NDArray[np.uint8], mask: NDArray[np.uint8]) -> None:
    if mask.ndim != 2 or mask.dtype != np.uint8 or frame.shape != (*mask.shape, 3):
        raise MaskError(
            f"a mask of {mask.shape} {mask.dtype} does not fit a frame of {frame.shape}; "
            "it must be HxW uint8 labels at the size of the frame"
        )
