"""One frame of a video, with its place in time."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray


def to_fraction(value: Fraction | None) -> Fraction | None:
    """Give a positive rational as a `Fraction`, and None for none, 0/1 and 0/0.

    PyAV up to 18 hands out `Fraction`, PyAV 19 a type of its own; containers say "unknown" with
    None, 0/1 or 0/0. Everything here goes through this function, so the rest sees one type.
    """
    if value is None or value.denominator == 0 or value.numerator <= 0:
        return None
    return Fraction(value.numerator, value.denominator)


def upright(image: NDArray[Any], turn: tuple[bool, bool, bool]) -> NDArray[Any]:
    """Transpose, then mirror left-right, then mirror up-down; HxW with channels or without."""
    transpose, mirror, flip = turn
    if transpose:
        image = image.swapaxes(0, 1)
    if mirror:
        image = image[:, ::-1]
    if flip:
        image = image[::-1]
    return np.ascontiguousarray(image)


class DeepPicture(ABC):
    """What a frame shows, in more than 8 bits; worked out when it is asked for."""

    @abstractmethod
    def rgb(self, *, hdr: bool = False) -> NDArray[np.uint16]:
        """HxWx3 uint16 RGB of full range; HDR as SDR, unless its own code values are wanted."""

    def planes(self, *, matrix: int, full: bool) -> NDArray[np.uint16] | None:
        """The source's own luma and colour differences, upright, in 10 bits.

        Args:
            matrix: By ITU-T H.273, that they shall have.
            full: Whether they shall be of full range.

        Returns:
            HxWx3 uint16, in an HDR video of its own code values; None where the source
            has none of that matrix.
        """
        del matrix, full
        return None


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """A decoded frame as it is displayed (rotation and pixel aspect applied).

    Attributes:
        image: HxWx3 uint8, RGB.
        index: Position in the whole video, from 0; it does not restart at a cut.
        pts: Presentation time stamp in units of `time_base`, or None.
        duration: Time on screen in units of `time_base`, or None where the container is silent.
        time_base: Seconds per unit of `pts`, or None where `pts` is None.
        name: Stem of the result's file name: "00012" in a video, the file's stem in a folder.
        held: Whether the frame could not be read, and `image` is that of the last good one.
        deep: The picture with all its bits, where the source has more than 8.

    Raises:
        ValueError: A field is not of that kind.
    """

    image: NDArray[np.uint8]
    index: int
    pts: int | None
    duration: int | None
    time_base: Fraction | None
    name: str
    held: bool = False
    deep: DeepPicture | None = None

    def __post_init__(self) -> None:
        image = self.image
        if image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
            raise ValueError(f"a frame's image is HxWx3, not {image.shape}")
        if image.dtype != np.uint8:
            raise ValueError(f"a frame's image is uint8, not {image.dtype}")
        if self.index < 0:
            raise ValueError(f"a frame's index starts at 0, not {self.index}")
        if self.pts is not None and self.time_base is None:
            raise ValueError(f"a frame with pts {self.pts} needs a time base")
        if self.time_base is not None and self.time_base <= 0:
            raise ValueError(f"a time base is positive, not {self.time_base}")
        if self.duration is not None and self.duration < 0:
            raise ValueError(f"a frame's duration is not negative: {self.duration}")
        if not self.name or "/" in self.name or "\\" in self.name:
            raise ValueError(f"a frame's name is a file stem, not {self.name!r}")

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) in pixels."""
        return self.image.shape[0], self.image.shape[1]

    @property
    def time(self) -> Fraction | None:
        """Presentation time in seconds, or None."""
        if self.pts is None or self.time_base is None:
            return None
        return self.pts * self.time_base
