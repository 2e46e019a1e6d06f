"""From the pictures of a decoder to frames, for files and live input alike."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import av
import numpy as np
from av.container import InputContainer
from numpy.typing import NDArray

from ddeal_core.errors import MediaError
from ddeal_core.media.colour import bits_of, is_full_range
from ddeal_core.media.frame import DeepPicture, Frame
from ddeal_core.media.sources.decoding import Display, clock_zero, damage
from ddeal_core.media.sources.frame_source import FrameSource, SourceInfo
from ddeal_core.media.sources.ledger import Lost

Numbered = tuple[int, av.VideoFrame | Lost]
"""A picture, or one that is lost, with its index in the whole video."""


class DecodedSource(FrameSource):
    """A source whose frames FFmpeg decodes."""

    display: Display
    """How the stream's pictures are shown."""
    _stopped = False

    def _see(self, display: Display, first: av.VideoFrame, container: InputContainer) -> None:
        """Take what the first picture and the container say."""
        self.display = display
        self.info = SourceInfo(
            size=display.size,
            frame_rate=display.frame_rate,
            time_base=display.time_base,
            zero=clock_zero(container, first),
            colour=display.colour,
            bits=bits_of(first),
            hdr=display.coded_colour if display.coded_colour.is_hdr else None,
            full_range=is_full_range(first),
        )

    def _kept(self, pictures: Iterable[av.VideoFrame | Lost]) -> Iterator[Numbered]:
        """Number the pictures; give those from `start` on, and those lost if they are held."""
        for index, picture in enumerate(pictures):
            if index < self.start:
                continue
            if isinstance(picture, Lost):
                if self.end is None or index < self.end:
                    self.damage.lose(index, picture.why)
                if self.on_error == "skip":
                    continue
            yield index, picture

    def _frames(self, pictures: Iterable[tuple[Numbered, int | None]]) -> Iterator[Frame]:
        """Make frames up to `end` of pictures and their durations; tell of damage at the end.

        Raises:
            MediaError: The decoder had to make up a picture in part, or there is no frame.
        """
        display, given = self.display, 0
        last: NDArray[np.uint8] | None = None
        deep: DeepPicture | None = None
        for (index, picture), duration in pictures:
            if self.end is not None and index >= self.end:
                break
            if not isinstance(picture, Lost):
                if picture.is_corrupt:
                    raise damage(self.path, index, "the decoder had to make up parts of it")
                last, deep = display.rgb(picture), display.deep(picture)
            if last is None:  # damage before there is anything to hold
                self.damage.unheld += 1
                continue
            given += 1
            yield Frame(
                image=last,
                index=index,
                pts=picture.pts if display.time_base is not None else None,
                duration=duration,
                time_base=display.time_base,
                name=f"{index:05d}",
                held=isinstance(picture, Lost),
                deep=deep,
            )
            if index + 1 == self.end:
                break
        self.damage.warn()
        if not given and not self._stopped:
            raise MediaError(f"{self.path} ends before frame {self.start}: nothing to read")


def with_durations(pictures: Iterator[Numbered]) -> Iterator[tuple[Numbered, int | None]]:
    """Pair each numbered picture with the time until the next one.

    What decoders report belongs to the order of coding: wrong where there are B-frames and a
    variable rate. A failure is raised after the picture before it has been given.
    """
    held: Numbered | None = None
    failure: MediaError | None = None
    try:
        for numbered in pictures:
            if held is not None:
                begin, end = held[1].pts, numbered[1].pts
                gap = None
                if begin is not None and end is not None and end > begin:
                    gap = end - begin
                yield held, gap
            held = numbered
    except MediaError as error:
        failure = error
    if held is not None:
        yield held, held[1].duration or None
    if failure is not None:
        raise failure
