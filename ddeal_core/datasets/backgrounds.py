"""Backgrounds from files: stills and videos, as plates to paste objects on."""

from abc import abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import av
import cv2
import numpy as np

from ddeal_core.datasets.arrays import Array, Floats
from ddeal_core.datasets.material import Material
from ddeal_core.datasets.motion import folded
from ddeal_core.datasets.pictures import MAX_SIDE, image_files, read_image
from ddeal_core.errors import DatasetError, MediaError
from ddeal_core.media.file_kinds import VIDEO_ENDINGS
from ddeal_core.media.sources.decoding import open_container, video_stream

_VIDEO_SIDE = 480  # pixels: frames of videos are reduced to this longer side


@dataclass(frozen=True)
class _Video:
    frames: tuple[Array, ...]  # one JPEG file a frame

    @property
    def nbytes(self) -> int:
        return sum(frame.nbytes for frame in self.frames)


PlateT = TypeVar("PlateT", Array, _Video)


class Backgrounds(Material[PlateT]):
    """Files, in `paths`, of which each gives plates."""

    def __init__(self, paths: tuple[Path, ...], cache_bytes: int) -> None:
        self.paths = paths
        super().__init__(len(paths), cache_bytes)

    @abstractmethod
    def plates(self, index: int, times: Floats, phase: float) -> list[Array]:
        """Give one plate ``[h, w, 3]`` for a still background, or one a time.

        Args:
            index: Which background.
            times: ``[T]`` times of the frames, in frames of the background.
            phase: In [0, 1): where in a video to start.
        """


class StillBackgrounds(Backgrounds[Array]):
    """A folder of photographs.

    Raises:
        DatasetError: The folder is missing or empty.
    """

    def __init__(self, root: str | Path) -> None:
        paths = image_files(Path(root))
        if not paths:
            raise DatasetError(f"{root} has no images")
        super().__init__(paths, 128 << 20)

    def plates(self, index: int, times: Floats, phase: float) -> list[Array]:  # noqa: ARG002
        """Give the one image, whatever the times."""
        return [self[index]]

    def _read(self, index: int) -> Array:
        return read_image(self.paths[index], max_side=MAX_SIDE)


class VideoBackgrounds(Backgrounds[_Video]):
    """A folder of videos, or one video, of each the first `max_frames` frames.

    A video is decoded once, at its first use, reduced, and kept as JPEG frames in memory: a
    tenth of the room of plain frames, and faster than seeking.

    Raises:
        DatasetError: There is no video.
    """

    max_frames = 240

    def __init__(self, root: str | Path, *, max_side: int = _VIDEO_SIDE) -> None:
        folder = Path(root)
        if not folder.exists():
            raise DatasetError(f"{folder} does not exist; give a video or a folder of videos")
        inside = [folder] if folder.is_file() else sorted(folder.iterdir())
        paths = tuple(p for p in inside if p is folder or p.suffix.lower() in VIDEO_ENDINGS)
        if not paths:
            raise DatasetError(f"{folder} has no videos ({', '.join(sorted(VIDEO_ENDINGS))})")
        self._max_side = max_side
        super().__init__(paths, 256 << 20)

    def plates(self, index: int, times: Floats, phase: float) -> list[Array]:
        """Give one frame a time; a video that is too short is played to and fro."""
        packed = self[index].frames
        last = len(packed) - 1
        if last == 0:
            return [_unpack(packed[0])]
        start = int(phase * max(last - float(times[-1]), 0) + 0.5)
        numbers = folded(start + times.astype(int), last).tolist()
        plates = {number: _unpack(packed[number]) for number in set(numbers)}
        return [plates[number] for number in numbers]

    def _read(self, index: int) -> _Video:
        path = self.paths[index]
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
        return _Video(tuple(frames))


def _unpack(packed: Array) -> Array:
    return np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR_RGB), dtype=np.uint8)
