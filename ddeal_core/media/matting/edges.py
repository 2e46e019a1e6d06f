"""Soft edges at full resolution: alpha that follows the picture, colours without a halo.

The network answers at a few hundred lines. Enlarged, its probability is a wide ramp that cuts
across the object's real outline, and the pixels under that ramp still carry the old background's
colour. Two steps mend this:

1. `refine_alpha` fits, in every small window, alpha as a linear function of colour (the guided
   filter of He, Sun and Tang, 2013, on coefficients of a smaller picture), and steepens what comes
   out.
2. `foreground_colours` takes the old background out of the pixels of the edge (blur fusion,
   Forte, 2021): with I = alpha F + (1 - alpha) B, windowed means of F and B give B, and the rest
   is F.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]

_LINES = 480  # short side at which coefficients are computed
_WINDOW = 1 / 60  # radius of the guided filter's window, as a share of the short side
_SMOOTH = 1e-3  # variance of colour (of 0..1) below which a window counts as flat
_STEEPNESS = 2.0  # of the final ramp; 1 leaves it


class BoundingBox(NamedTuple):
    """Rows and columns that an object and its surroundings take up."""

    rows: slice
    columns: slice

    @classmethod
    def around(cls, mask: NDArray[np.bool_], margin: int) -> BoundingBox | None:
        """The box of a mask with so many pixels around it; None where it is empty."""
        left, top, width, height = cv2.boundingRect(mask.view(np.uint8))
        if not width:
            return None
        return cls(
            slice(max(0, top - margin), min(mask.shape[0], top + height + margin)),
            slice(max(0, left - margin), min(mask.shape[1], left + width + margin)),
        )


def refine_alpha(image: NDArray[np.uint8], probability: Float) -> NDArray[np.uint8]:
    """Sharpen an enlarged probability along the edges that the picture has.

    Far from any edge of the object nothing changes but the steepness. The same input gives the
    same bytes.

    Args:
        image: HxWx3 uint8 RGB.
        probability: HxW float32 of 0 to 1, that a pixel belongs to the object.

    Returns:
        HxW uint8, 0 background to 255 object.

    Raises:
        ValueError: Shapes do not fit.
    """
    return np.asarray(np.rint(refined(image, probability) * np.float32(255)), np.uint8)


def refined(image: NDArray[np.uint8], probability: Float) -> Float:
    """What `refine_alpha` gives, before it is rounded: HxW float32 of 0 to 1."""
    if probability.shape != image.shape[:2]:
        raise ValueError(f"probability is {image.shape[:2]} like the image: {probability.shape}")
    alpha = np.zeros(probability.shape, np.float32)
    short = min(probability.shape)
    radius = max(2, round(short * _WINDOW))
    box = BoundingBox.around(probability > 1 / 512, 2 * radius)
    if box is None:
        return alpha
    scale = max(1.0, short / _LINES)
    steep = _steepened(probability[box], _STEEPNESS)
    fitted = _guided(image[box], steep, radius=max(2, round(radius / scale)), scale=scale)
    alpha[box] = _steepened(fitted, _STEEPNESS)
    return alpha


def _steepened(values: Float, steepness: float) -> Float:
    out = values * np.float32(steepness) + np.float32((1 - steepness) / 2)
    return np.clip(out, 0, 1, out=out)


def _guided(image: NDArray[np.uint8], target: Float, *, radius: int, scale: float) -> Float:
    """Fit ``target = a . colour + b`` in windows of the picture made smaller by `scale`."""
    height, width = target.shape
    small = (max(1, round(width / scale)), max(1, round(height / scale)))
    colour, wanted = image, target
    if small != (width, height):
        colour = cv2.resize(image, small, interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
        wanted = cv2.resize(target, small, interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
    guide = colour.astype(np.float32) / np.float32(255)

    def mean(values: Float) -> Float:
        side = 2 * radius + 1
        return np.asarray(cv2.blur(values, (side, side), borderType=cv2.BORDER_REFLECT))

    r, g, b = cv2.split(guide)
    mean_p = mean(wanted)
    mean_i = mean(guide)
    covariance = mean(guide * wanted[..., None]) - mean_i * mean_p[..., None]
    mr, mg, mb = cv2.split(mean_i)
    # the six entries of the window's 3x3 covariance of colour, and its inverse by cofactors
    rr = mean(r * r) - mr * mr + np.float32(_SMOOTH)
    gg = mean(g * g) - mg * mg + np.float32(_SMOOTH)
    bb = mean(b * b) - mb * mb + np.float32(_SMOOTH)
    rg, rb, gb = mean(r * g) - mr * mg, mean(r * b) - mr * mb, mean(g * b) - mg * mb
    c_rr, c_rg, c_rb = gg * bb - gb * gb, gb * rb - rg * bb, rg * gb - gg * rb
    c_gg, c_gb, c_bb = rr * bb - rb * rb, rg * rb - rr * gb, rr * gg - rg * rg
    over = 1 / (rr * c_rr + rg * c_rg + rb * c_rb)
    x, y, z = cv2.split(covariance)
    slope = cv2.merge(
        [
            (c_rr * x + c_rg * y + c_rb * z) * over,
            (c_rg * x + c_gg * y + c_gb * z) * over,
            (c_rb * x + c_gb * y + c_bb * z) * over,
        ]
    )
    offset = mean_p - (slope * mean_i).sum(axis=2)
    slope, offset = mean(slope), mean(offset)
    if small != (width, height):
        slope = cv2.resize(slope, (width, height), interpolation=cv2.INTER_LINEAR)
        offset = cv2.resize(offset, (width, height), interpolation=cv2.INTER_LINEAR)
    fitted = offset
    for channel in range(3):
        fitted += slope[..., channel] * (image[..., channel] * np.float32(1 / 255))
    return np.asarray(fitted, np.float32)


def foreground_colours(image: NDArray[Any], alpha: NDArray[Any]) -> NDArray[Any]:
    """Estimate the object's own colour in every pixel that it shares with the background.

    Args:
        image: HxWx3 uint8 or uint16 RGB.
        alpha: HxW of the same type, 0 background to 255 (65535) object.

    Returns:
        HxWx3 RGB, a new array: the image where alpha is full, the estimate at the edge and
        carried on for 1/30 of the short side outside it, the image beyond.

    Raises:
        ValueError: Shapes do not fit.
    """
    if alpha.shape != image.shape[:2] or alpha.dtype != image.dtype:
        raise ValueError(f"alpha is {image.shape[:2]} {image.dtype} like the image: {alpha.shape}")
    top = np.float32(np.iinfo(alpha.dtype).max)
    out = image.copy()
    short = min(alpha.shape)
    margin = max(4, round(short / 30))
    box = BoundingBox.around(alpha > 0, 2 * margin)
    if box is None:
        return out
    region, share = out[box], alpha[box]
    wanted = (share < top) & (cv2.dilate(share, np.ones((2 * margin + 1,) * 2, np.uint8)) > 0)
    height, width = share.shape
    scale = max(1.0, short / _LINES)
    small = (max(1, round(width / scale)), max(1, round(height / scale)))
    picture = _shrunk(region, small).astype(np.float32)
    weight = _shrunk(share, small).astype(np.float32) / top
    layers = _layers(picture, weight, max(4, round(margin / scale)), top)
    if small != (width, height):
        layers = tuple(
            np.asarray(cv2.resize(layer, (width, height)), np.float32) for layer in layers
        )
    front, back = (layer[wanted] for layer in layers)
    part = share[wanted].astype(np.float32) / top
    unmixed = _unmixed(region[wanted], part, front, back, top)
    region[wanted] = np.rint(unmixed).astype(image.dtype)
    return out


def _shrunk(values: NDArray[Any], size: tuple[int, int]) -> NDArray[Any]:
    if values.shape[1::-1] == size:
        return values
    return np.asarray(cv2.resize(values, size, interpolation=cv2.INTER_AREA))


def _layers(picture: Float, weight: Float, reach: int, top: np.float32) -> tuple[Float, ...]:
    """Smooth colours of the object and of the background, first from afar, then from near by."""
    height, width = weight.shape
    scale = max(1, reach // 5)
    coarse = (max(1, width // scale), max(1, height // scale))
    less = np.asarray(cv2.resize(picture, coarse, interpolation=cv2.INTER_AREA), np.float32)
    light = np.asarray(cv2.resize(weight, coarse, interpolation=cv2.INTER_AREA), np.float32)
    flat = np.broadcast_to(less.mean(axis=(0, 1), keepdims=True), less.shape)
    radius = max(1, 2 * reach // scale)
    far = _means(less, less, light, radius, start=(flat, flat))
    front, back = (np.asarray(cv2.resize(layer, (width, height)), np.float32) for layer in far)
    near = max(2, reach // 5)
    unmixed = _unmixed(picture, weight, front, back, top)
    return _means(unmixed, picture, weight, near, start=(front, back))


def _means(
    front: Float, back: Float, weight: Float, radius: int, *, start: tuple[Float, Float]
) -> tuple[Float, Float]:
    """Means of each layer, weighted by its share of the pixel; `start` where a window has none."""
    side = (2 * radius + 1, 2 * radius + 1)
    few = np.float32(1e-4)
    means = []
    for layer, share, fallback in ((front, weight, start[0]), (back, 1 - weight, start[1])):
        wide = cv2.merge([share] * 3)
        inside = np.asarray(cv2.blur(layer * wide, side))
        total = np.asarray(cv2.blur(share, side)) + few
        mean = (inside + few * fallback) / cv2.merge([total] * 3)
        means.append(np.asarray(mean, np.float32))
    return means[0], means[1]


def _unmixed(
    picture: NDArray[Any], weight: Float, front: Float, back: Float, top: np.float32
) -> Float:
    """Correct the front layer by what the two together do not explain."""
    share = weight[..., None]
    out = front + share * (picture - back + share * (back - front))
    return np.clip(out, 0, top, out=out)
