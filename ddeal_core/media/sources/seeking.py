"""Entering a video file at the key frame before any of its pictures."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from ddeal_core.media.sources.decoding import open_container, pictures_of, video_stream


class Seeker:
    """Decodes a file from the middle, again and again; close it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._video: tuple[InputContainer, VideoStream] | None = None

    def pictures_from(self, pts: int) -> Iterator[av.VideoFrame]:
        """Decode from the last key frame that the container knows before a time stamp.

        A container that cannot seek is decoded from its beginning. Whether a picture is what
        decoding from the beginning gives depends on the stream: the first ones may refer to what
        was passed over.

        Args:
            pts: In the container's own time, in units of the source's `time_base`.

        Yields:
            Pictures as they are coded, until the next call.

        Raises:
            MediaError: The file cannot be opened, or a picture cannot be decoded.
        """
        container, stream = self._opened()
        try:
            container.seek(pts, stream=stream)
        except (av.FFmpegError, OSError, ValueError):
            self.close()
            container, stream = self._opened()
        return pictures_of(container.demux(stream), stream, named=self._path, checked=False)

    def _opened(self) -> tuple[InputContainer, VideoStream]:
        if self._video is None:
            container = open_container(self._path)
            stream = video_stream(container, named=self._path)
            stream.thread_type = "AUTO"
            self._video = container, stream
        return self._video

    def close(self) -> None:
        """Let go of the file."""
        if self._video is not None:
            self._video[0].close()
            self._video = None
