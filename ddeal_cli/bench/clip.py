"""Frames to measure with: the sample clip at any size, or the user's own video."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ddeal_cli.sample import VIDEO, sample_labels
from ddeal_core.errors import InputError, MediaError
from ddeal_core.media.masks.label_images import ids_in
from ddeal_core.media.masks.mask_images import MAX_OBJECT_ID, read_mask
from ddeal_core.media.matting.cutout import Cutout
from ddeal_core.media.outputs.writers import open_writer
from ddeal_core.media.sources.array_source import ArraySource
from ddeal_core.media.sources.opening import open_source

_SAMPLE_FRAMES = 8


@dataclass(frozen=True, eq=False)
class BenchClip:
    """A few frames in memory, played to and fro for as long as wanted.

    `images` is ``[T, H, W, 3]`` uint8 RGB, `mask` ``[H, W]`` uint8 ids on the first of them,
    `video` the file that they were read from, or None.
    """

    name: str
    images: NDArray[np.uint8]
    mask: NDArray[np.uint8]
    video: str | None = None

    @classmethod
    def sample(cls, size: tuple[int, int], objects: int) -> "BenchClip":
        """The sample clip, scaled to a height and width.

        1 object is the fish, 2 are the fish and the turtle; more are discs in a grid, for what an
        object shows does not decide its time.
        """
        cls.check(size, objects)
        clip = cls("sample clip", _sample_frames(), sample_labels()[0]).resized(size)
        animals = np.where(clip.mask <= objects, clip.mask, 0).astype(np.uint8)
        mask = animals if objects <= 2 else _discs(size, objects)
        return cls(clip.name, clip.images, mask)

    @staticmethod
    def check(size: tuple[int, int], objects: int) -> None:
        """Refuse what `sample` cannot make."""
        if not all(64 <= side <= 8192 for side in size):
            raise InputError(f"a size is 64 to 8192 pixels a side, not {size[1]}x{size[0]}")
        if not 1 <= objects <= MAX_OBJECT_ID:
            raise InputError(f"objects are 1 to {MAX_OBJECT_ID}, not {objects}")

    @classmethod
    def read(cls, video: str, mask: Path, *, frames: int) -> "BenchClip":
        """The first frames of a video, and the mask of its first one."""
        with open_source(video, end=frames) as source:
            labels = read_mask(mask, size=source.info.size).labels
            images = [frame.image for frame in source]
        if not images:
            raise MediaError(f"{video} has no frame")
        return cls(Path(video).name, np.stack(images), labels.astype(np.uint8), video)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        return self.images.shape[1], self.images.shape[2]

    @property
    def objects(self) -> int:
        """How many the mask shows."""
        return len(ids_in(self.mask))

    def spare(self, measured: int) -> int | None:
        """Frames that a file has left to warm up with; None where frames are without end."""
        return None if self.video is None else len(self.images) - 2 - measured

    def frame(self, index: int) -> NDArray[np.uint8]:
        """``[H, W, 3]``, of the images from first to last and back again, without end."""
        period = max(1, 2 * (len(self.images) - 1))
        place = index % period
        return np.asarray(self.images[min(place, period - place)], np.uint8)

    def frames(self, count: int) -> Iterator[NDArray[np.uint8]]:
        """The first frames, ``[H, W, 3]`` each."""
        return map(self.frame, range(count))

    def resized(self, size: tuple[int, int]) -> "BenchClip":
        """The same at another height and width."""
        if size == self.size:
            return self
        images = [cv2.resize(i, size[::-1], interpolation=cv2.INTER_AREA) for i in self.images]
        mask = cv2.resize(self.mask, size[::-1], interpolation=cv2.INTER_NEAREST)
        return BenchClip(self.name, np.stack(images).astype(np.uint8), mask.astype(np.uint8))

    def on_disk(self, folder: Path, count: int) -> str:
        """A file to decode: the user's video, or an H.264 video of so many frames."""
        if self.video is not None:
            return self.video
        path = folder / "bench.mp4"
        source = LoopedSource(self, count)
        nothing = np.zeros(self.size, np.uint8)
        # An overlay of nothing is the picture itself.
        with open_writer(path, source=source) as writer:
            for frame in source:
                writer.write(frame, Cutout(frame.image, nothing, nothing))
        return str(path)


class LoopedSource(ArraySource):
    """BenchClip as a source of so many frames."""

    def __init__(self, clip: BenchClip, count: int) -> None:
        super().__init__(clip.images)
        self._clip = clip
        self.info = replace(self.info, frame_count=count)

    def _image(self, index: int) -> NDArray[np.uint8]:
        return self._clip.frame(index)


@cache
def _sample_frames() -> NDArray[np.uint8]:
    with open_source(VIDEO, end=_SAMPLE_FRAMES) as source:
        return np.stack([frame.image for frame in source])


def _discs(size: tuple[int, int], objects: int) -> NDArray[np.uint8]:
    height, width = size
    columns = max(1, round((objects * width / height) ** 0.5))
    rows = -(-objects // columns)
    mask = np.zeros(size, np.uint8)
    for index in range(objects):
        row, column = divmod(index, columns)
        centre = (int((column + 0.5) * width / columns), int((row + 0.5) * height / rows))
        radius = int(0.35 * min(width / columns, height / rows))
        cv2.circle(mask, centre, radius, index + 1, -1)
    return mask
