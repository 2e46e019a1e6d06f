"""Reading a video from its end to its beginning, a few frames in memory at a time.

Codecs only go forward, from key frame to key frame. A video file is therefore decoded once in
advance, which gives each frame's time stamp and checksum; then it is read in chunks, the last
first, each from the key frame before it. A chunk that does not come out with the same checksums
(streams exist whose frames refer beyond a key frame) is decoded from an earlier place, in the end
from the beginning: slower, never wrong.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import replace

from ddeal_core.errors import InputError, MediaError
from ddeal_core.media.frame import Frame
from ddeal_core.media.sources.frame_reader import Seeker
from ddeal_core.media.sources.frame_source import FrameSource
from ddeal_core.media.sources.video_source import VideoSource

_CHUNK_BYTES = 256 << 20
_EARLIER = (3, 40)  # frames before a chunk at which decoding begins: deinterlacing needs some


def last_frame(source: FrameSource) -> int:
    """Index of the last frame, in the whole video.

    Where the container only estimates how many there are, the video is read once to count them.

    Raises:
        InputError: The source is live.
        MediaError: A frame cannot be read.
    """
    _check_not_live(source)
    if source.info.exact_count is not None:
        return source.start + source.info.exact_count - 1
    last = source.start
    for frame in source:
        last = frame.index
    return last


def backwards(
    source: FrameSource, stop: int, *, chunk_bytes: int = _CHUNK_BYTES
) -> Iterator[Frame]:
    """Give the frames before one in reverse order, down to the source's first.

    They are the frames that going forward gives, image by image, with the same indices and time
    stamps, but without `Frame.deep`: they are looked at, not written.

    Args:
        source: The video.
        stop: Index after the first frame given, in the whole video.
        chunk_bytes: Of images that are held at a time, at least one.

    Raises:
        InputError: The source is live.
        MediaError: A frame cannot be read, or the file changed while it was read.
    """
    _check_not_live(source)
    height, width = source.info.size
    size = max(1, chunk_bytes // (3 * height * width))
    sought = _SoughtChunks(source, stop) if isinstance(source, VideoSource) else None
    try:
        while stop > source.start:
            first = max(source.start, stop - size)
            chunk = None if sought is None else sought.part(first, stop)
            if chunk is None:
                chunk = [replace(frame, deep=None) for frame in source.part(first, stop)]
            if len(chunk) != stop - first:
                raise MediaError(f"{source.path} ends before frame {stop - 1}")
            while chunk:
                yield chunk.pop()
            stop = first
    finally:
        if sought is not None:
            sought.seeker.close()


def _check_not_live(source: FrameSource) -> None:
    if source.info.is_live:
        raise InputError(
            f"{source.path} comes once, so it cannot be followed backwards: record it to a file "
            "first"
        )


class _SoughtChunks:
    """Parts of a file, decoded from a key frame and held against what going forward gives.

    The file is decoded once up to `stop`.
    """

    def __init__(self, source: VideoSource, stop: int) -> None:
        self._source, self.seeker = source, Seeker(source.path)
        # by index: the frame without its image, its time stamp, and the image's checksum
        self._landmarks: dict[int, tuple[Frame, int, int]] = {}
        before: int | None = None
        for frame in source.part(source.start, stop):
            if frame.pts is None or (before is not None and frame.pts <= before):
                self._landmarks.clear()  # time stamps do not tell frames apart
                return
            before = frame.pts
            empty = replace(frame, image=frame.image[:1, :1].copy(), deep=None)
            self._landmarks[frame.index] = empty, frame.pts, zlib.crc32(frame.image.data)

    def part(self, first: int, stop: int) -> list[Frame] | None:
        """Decode a chunk from a key frame; None if it does not come out as it should."""
        for earlier in _EARLIER:
            begin = self._landmarks.get(max(self._source.start, first - earlier))
            if begin is None:
                return None
            chunk = self._decoded(begin[1], first, stop)
            if chunk is not None:
                return chunk
        return None

    def _decoded(self, begin: int, first: int, stop: int) -> list[Frame] | None:
        marks = self._landmarks
        wanted = [marks[index] for index in range(first, stop) if index in marks]
        chunk: list[Frame] = []
        try:
            for picture in self.seeker.pictures_from(begin):
                frame, pts, checksum = wanted[len(chunk)]
                if picture.pts is None or picture.pts > pts:
                    return None
                if picture.pts < pts:
                    continue
                image = self._source.display.rgb(picture)
                if zlib.crc32(image.data) != checksum:
                    return None
                chunk.append(replace(frame, image=image))
                if len(chunk) == len(wanted):
                    return chunk
        except MediaError:
            return None
        return None
