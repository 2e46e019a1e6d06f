"""Backgrounds from files: stills and videos, as plates to paste objects on."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import av
import cv2
import numpy as np

from ddeal_core.datasets.arrays import Array, Floats
from ddeal_core.datasets.cached_files import CachedFiles
from ddeal_core.datasets.motion import folded
from ddeal_core.datasets.pictures import image_files, read_picture
from ddeal_core.errors import DatasetError, MediaError
from ddeal_core.media.file_kinds import VIDEO_ENDINGS
from ddeal_core.media.sources.decoding import open_container, video_stream

MOST_FRAMES = 240
"""Of each video the first frames, so many, are used."""
_VIDEO_SIDE = 480  # pixels: frames of videos are reduced to this longer side


@dataclass(frozen=True)
class VideoPlates:
    """The frames of a video, each a JPEG file in memory.

    They take a tenth of the room of plain frames, and less time than seeking.
    """

    packed: tuple[Array, ...]

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return sum(frame.nbytes for frame in self.packed)

    def at(self, times: Floats, phase: float) -> list[Array]:
        """Give one plate ``[h, w, 3]`` a time; a video that is too short is played to and fro.

        Args:
            times: ``[T]`` times of the frames, in frames of the video.
            phase: In [0, 1): where in the video to start.
        """
        last = len(self.packed) - 1
        start = int(phase * max(last - float(times[-1]), 0) + 0.5)
        numbers = folded(start + times.astype(int), last).tolist() if last else [0]
        plates = {
            number: np.asarray(
                cv2.imdecode(self.packed[number], cv2.IMREAD_COLOR_RGB), dtype=np.uint8
            )
            for number in set(numbers)
        }
        return [plates[number] for number in numbers]


def open_photographs(root: Path) -> CachedFiles[Array]:
    """Open a folder of photographs.

    Raises:
        DatasetError: The folder is missing or empty.
    """
    paths = image_files(root)
    if not paths:
        raise DatasetError(f"{root} has no images")
    return CachedFiles(paths, read_picture, 128 << 20)


def open_videos(root: Path, *, max_side: int = _VIDEO_SIDE) -> CachedFiles[VideoPlates]:
    """Open a folder of videos, or one video; each is decoded once, at its first use.

    Raises:
        DatasetError: There is no video.
    """
    if not root.exists():
        raise DatasetError(f"{root} does not exist; give a video or a folder of videos")
    inside = [root] if root.is_file() else sorted(root.iterdir())
    paths = tuple(p for p in inside if p is root or p.suffix.lower() in VIDEO_ENDINGS)
    if not paths:
        raise DatasetError(f"{root} has no videos ({', '.join(sorted(VIDEO_ENDINGS))})")
    return CachedFiles(paths, partial(_read_video, max_side=max_side), 256 << 20)


def holds_videos(path: Path) -> bool:
    """Whether a path is a video or a folder with videos, rather than one of photographs."""
    if path.is_dir():
        return any(p.suffix.lower() in VIDEO_ENDINGS for p in path.iterdir())
    return path.suffix.lower() in VIDEO_ENDINGS


def _read_video(path: Path, *, max_side: int) -> VideoPlates:
    frames: list[Array] = []
    try:
        with open_container(path, named=path) as container:
            stream = video_stream(container, named=path)
            stream.thread_type = "SLICE"
            for frame in container.decode(stream):
                factor = min(1.0, max_side / max(frame.width, frame.height))
                image = frame.to_ndarray(
                    format="bgr24",
                    width=max(2, round(frame.width * factor)),
                    height=max(2, round(frame.height * factor)),
                )
                _, packed = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 93])
                frames.append(packed)
                if len(frames) == MOST_FRAMES:
                    break
    except (MediaError, av.FFmpegError, ValueError, OSError) as error:
        raise DatasetError(f"{path} cannot be read as a video ({error})") from None
    if not frames:
        raise DatasetError(f"{path} has no frames")
    return VideoPlates(tuple(frames))
