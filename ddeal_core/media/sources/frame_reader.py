"""Any frame of a source by its number, without reading all those before it."""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import av
import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream
from numpy.typing import NDArray

from ddeal_core.errors import InputError, MediaError
from ddeal_core.media.frame import Frame
from ddeal_core.media.sources.decoding import open_container, pictures_of, video_stream
from ddeal_core.media.sources.frame_source import FrameSource
from ddeal_core.media.sources.image_source import ImageSource, read_image
from ddeal_core.media.sources.opening import open_source
from ddeal_core.media.sources.video_source import VideoSource

Image = NDArray[np.uint8]

_FORWARD = 48  # frames up to which decoding on is cheaper than seeking
_BEHIND = 6  # frames kept on the way to one that was sought: people step backwards


class FrameReader:
    """Gives frames in any order, the same pictures as iterating over the source gives.

    A video is entered at the key frame before the one that is wanted. Where its time stamps do
    not tell which frame is which (missing, repeated, cut off at a place that is no key frame),
    frames are counted from the beginning instead, which is slower. Threads may share a reader.

    Args:
        source: A video file or images; read whole, whatever its `start` and `end`.
        cache: Bytes of decoded frames to keep.

    Raises:
        InputError: The source is live.
        MediaError: It cannot be read.
    """

    def __init__(self, source: FrameSource, *, cache: int = 96 << 20) -> None:
        if source.info.is_live:
            raise InputError(f"{source.path} comes once: only files can be read in any order")
        self.source = source
        self._cache: OrderedDict[int, Image] = OrderedDict()
        self._room = max(1, cache // (3 * source.info.size[0] * source.info.size[1]))
        self._lock = threading.Lock()
        self._seeker: _ByStamp | None = None
        self._counter: _Counter | None = None
        self._files = source.files if isinstance(source, ImageSource) else ()
        if isinstance(source, VideoSource):
            self._seeker = _ByStamp.of(source)
        if self._seeker is None and not self._files:
            self._counter = _Counter(source)
        self._count = len(self._seeker or self._counter or self._files)

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the frames as displayed."""
        return self.source.info.size

    def __len__(self) -> int:
        """How many frames there are, exactly."""
        return self._count

    def name(self, index: int) -> str:
        """Stem of the file of that frame's result: see `Frame.name`."""
        return self._files[index].stem if self._files else f"{index:05d}"

    def read(self, index: int) -> Image:
        """Decode a frame.

        Args:
            index: From 0.

        Returns:
            HxWx3 uint8 RGB, read-only.

        Raises:
            InputError: There is no such frame.
            MediaError: It cannot be decoded.
        """
        if not 0 <= index < self._count:
            raise InputError(f"there is no frame {index}: they go from 0 to {self._count - 1}")
        with self._lock:
            found = self._cache.get(index)
            if found is None:
                for position, image in self._decoded(index):
                    self._keep(position, image)
                found = self._cache[index]
            self._cache.move_to_end(index)
            return found

    def _decoded(self, index: int) -> list[tuple[int, Image]]:
        if self._files:
            return [(index, read_image(self._files[index]))]
        if self._seeker is not None:
            return self._seeker.read(index, behind=min(_BEHIND, self._room - 1))
        assert self._counter is not None
        return [(index, self._counter.read(index))]

    def _keep(self, index: int, image: Image) -> None:
        image.setflags(write=False)
        self._cache[index] = image
        self._cache.move_to_end(index)
        while len(self._cache) > self._room:
            self._cache.popitem(last=False)

    def close(self) -> None:
        """Let go of decoders and frames."""
        with self._lock:
            for part in (self._seeker, self._counter):
                if part is not None:
                    part.close()
            self._cache.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


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


class _ByStamp:
    """Enters a video at key frames; knows each frame by its time stamp."""

    def __init__(self, source: VideoSource, stamps: list[int]) -> None:
        self._source, self._stamps = source, stamps
        self._places = {stamp: index for index, stamp in enumerate(stamps)}
        self._seeker = Seeker(source.path)
        self._pictures: Iterator[av.VideoFrame] = iter(())
        self._next: int | None = None

    @classmethod
    def of(cls, source: VideoSource) -> _ByStamp | None:
        """None where time stamps do not name the frames."""
        stamps = _time_stamps(source)
        if not stamps:
            return None
        seeker = cls(source, stamps)
        try:  # both ends come out under their own number
            for index in (len(stamps) - 1, 0):
                seeker.read(index, behind=0)
        except MediaError:
            seeker.close()
            return None
        return seeker

    def __len__(self) -> int:
        return len(self._stamps)

    def read(self, index: int, *, behind: int) -> list[tuple[int, Image]]:
        """The frame, and up to `behind` of those passed on the way if it had to be sought."""
        if self._next is not None and self._next <= index < self._next + _FORWARD:
            found = self._forward(index, behind=0)
            if found:
                return found
        back = 0
        while True:
            # leading pictures of an open group cannot be decoded from its key frame
            self._next = None
            self._pictures = self._seeker.pictures_from(self._stamps[max(0, index - back)])
            found = self._forward(index, behind=behind)
            if found:
                return found
            if back >= index:
                raise MediaError(
                    f"frame {index} of {self._source.path} cannot be decoded: "
                    "the file is damaged there"
                )
            back = min(index, max(8, back * 4))

    def _forward(self, index: int, *, behind: int) -> list[tuple[int, Image]]:
        """Decode on to a frame; nothing if it does not come."""
        try:
            return self._arrived(index, behind)
        except MediaError:  # of a damaged frame on the way
            self._next = None
            return []

    def _arrived(self, index: int, behind: int) -> list[tuple[int, Image]]:
        passed: deque[tuple[int, av.VideoFrame]] = deque(maxlen=behind)
        wanted = self._stamps[index]
        for picture in self._pictures:
            place = None if picture.pts is None else self._places.get(picture.pts)
            if place is None or picture.pts is None or picture.pts > wanted:
                break
            if place == index and not picture.is_corrupt:
                self._next = index + 1
                image = self._source.display.rgb
                return [(at, image(each)) for at, each in [*passed, (index, picture)]]
            if place == index:
                break
            if not picture.is_corrupt:
                passed.append((place, picture))
        self._next = None
        return []

    def close(self) -> None:
        self._seeker.close()
        self._next = None
        self._pictures = iter(())


def _time_stamps(source: VideoSource) -> list[int] | None:
    """Time stamps of all frames in order of display, or None where they are not to be trusted."""
    stamps: list[int] = []
    last: int | None = None
    try:
        with open_container(source.path) as container:
            for packet in container.demux(video_stream(container, named=source.path)):
                if not packet.size:
                    continue
                steps_back = packet.dts is not None and last is not None and packet.dts < last
                last = packet.dts if packet.dts is not None else last
                odd = packet.is_discard or packet.is_corrupt or steps_back
                if packet.pts is None or odd or (not stamps and not packet.is_keyframe):
                    return None
                stamps.append(packet.pts)
    except (av.FFmpegError, OSError, ValueError):
        return None
    return sorted(stamps) if len(set(stamps)) == len(stamps) else None


class _Counter:
    """Counts frames from the beginning, as iterating does."""

    def __init__(self, source: FrameSource) -> None:
        self._path = source.path
        self._whole = source if source.start == 0 and source.end is None else None
        self._frames: Iterator[Frame] = iter(())
        self._next: int | None = None
        self._count = sum(1 for _ in self._begin())

    def __len__(self) -> int:
        return self._count

    def _begin(self) -> Iterator[Frame]:
        if self._whole is None:
            self._whole = open_source(self._path)
        return iter(self._whole)

    def read(self, index: int) -> Image:
        if self._next is None or self._next > index:
            self._frames, self._next = self._begin(), 0
        for frame in self._frames:
            self._next = frame.index + 1
            if frame.index == index:
                return frame.image
        self._next = None
        raise MediaError(f"frame {index} of {self._path} cannot be decoded")

    def close(self) -> None:
        if self._whole is not None:
            self._whole.close()
        self._frames, self._next = iter(()), None
