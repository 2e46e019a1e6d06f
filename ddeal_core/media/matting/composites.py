"""Pictures made from a frame and its cut-out."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ddeal_core.media.masks.palette import davis_palette

_BLUR = 0.03  # standard deviation of a blurred background, as a share of the short side


def _check(image: NDArray[Any], plane: NDArray[Any], name: str) -> None:
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype not in (np.uint8, np.uint16):
        raise ValueError(f"image is HxWx3 uint8 or uint16, not {image.shape} {image.dtype}")
    if plane.shape != image.shape[:2] or plane.dtype != image.dtype:
        raise ValueError(
            f"{name} is {image.shape[0]}x{image.shape[1]} {image.dtype} like the image, "
            f"not {plane.shape} {plane.dtype}"
        )


def deepened(image: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """8-bit values in 16 bits, where `dtype` is uint16; others as they are."""
    if image.dtype == np.uint8 and dtype == np.uint16:
        return image.astype(np.uint16) * np.uint16(257)
    return image


def overlay(
    image: NDArray[np.uint8],
    labels: NDArray[np.uint8],
    *,
    opacity: float = 0.5,
    contours: bool = True,
) -> NDArray[np.uint8]:
    """Tint every object with its colour of the DAVIS palette.

    Args:
        image: HxWx3 uint8 RGB.
        labels: HxW uint8, 0 background, else the object's id.
        opacity: Of the tint, 0 (none) to 1 (flat colour).
        contours: Draw each object's inner outline, 1 pixel for each 240 of the short side.

    Returns:
        HxWx3 uint8 RGB, a new array.

    Raises:
        ValueError: Shapes do not fit, or `opacity` is outside 0..1.
    """
    _check(image, labels, "labels")
    if not 0 <= opacity <= 1:
        raise ValueError(f"opacity is 0 to 1, not {opacity}")
    out = image.copy()
    inside = labels > 0
    if not inside.any():
        return out
    colours = davis_palette()[labels[inside]]
    weight = round(opacity * 256)
    mixed = image[inside].astype(np.uint16) * (256 - weight) + colours.astype(np.uint16) * weight
    out[inside] = np.minimum((mixed + 128) >> 8, 255).astype(np.uint8)
    if contours:
        thick = max(1, round(min(labels.shape) / 240))
        kernel = np.ones((2 * thick + 1, 2 * thick + 1), np.uint8)
        edge = (cv2.erode(labels, kernel) != labels) | (cv2.dilate(labels, kernel) != labels)
        edge &= inside
        out[edge] = davis_palette()[labels[edge]]
    return out


def over(
    image: NDArray[Any], alpha: NDArray[Any], background: NDArray[Any] | tuple[int, int, int]
) -> NDArray[Any]:
    """Put the cut-out before another picture: ``alpha * image + (1 - alpha) * background``.

    Args:
        image: HxWx3 uint8 or uint16 RGB, the object's colours.
        alpha: HxW of the same type, 0 background to 255 (65535) object.
        background: HxWx3 RGB of that type or uint8, or one colour, each channel 0 to 255.

    Returns:
        HxWx3 RGB of the image's type, rounded to nearest.

    Raises:
        ValueError: Shapes do not fit, or the colour is none.
    """
    _check(image, alpha, "alpha")
    if isinstance(background, tuple):
        if len(background) != 3 or not all(0 <= value <= 255 for value in background):
            raise ValueError(f"a colour is three numbers of 0 to 255, not {background}")
        back = np.array(background, np.uint8)
    else:
        if background.shape != image.shape:
            raise ValueError(f"background is {image.shape} like the image: {background.shape}")
        back = background
    if image.dtype == np.uint16:
        back = deepened(back, image.dtype).astype(np.float32)
        share = (alpha.astype(np.float32) / np.float32(65535))[..., None]
        return np.rint(back + share * (image - back)).astype(np.uint16)
    back = back.astype(np.uint16)
    weight = alpha.astype(np.uint16)[..., None]
    # at most 255 * 255 + 127, which 16 bits hold
    return ((image * weight + back * (255 - weight) + np.uint16(127)) // 255).astype(np.uint8)


def blurred_background(image: NDArray[Any], alpha: NDArray[Any]) -> NDArray[Any]:
    """Blur what is behind the object, without the object's colours bleeding into it.

    Args:
        image: HxWx3 uint8 or uint16 RGB.
        alpha: HxW of the same type, 0 background to 255 (65535) object.

    Returns:
        HxWx3 RGB of that type: the blurred background alone.

    Raises:
        ValueError: Shapes do not fit.
    """
    _check(image, alpha, "alpha")
    height, width = alpha.shape
    sigma = _BLUR * min(height, width)
    # so wide a blur loses nothing in a smaller picture
    scale = max(1.0, sigma / 4)
    small = (max(1, round(width / scale)), max(1, round(height / scale)))
    # the object's fringe is left out too
    top = np.iinfo(alpha.dtype).max
    clear = cv2.erode(top - alpha, np.ones((3, 3), np.uint8)).astype(np.float32) / top
    weighted = cv2.resize(image * clear[..., None], small, interpolation=cv2.INTER_AREA)
    share = cv2.resize(clear, small, interpolation=cv2.INTER_AREA)
    blur = sigma / scale
    near = cv2.GaussianBlur(weighted, (0, 0), blur, borderType=cv2.BORDER_REFLECT)
    total = cv2.GaussianBlur(share, (0, 0), blur, borderType=cv2.BORDER_REFLECT)[..., None]
    # far inside the object there is no background near by: take it from farther away
    far = cv2.GaussianBlur(weighted, (0, 0), 6 * blur, borderType=cv2.BORDER_REFLECT)
    far_total = cv2.GaussianBlur(share, (0, 0), 6 * blur, borderType=cv2.BORDER_REFLECT)[..., None]
    mean = (near + 0.01 * far) / np.maximum(total + 0.01 * far_total, 1e-6)
    large = cv2.resize(mean, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.clip(np.rint(large), 0, top).astype(image.dtype)


def straight_alpha(
    image: NDArray[Any], alpha: NDArray[Any], *, margin: int | None = 16
) -> NDArray[Any]:
    """Join colour and alpha, colour not multiplied (straight, unassociated alpha).

    Args:
        image: HxWx3 uint8 or uint16 RGB, the object's colours.
        alpha: HxW of the same type, 0 background to 255 (65535) object.
        margin: Colour is kept so many pixels around the object, so that no codec's blocks bleed
            black into its edge; farther away it is black, so that a player that ignores alpha
            does not show the background. None keeps the whole picture.

    Returns:
        HxWx4 RGBA of that type.

    Raises:
        ValueError: Shapes do not fit, or `margin` is negative.
    """
    _check(image, alpha, "alpha")
    rgba = cv2.merge([*cv2.split(image), alpha])
    if margin is None:
        return rgba
    if margin < 0:
        raise ValueError(f"margin is not negative: {margin}")
    inside = (alpha > 0).view(np.uint8)
    near = cv2.dilate(inside, np.ones((2 * margin + 1, 2 * margin + 1), np.uint8))
    return cv2.copyTo(rgba, near, np.zeros_like(rgba))
