"""Colours, text and outlines of the figures; quick enough for a video."""

from __future__ import annotations

from functools import cache, lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from ddeal_core.media.masks.palette import davis_palette
from ddeal_core.media.matting.background import Colour

ImageArray = NDArray[np.uint8]

PAPER: Colour = (22, 23, 27)
INK: Colour = (236, 236, 238)
QUIET: Colour = (150, 152, 160)

_SIGNED = ((64, 156, 255), (28, 70, 130), (13, 13, 16), (150, 72, 20), (255, 170, 64))


@cache
def colour_table(*, signed: bool) -> ImageArray:
    """256 RGB colours, ``[256, 3]`` uint8: inferno, or blue over black to orange."""
    if signed:
        steps = np.linspace(0, 255, len(_SIGNED))
        channels = np.array(_SIGNED, np.float64).T
        table = np.stack([np.interp(np.arange(256), steps, c) for c in channels], axis=1)
        return table.round().astype(np.uint8)
    ramp = np.arange(256, dtype=np.uint8)[:, None]
    return np.ascontiguousarray(cv2.applyColorMap(ramp, cv2.COLORMAP_INFERNO)[:, 0, ::-1])


def paint(values: NDArray[np.float32], *, signed: bool, limit: float = 1.0) -> ImageArray:
    """Turn a map into colours.

    Args:
        values: ``[H, W]``.
        signed: From ``-limit`` to ``limit`` instead of 0 to 1.
        limit: See `signed`.
    """
    level = values / (2 * limit) + 0.5 if signed else values
    places = np.clip(np.rint(level * 255), 0, 255).astype(np.uint8)
    return np.ascontiguousarray(colour_table(signed=signed)[places])


def colour_of(object_id: int) -> Colour:
    """The object's colour of the DAVIS palette, as bright as it gets."""
    colour = davis_palette()[object_id].astype(np.float64)
    red, green, blue = (colour * (255 / max(colour.max(), 1))).round().astype(int).tolist()
    return red, green, blue


def outline(picture: ImageArray, inside: ImageArray, colour: Colour, *, thickness: int = 1) -> None:
    """Draw the border of a region.

    Args:
        picture: ``[H, W, 3]`` RGB, changed in place.
        inside: ``[H, W]`` uint8, not 0 within the region.
        colour: RGB.
        thickness: In pixels.
    """
    contours, _ = cv2.findContours(inside, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(picture, contours, -1, colour, thickness, cv2.LINE_AA)


def write_text(
    picture: ImageArray, text: str, at: tuple[int, int], *, size: int, colour: Colour = INK
) -> int:
    """Write one line; what does not fit is cut off.

    Args:
        picture: ``[H, W, 3]`` RGB, changed in place.
        text: The line.
        at: x of its left end, or less than 0 for its right end that far from the picture's right
            end; y of its upper edge.
        size: Height of the line in pixels.
        colour: RGB.

    Returns:
        Its width.
    """
    if not text:
        return 0
    shape = _text_shape(text, size)
    x = at[0] if at[0] >= 0 else max(0, picture.shape[1] + at[0] - shape.shape[1])
    part = picture[at[1] : at[1] + shape.shape[0], x : x + shape.shape[1]]
    weight = shape[: part.shape[0], : part.shape[1], None].astype(np.uint16)
    ink = np.array(colour, np.uint16)
    part[:] = ((part * (255 - weight) + ink * weight + 127) // 255).astype(np.uint8)
    return int(shape.shape[1])


@lru_cache(maxsize=512)
def _text_shape(text: str, size: int) -> ImageArray:
    font = ImageFont.load_default(size * 0.8)
    width = max(1, round(ImageDraw.Draw(Image.new("L", (1, 1))).textlength(text, font)) + 1)
    image = Image.new("L", (width, size))
    ImageDraw.Draw(image).text((0, size // 2), text, 255, font, anchor="lm")
    return np.asarray(image, np.uint8)
