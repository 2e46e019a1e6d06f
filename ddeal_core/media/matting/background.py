"""What is put behind the objects: a colour, a blur, an image or a video."""

from __future__ import annotations

import os
import re
from abc import ABC, abstractmethod
from collections.abc import Generator
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import ImageColor

from ddeal_core.errors import InputError
from ddeal_core.media.frame import Frame
from ddeal_core.media.identity import Settings
from ddeal_core.media.matting.composites import blurred_background
from ddeal_core.media.matting.cutout import Cutout
from ddeal_core.media.sources.frame_source import FrameSource
from ddeal_core.media.sources.opening import open_source

Colour = tuple[int, int, int]
GREEN: Colour = (0, 255, 0)


class Background(ABC):
    """Gives what is behind the objects in each frame, in order."""

    @abstractmethod
    def behind(self, cutout: Cutout, *, seconds: Fraction) -> NDArray[Any] | Colour:
        """Give a HxWx3 picture, uint8 or of the cut-out's type, or one colour of 0 to 255.

        Args:
            cutout: What was found in the frame, in 8 bits or in 16.
            seconds: Since the first frame.
        """

    @abstractmethod
    def identity(self) -> object:
        """Say what it is, in plain JSON types: two of one identity look the same."""

    def close(self) -> None:  # noqa: B027 - most hold nothing
        """Let go of files."""


class FlatBackground(Background):
    """One colour.

    Args:
        colour: RGB, each 0 to 255.

    Raises:
        InputError: It is none.
    """

    def __init__(self, colour: Colour) -> None:
        if len(colour) != 3 or not all(value in range(256) for value in colour):
            raise InputError(f"a background colour is three numbers of 0 to 255, not {colour}")
        self._colour = int(colour[0]), int(colour[1]), int(colour[2])

    def identity(self) -> str:
        """The colour."""
        return "#{:02x}{:02x}{:02x}".format(*self._colour)

    def behind(self, cutout: Cutout, *, seconds: Fraction) -> Colour:
        """Give the colour."""
        del cutout, seconds
        return self._colour


class BlurredBackground(Background):
    """The frame's own background, out of focus."""

    def identity(self) -> str:
        """Always the same."""
        return "blur"

    def behind(self, cutout: Cutout, *, seconds: Fraction) -> NDArray[Any]:
        """Blur the frame around the objects."""
        del seconds
        return blurred_background(cutout.image, cutout.alpha)


class PictureBackground(Background):
    """An image, or a video that begins anew when it ends; it fills the frame and is cropped.

    A video is shown at its own speed: each frame gets the picture that is on screen at its time.

    Args:
        source: It is closed with the background.
    """

    def __init__(self, source: FrameSource) -> None:
        self._source = source
        self._coming = self._timeline()
        self._next: tuple[Fraction, Frame] | None = next(self._coming)
        self._shown: dict[np.dtype[Any], NDArray[Any]] = {}
        self._frame = self._next[1]

    def identity(self) -> Settings:
        """The image or video."""
        return self._source.identity()

    def behind(self, cutout: Cutout, *, seconds: Fraction) -> NDArray[Any]:
        """Give the picture on screen `seconds` after the first frame."""
        while self._next is not None and self._next[0] <= seconds:
            self._frame = self._next[1]
            self._shown.clear()
            self._next = next(self._coming, None)
        dtype = cutout.image.dtype
        if dtype not in self._shown:
            deep = self._frame.deep if dtype == np.uint16 else None
            image = self._frame.image if deep is None else deep.rgb()
            self._shown[dtype] = filling(image, cutout.labels.shape)
        return self._shown[dtype]

    def close(self) -> None:
        """Close the image or video."""
        self._coming.close()
        self._source.close()

    def _timeline(self) -> Generator[tuple[Fraction, Frame]]:
        """Give pictures, each with the time at which it appears; a video begins anew at its end."""
        step = 1 / (self._source.info.frame_rate or Fraction(24))
        began, frames = Fraction(0), 0
        while frames != 1:
            first: Fraction | None = None
            ends, frames = began, 0
            for frames, frame in enumerate(self._source, start=1):  # noqa: B007
                time = frame.index * step if frame.time is None else frame.time
                first = time if first is None else first
                lasts = (frame.duration or 0) * (frame.time_base or Fraction(0))
                ends = began + time - first + (lasts or step)
                yield began + time - first, frame
            began = ends


def filling(image: NDArray[Any], size: tuple[int, ...]) -> NDArray[Any]:
    """Scale a picture so that it fills (height, width), and crop it in the middle.

    Returns:
        height x width x 3, of the image's type.
    """
    height, width = size
    scale = max(height / image.shape[0], width / image.shape[1])
    large = (max(width, round(image.shape[1] * scale)), max(height, round(image.shape[0] * scale)))
    if large != image.shape[1::-1]:
        how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        image = cv2.resize(image, large, interpolation=how)
    top, left = (large[1] - height) // 2, (large[0] - width) // 2
    return np.ascontiguousarray(image[top : top + height, left : left + width])


def as_background(what: str | os.PathLike[str] | Colour | Background) -> Background:
    """Understand what a user gives as background.

    Args:
        what: A file, ``blur``, a colour as ``#00ff00``, ``00ff00`` or by its CSS name, or RGB.

    Raises:
        InputError: It is none of these.
        MediaError: The file cannot be read.
    """
    if isinstance(what, Background):
        return what
    if isinstance(what, tuple):
        return FlatBackground(what)
    text = os.fspath(what)
    if text == "-" or Path(text).is_fifo():
        raise InputError("a background cannot come from a pipe: name a file")
    if not text or not Path(text).exists():
        if text == "blur":
            return BlurredBackground()
        digits = re.fullmatch(r"#?([0-9a-fA-F]{6}|[0-9a-fA-F]{3})", text)
        try:
            red, green, blue = ImageColor.getrgb(f"#{digits[1]}" if digits else text)[:3]
            return FlatBackground((red, green, blue))
        except ValueError:
            pass
        if not re.search(r"[./\\\\*?]", text):
            raise InputError(
                f"{text!r} is no background: give a colour such as '#00ff00' or white, blur, or "
                "the file of an image or a video"
            )
    return PictureBackground(open_source(text))
