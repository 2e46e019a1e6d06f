"""The mask of one frame of a video, from hints about it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ddeal_core.errors import InputError
from ddeal_core.interaction.grabcut import grab_cut
from ddeal_core.interaction.hints import Hints
from ddeal_core.media.masks.mask_images import Mask, counted
from ddeal_core.media.sources.frame_source import FrameSource

__all__ = ["image_at", "mask_from_hints"]


def image_at(source: FrameSource, index: int | None = None) -> NDArray[np.uint8]:
    """Read one frame without using the source up.

    Args:
        source: The video.
        index: The frame's number in the whole video; the source's first if None.

    Returns:
        HxWx3 uint8 RGB.

    Raises:
        InputError: The frame is not in the source's range, or cannot be read in advance of a live
            source.
    """
    wanted = source.start if index is None else index
    if source.is_live:
        if wanted != source.start:
            raise InputError(
                f"{source.path} comes once: only its first frame can be looked at beforehand"
            )
        return source.first_image()
    frames = iter(source)
    try:
        for frame in frames:
            if frame.index == wanted:
                return frame.image
    finally:
        frames.close()  # type: ignore[attr-defined]  # a generator
    raise InputError(f"{source.path} has no frame {wanted} (frames are counted from 0)")


def mask_from_hints(
    image: NDArray[np.uint8], hints: Mapping[int, Hints], mask: Mask | None = None
) -> Mask:
    """Make a mask by `grab_cut`, or mend one.

    Args:
        image: HxWx3 uint8 RGB.
        hints: By object id. Empty ones are passed over, unless all are.
        mask: To mend; objects without hints stay as they are, unless there is no hint at all:
            then all get their outline anew.

    Raises:
        InputError: See `grab_cut`.
    """
    said = {number: hint for number, hint in hints.items() if not hint.is_empty}
    if mask is not None and not said:
        said = {number: Hints() for number in mask.object_ids}
    labels = grab_cut(image, said or hints, None if mask is None else mask.labels)
    ids = tuple(int(value) for value in np.unique(labels) if value)
    how = "GrabCut" if mask is None else f"GrabCut, from {mask.understood}"
    return Mask(labels, ids, f"{counted(ids)} ({how})")
