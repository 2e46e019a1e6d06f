"""What the values of a mask image mean: ids, a soft edge, or colours.

The one test behind most decisions: ids fill areas, soft values line edges. A pixel is "flat" if
it lies in a 2x2 square of a single value.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from ddeal_core.errors import MaskError
from ddeal_core.media.masks.palette import davis_palette

_THRESHOLD = 128
_MANY = 32  # more distinct values than a person paints by hand
_NEAR_GREY = 24  # colour noise of JPEG on a black-and-white picture


class Reading(NamedTuple):
    """Labels (HxW uint8, 0..254) and, in a few words, how they were got."""

    labels: NDArray[np.uint8]
    kind: str


def from_indices(indices: NDArray[np.uint8], palette: NDArray[np.uint8]) -> Reading:
    """Take palette indices (HxW uint8) as ids, 255 as background; the palette is 256x3 RGB."""
    used = np.unique(indices)
    ramp = (palette[used] == used[:, None]).all()
    if ramp and used[-1] == 255:  # grey in disguise: 255 is white, not "ignore"
        return from_grey(indices, lossy=False)
    return _without_ignored(indices, "palette")


def from_alpha(alpha: NDArray[np.uint8]) -> Reading:
    """Take opaque pixels as the object."""
    return Reading((alpha >= _THRESHOLD).astype(np.uint8), "alpha")


def from_grey(grey: NDArray[np.uint8], *, lossy: bool) -> Reading:
    """Take grey values as black and white, as ids, or as a soft mask.

    Raises:
        MaskError: 255 and other values fill areas: 255 is no id, and the mask is not soft.
    """
    values = np.unique(grey)
    marks = values[values > 0]
    if lossy:
        return _soft(grey, "lossy grey, 128 and more is the object")
    if len(marks) == 0:
        return Reading(np.zeros_like(grey), "grey")
    if len(marks) == 1 and marks[0] in (1, 255):
        return Reading((grey > 0).astype(np.uint8), "black and white")
    between = (grey > 0) & (grey < 255)
    flat = _flat(grey)
    areas = np.count_nonzero(between & flat) * 2 >= np.count_nonzero(between)
    if marks[-1] < 255:
        if areas or len(marks) <= _MANY:
            return Reading(grey.copy(), "grey values as ids")
        return _soft(grey, "soft grey, 128 and more is the object")
    if not areas or len(marks) > _MANY:  # a wide feather has small areas too
        return _soft(grey, "soft grey, 128 and more is the object")
    # data sets draw "ignore" as a line of some 5 pixels around objects
    if cv2.erode((grey == 255).astype(np.uint8), np.ones((7, 7), np.uint8)).any():
        others = ", ".join(str(value) for value in marks[:-1][:8])
        raise MaskError(
            f"its grey values {others} and 255 all fill areas, but object ids are 1 to 254: "
            "give the object of value 255 another one"
        )
    return _without_ignored(grey, "grey values as ids")


def is_soft(grey: NDArray[np.uint8], *, lossy: bool) -> bool:
    """Whether grey values are a soft mask: many of them, or few that line edges only."""
    between = (grey > 0) & (grey < 255)
    count = np.count_nonzero(between)
    if lossy or not count:
        return lossy
    lines = np.count_nonzero(between & _flat(grey)) * 2 < count
    return bool((grey == 255).any() and (len(np.unique(grey)) > _MANY or lines))


def from_colours(rgb: NDArray[np.uint8], *, lossy: bool) -> Reading:
    """Take colours as ids: those of the palette if all are in it, else in order of reading.

    Raises:
        MaskError: More colours than a mask has, or colours of a lossy file.
    """
    wide = rgb.astype(np.int16)
    spread = wide.max(axis=2) - wide.min(axis=2)
    if spread.max() == 0 or (lossy and spread.max() <= _NEAR_GREY):
        return from_grey(np.ascontiguousarray(rgb[..., 1]), lossy=lossy)
    if lossy:
        raise MaskError("the colours of a lossy file are not exact; save the mask as PNG")
    r, g, b = (rgb[..., channel].astype(np.int32) for channel in range(3))
    codes = (r << 16) | (g << 8) | b
    colours, first, inverse = np.unique(codes, return_index=True, return_inverse=True)
    inverse = inverse.reshape(codes.shape)
    known = davis_palette().astype(np.int32)
    known_codes = (known[:, 0] << 16) | (known[:, 1] << 8) | known[:, 2]
    order = np.argsort(known_codes)
    place = np.clip(np.searchsorted(known_codes[order], colours), 0, 255)
    if (known_codes[order][place] == colours).all():
        ids = order[place].astype(np.uint8)
        return _without_ignored(ids[inverse], "colours of the DAVIS palette")
    kind = "colours in reading order"
    if len(colours) > 16:  # painted with a soft brush: mixtures along the edges
        inverse, kept = _without_mixtures(inverse.astype(np.int32), colours)
        first = np.array([np.argmax(inverse.ravel() == index) for index in kept])
        kind += ", soft edges to the nearest"
    else:
        kept = np.arange(len(colours))
    back = _background(inverse, colours)
    objects = [int(kept[i]) for i in np.argsort(first) if kept[i] != back]
    if len(objects) > 254:
        raise MaskError(f"it has {len(objects)} colours: that is a picture, not a mask")
    ids = np.zeros(len(colours), np.uint8)
    names = []
    for number, index in enumerate(objects, start=1):
        ids[index] = number
        names.append(f"{number} = #{colours[index]:06x}")
    shown = ", ".join(names[:6]) + (", ..." if len(names) > 6 else "")
    if colours[back] != 0:
        kind += f", background #{colours[back]:06x}"
    return Reading(ids[inverse], f"{kind}: {shown}")


def _soft(grey: NDArray[np.uint8], kind: str) -> Reading:
    return Reading((grey >= _THRESHOLD).astype(np.uint8), kind)


def _without_ignored(labels: NDArray[np.uint8], kind: str) -> Reading:
    ignored = labels == 255
    if ignored.any():
        kind += "; 255, ignore, taken as background"
    return Reading(np.where(ignored, 0, labels).astype(np.uint8), kind)


def _flat(values: NDArray[np.integer]) -> NDArray[np.bool_]:
    corner = values[:-1, :-1]
    same = (corner == values[1:, :-1]) & (corner == values[:-1, 1:]) & (corner == values[1:, 1:])
    flat = np.zeros(values.shape, np.bool_)
    for rows in (slice(None, -1), slice(1, None)):
        for columns in (slice(None, -1), slice(1, None)):
            flat[rows, columns] |= same
    return flat


def _without_mixtures(
    inverse: NDArray[np.int32], colours: NDArray[np.int32]
) -> tuple[NDArray[np.int32], NDArray[np.intp]]:
    """Give every colour that fills no area to the nearest one that does.

    Returns:
        The map of colour numbers, and the numbers still in it.

    Raises:
        MaskError: No colour fills an area, or too many do: a photograph.
    """
    flat = _flat(inverse)
    solid = np.unique(inverse[flat])
    if not 2 <= len(solid) <= 255 or np.count_nonzero(flat) * 2 < flat.size:
        raise MaskError(
            f"it has {len(colours)} colours: that is a picture, not a mask of flat colours"
        )
    channels = np.stack([colours >> 16, (colours >> 8) & 255, colours & 255], axis=1)
    nearest = np.empty(len(colours), np.int32)
    for begin in range(0, len(colours), 4096):
        part = channels[begin : begin + 4096, None].astype(np.int64) - channels[None, solid]
        nearest[begin : begin + 4096] = solid[(part**2).sum(axis=2).argmin(axis=1)]
    return nearest[inverse], solid.astype(np.intp)


def _background(inverse: NDArray[np.integer], colours: NDArray[np.integer]) -> int:
    """Black if there is any, else the commonest colour of the border; as a colour number."""
    if colours[0] == 0:
        return 0
    border = np.concatenate((inverse[0], inverse[-1], inverse[:, 0], inverse[:, -1]))
    return int(np.bincount(border).argmax())
