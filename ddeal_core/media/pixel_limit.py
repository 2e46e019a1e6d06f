"""How large a picture may be: a file of a few bytes can claim any size."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from ddeal_core.errors import InputError, MediaError

DEFAULT_MAX_PIXELS = 8192 * 8192
"""Twice the pixels of 8K video."""

_VARIABLE = "DDEAL_MAX_PIXELS"
_LONGEST_SIDE = 65_535  # of JPEG, and of most codecs
_MOST = 2**31 - 1  # FFmpeg counts with 32 bits

_chosen: int | None = None


def max_pixels() -> int:
    """Width times height that a video's frame, an image or a mask may have.

    What `set_max_pixels` was told, else the environment variable DDEAL_MAX_PIXELS, else
    `DEFAULT_MAX_PIXELS`.

    Raises:
        InputError: The variable holds no number of pixels.
    """
    if _chosen is not None:
        return _chosen
    text = os.environ.get(_VARIABLE, "").strip()
    if not text:
        return DEFAULT_MAX_PIXELS
    if not (text.isascii() and text.isdecimal() and 1 <= int(text[:12]) <= _MOST):
        raise InputError(f"{_VARIABLE} is a number of pixels from 1 to {_MOST}, not {text[:40]!r}")
    return int(text)


def set_max_pixels(pixels: int | None) -> None:
    """Set the limit for this process, all its threads; None goes back to the environment's.

    Raises:
        InputError: It is out of range.
    """
    global _chosen
    if pixels is not None and not 1 <= pixels <= _MOST:
        raise InputError(f"the most pixels of a picture are 1 to {_MOST}, not {pixels}")
    _chosen = pixels


@contextmanager
def limited_pixels(pixels: int | None) -> Iterator[None]:
    """Hold this process to another limit for a while; None changes nothing.

    Raises:
        InputError: It is out of range.
    """
    before = _chosen
    if pixels is not None:
        set_max_pixels(pixels)
    try:
        yield
    finally:
        if pixels is not None:
            set_max_pixels(before)


def check_pixels(width: int, height: int, *, named: object) -> None:
    """Refuse a picture by the size that it claims, before memory is taken for it.

    Raises:
        MediaError: It has no pixels, or too many.
    """
    if width < 1 or height < 1:
        raise MediaError(f"{named} is {width}x{height}: it has no pixels")
    if width * height > max_pixels():
        raise MediaError(
            f"{named} is {width}x{height}, {width * height} pixels, more than the limit of "
            f"{max_pixels()} ({_VARIABLE})",
            remedy="max_pixels",
        )
    if max(width, height) > _LONGEST_SIDE:
        raise MediaError(
            f"{named} is {width}x{height}: a side has at most {_LONGEST_SIDE} pixels here"
        )
