"""Frames that are in memory already."""

from collections.abc import Generator
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ddeal_core.errors import MediaError
from ddeal_core.media.frame import Frame
from ddeal_core.media.identity import Settings, sha256_of_array
from ddeal_core.media.sources.frame_source import FrameSource, SourceInfo


class ArraySource(FrameSource):
    """Frames of an array, at a constant rate.

    Args:
        images: ``[T, H, W, 3]`` uint8 RGB.
        frame_rate: Frames a second.

    Raises:
        MediaError: The array has no frame or is of another kind.
    """

    def __init__(self, images: NDArray[np.uint8], *, frame_rate: Fraction = Fraction(24)) -> None:
        super().__init__(Path("frames in memory"))
        if images.ndim != 4 or images.shape[3] != 3 or images.dtype != np.uint8 or not images.size:
            raise MediaError(f"frames are TxHxWx3 uint8, not {images.shape} {images.dtype}")
        if frame_rate <= 0:
            raise MediaError(f"a frame rate is positive, not {frame_rate}")
        self._images = images
        self.info = SourceInfo(
            size=(images.shape[1], images.shape[2]),
            frame_rate=frame_rate,
            time_base=1 / frame_rate,
            frame_count=len(images),
            frame_count_is_exact=True,
        )

    def _identify(self) -> Settings:
        return {
            "name": self.path.name,
            "rate": str(self.info.frame_rate),
            "sha256": sha256_of_array(self._images),
        }

    def __iter__(self) -> Generator[Frame]:
        """Give the frames."""
        return self.part(0, self.info.exact_count or 0)

    def part(self, first: int, stop: int) -> Generator[Frame]:
        """Give some of the frames: see `FrameSource.part`."""
        for index in range(first, min(stop, self.info.exact_count or 0)):
            yield Frame(
                image=self._image(index),
                index=index,
                pts=index,
                duration=1,
                time_base=self.info.time_base,
                name=f"{index:05d}",
            )

    def _image(self, index: int) -> NDArray[np.uint8]:
        return np.asarray(self._images[index], np.uint8)
