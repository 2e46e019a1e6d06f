"""Entering a video file at the key frame before any of its pictures."""

from __future__ import annotations

from collections.abc import Iterator

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from ddeal_core.media.sources.decoding import open_container, pictures_of, video_stream
from ddeal_core.media.sources.video_source import VideoSource

__all__ = ["Seeker"]


class Seeker:
    """Decodes a file from the middle, again and again; close it.

    Args:
        source: The file.
    """

    def __init__(self, source: VideoSource) -> None:
        self._source = source
        self._container: InputContainer | None = None
        self._stream: VideoStream | None = None

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
        named = self._source.path
        container, stream = self._opened()
        try:
            container.seek(pts, stream=stream)
        except (av.FFmpegError, OSError, ValueError):
            self.close()
            container, stream = self._opened()
        return pictures_of(container.demux(stream), stream, named=named, checked=False)

    def _opened(self) -> tuple[InputContainer, VideoStream]:
        if self._container is None or self._stream is None:
            self._container = open_container(self._source.path, named=self._source.path)
            self._stream = video_stream(self._container, named=self._source.path)
            self._stream.thread_type = "AUTO"
        return self._container, self._stream

    def close(self) -> None:
        """Let go of the file."""
        if self._container is not None:
            self._container.close()
        self._container = self._stream = None
