"""The mask of one frame of a video, from hints about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ddeal_core.choices import HintMethod
from ddeal_core.errors import InputError
from ddeal_core.interaction.grabcut import grab_cut
from ddeal_core.interaction.hints import OBJECT, Hints, check_image, marked
from ddeal_core.media.masks.mask_images import Mask, counted_objects
from ddeal_core.media.sources.frame_source import FrameSource
from ddeal_core.media.sources.live_source import LiveSource
from ddeal_core.settings import check_value

if TYPE_CHECKING:
    from ddeal_core.interaction.mask_finder import Picture

_EDGE = 0.5  # how sure it must be that a pixel is an object's
_DISC = 1 / 300  # of the frame's short side: radius of what a click settles, whatever is found


def image_at(source: FrameSource, index: int | None = None) -> NDArray[np.uint8]:
    """Read one frame, HxWx3 uint8 RGB, without using the source up.

    Its index is that in the whole video; None is the source's first.

    Raises:
        InputError: The frame is not in the source's range, or cannot be read in advance of a live
            source.
    """
    wanted = source.start if index is None else index
    if isinstance(source, LiveSource):
        if wanted != source.start:
            raise InputError(
                f"{source.path} comes once: only its first frame can be looked at beforehand"
            )
        return source.first_image()
    for frame in source.part(wanted, wanted + 1):
        return frame.image
    raise InputError(f"{source.path} has no frame {wanted} (frames are counted from 0)")


def first_mask(
    image: NDArray[np.uint8] | Picture,
    hints: Mapping[int, Hints],
    labels: NDArray[np.uint8] | None = None,
) -> NDArray[np.uint8]:
    """Find objects from boxes, points and strokes, or mend masks by them, with the network.

    What is marked as an object's is that object's, and no other's. A pixel that several claim goes
    to the one that is surer of it. The same input gives the same bytes.

    Args:
        image: HxWx3 uint8 RGB; or a `Picture` of it, which answers further hints sooner.
        hints: By object id, 1 to 254.
        labels: HxW uint8, a mask to mend. Its objects that have hints, empty ones too, are
            outlined anew, beginning with the mask that they have; the others stay as they are.

    Returns:
        HxW uint8 labels: 0 background, else the object's id. Every object has at least one pixel.

    Raises:
        InputError: A hint contradicts itself, another hint, or the frame's size; or nothing is
            left of an object.
        MaskError: An id is out of range, or the mask has another size.
        WeightsError: The network's weights are not there.
    """
    old = check_image(image if isinstance(image, np.ndarray) else image.image, hints, labels)

    from ddeal_core.interaction.mask_finder import Picture  # torch: what is refused needs none

    picture = Picture(image) if isinstance(image, np.ndarray) else image
    kept = np.where(np.isin(old, list(hints)), 0, old).astype(np.uint8)
    out = np.zeros(old.shape, np.uint8)
    surest = np.full(old.shape, _EDGE, np.float32)
    radius = round(min(old.shape) * _DISC)
    for number in sorted(hints):
        marks = marked(hints, number, picture.size, radius=radius)
        found = picture.probability(hints, number, old == number, marks)
        found[(kept > 0) & (marks != OBJECT)] = 0
        peak = float(found.max())
        if 0 < peak <= _EDGE:  # not sure of a single pixel: the likeliest ones
            found = np.where(found >= 0.5 * peak, found + _EDGE, 0).astype(np.float32)
        found[marks == OBJECT] = 2
        mine = found > surest
        out[mine], surest[mine] = number, found[mine]
    for number in hints:
        if not (out == number).any():
            raise InputError(
                f"nothing is found of object {number}, or others take all its pixels: "
                "give a point on it, or smaller boxes"
            )
    return np.where(out > 0, out, kept).astype(np.uint8)


def mask_from_hints(
    image: NDArray[np.uint8],
    hints: Mapping[int, Hints],
    mask: Mask | None = None,
    *,
    method: HintMethod = "network",
) -> Mask:
    """Make a mask by `first_mask` or by `grab_cut` (for drawings and plain grounds), or mend one.

    Args:
        image: HxWx3 uint8 RGB.
        hints: By object id. Empty ones are passed over, unless all are.
        mask: To mend; objects without hints stay as they are, unless there is no hint at all:
            then all get their outline anew.
        method: Which of the two.

    Raises:
        InputError: There is no such method; or see `first_mask`.
    """
    check_value("the method", method, HintMethod)
    said = {number: hint for number, hint in hints.items() if not hint.is_empty}
    if mask is not None and not said:
        said = {number: Hints() for number in mask.object_ids}
    make = grab_cut if method == "grabcut" else first_mask
    labels = make(image, said or hints, None if mask is None else mask.labels)
    ids = tuple(int(value) for value in np.unique(labels) if value)
    how = "by GrabCut" if method == "grabcut" else "by the network"
    return Mask(
        labels,
        ids,
        f"{counted_objects(ids)} ({how if mask is None else f'{how}, from {mask.understood}'})",
    )
