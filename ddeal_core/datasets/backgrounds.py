"""Backgrounds from files: stills and videos."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from ddeal_core.datasets.decoded_cache import DecodedCache
from ddeal_core.datasets.pictures import image_files, read_image
from ddeal_core.errors import DatasetError, MediaError
from ddeal_core.media.file_kinds import VIDEO_ENDINGS
from ddeal_core.media.sources.decoding import open_container, video_stream

__all__ = ["BackgroundSource", "StillBackgrounds", "VideoBackgrounds"]


Array = NDArray[np.uint8]


class BackgroundSource(Protocol):
    """Plates to paste objects on, by number."""

    def __len__(self) -> int:
        """Return how many there are."""

    def plates(self, index: int, times: NDArray[np.float64], phase: float) -> list[Array]:
        """Return one plate for a still background, or one a time.

        Args:
            index: Which background.
            times: ``[T]`` times of the frames, in frames of the background.
            phase: In [0, 1): where in a video to start.
        """


class StillBackgrounds:
    """A folder of photographs.

    Args:
        root: The folder.
        max_side: Larger images are reduced to this side.
        cache_bytes: Bound of decoded images that are kept.

    Attributes:
        paths: The files, by number.

    Raises:
        DatasetError: The folder is missing or empty.
    """

    def __init__(
        self, root: str | Path, *, max_side: int = 640, cache_bytes: int = 128 << 20
    ) -> None:
        self.paths = image_files(Path(root))
        if not self.paths:
            raise DatasetError(f"{root} has no images")
        self._max_side = max_side
        self._cache: DecodedCache[Array] = DecodedCache(cache_bytes)

    def __len__(self) -> int:
        return len(self.paths)

    def plates(self, index: int, times: NDArray[np.float64], phase: float) -> list[Array]:  # noqa: ARG002
        """Return the one image, whatever the times."""
        path = self.paths[index]
        return [self._cache.get(index, lambda: read_image(path, max_side=self._max_side))]


@dataclass(frozen=True)
class _Packed:
    frames: tuple[Array, ...]  # one JPEG file a frame

    @property
    def nbytes(self) -> int:
        return sum(frame.nbytes for frame in self.frames)


class VideoBackgrounds:
    """A folder of videos, or one video.

    A video is decoded once, at its first use, reduced, and kept as JPEG frames in memory: a
    tenth of the room of plain frames, and faster than seeking.

    Args:
        root: The folder or file.
        max_side: Frames are reduced to this side.
        max_frames: Only so many frames of each video are read.
        cache_bytes: Bound of packed videos that are kept.

    Attributes:
        paths: The files, by number.
        max_frames: As given.

    Raises:
        DatasetError: There is no video.
    """

    def __init__(
        self,
        root: str | Path,
        *,
        max_side: int = 480,
        max_frames: int = 240,
        cache_bytes: int = 256 << 20,
    ) -> None:
        folder = Path(root)
        if folder.is_file():
            self.paths: tuple[Path, ...] = (folder,)
        elif folder.is_dir():
            self.paths = tuple(
                sorted(p for p in folder.iterdir() if p.suffix.lower() in VIDEO_ENDINGS)
            )
        else:
            raise DatasetError(f"{folder} does not exist; give a video or a folder of videos")
        if not self.paths:
            raise DatasetError(f"{folder} has no videos ({', '.join(sorted(VIDEO_ENDINGS))})")
        self._max_side = max_side
        self.max_frames = max_frames
        self._cache: DecodedCache[_Packed] = DecodedCache(cache_bytes)

    def __len__(self) -> int:
        return len(self.paths)

    def plates(self, index: int, times: NDArray[np.float64], phase: float) -> list[Array]:
        """Return one frame a time; a video that is too short is played to and fro."""
        packed = self._cache.get(index, lambda: self._pack(self.paths[index])).frames
        last = len(packed) - 1
        if last == 0:
            return [_unpack(packed[0])]
        start = int(phase * max(last - float(times[-1]), 0) + 0.5)
        plates: dict[int, Array] = {}
        order = []
        for time in times:
            folded = int(start + time) % (2 * last)
            number = min(folded, 2 * last - folded)
            if number not in plates:
                plates[number] = _unpack(packed[number])
            order.append(plates[number])
        return order

    def _pack(self, path: Path) -> _Packed:
        frames: list[Array] = []
        try:
            with open_container(path, named=path) as container:
                stream = video_stream(container, named=path)
                stream.thread_type = "SLICE"
                for frame in container.decode(stream):
                    factor = min(1.0, self._max_side / max(frame.width, frame.height))
                    image = frame.to_ndarray(
                        format="bgr24",
                        width=max(2, round(frame.width * factor)),
                        height=max(2, round(frame.height * factor)),
                    )
                    _, packed = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 93])
                    frames.append(packed)
                    if len(frames) == self.max_frames:
                        break
        except (MediaError, av.FFmpegError, ValueError, OSError) as error:
            raise DatasetError(f"{path} cannot be read as a video ({error})") from None
        if not frames:
            raise DatasetError(f"{path} has no frames")
        return _Packed(tuple(frames))


def _unpack(packed: Array) -> Array:
    image = cv2.imdecode(packed, cv2.IMREAD_COLOR_RGB)
    return np.asarray(image, dtype=np.uint8)
