"""What every source of frames is: files, folders, cameras and pipes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from fractions import Fraction
from operator import index
from pathlib import Path
from typing import Self, TypedDict, get_args

from ddeal_core.choices import OnError
from ddeal_core.errors import InputError
from ddeal_core.media.colour import ColourTags
from ddeal_core.media.frame import Frame
from ddeal_core.media.identity import Settings
from ddeal_core.media.sources.damage import DamageRecord
from ddeal_core.media.sources.sound import Sound


class SourceOptions(TypedDict, total=False):
    """Which frames a source gives, and what it does about damage: see `open_source`."""

    start: int | None
    end: int | None
    on_error: OnError


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """What is known of a source before its frames are read.

    Attributes:
        size: (height, width) of the frames as displayed.
        frame_rate: Average frames a second, or None where unknown.
        time_base: Seconds per unit of the frames' time stamps, or None.
        frame_count: How many frames the container promises, or None; good for progress, and for
            sizes only if it is exact.
        frame_count_is_exact: Whether it can be relied on.
        zero: Time stamp, in seconds, that stands for the beginning; not 0 in a broadcast stream.
        is_video: Whether the frames come from one video rather than from image files.
        is_live: Whether frames come once only, as they are made: a camera, a pipe, a network
            stream.
        colour: How a video made from these frames should be tagged.
        bits: Of a colour, 8 to 16; above 8 frames have their `Frame.deep`.
        hdr: The video's own tags where it is HDR, which frames show as SDR; else None.
        full_range: Whether the first picture is coded in full range.
    """

    size: tuple[int, int]
    frame_rate: Fraction | None
    time_base: Fraction | None
    frame_count: int | None = None
    frame_count_is_exact: bool = False
    zero: Fraction = Fraction(0)
    is_video: bool = True
    is_live: bool = False
    colour: ColourTags = field(default_factory=ColourTags)
    bits: int = 8
    hdr: ColourTags | None = None
    full_range: bool = False

    @property
    def exact_count(self) -> int | None:
        """How many frames there are, or None where only reading them would tell."""
        return self.frame_count if self.frame_count_is_exact else None


class FrameSource(ABC):
    """Frames in order of display, one decoded at a time; close it, or use it with `with`.

    A source over files can be iterated again and starts anew each time; a live one gives its
    frames once.

    Attributes:
        path: What was opened.
        info: Its size, rate, number of frames and so on.
        start: First frame given, as an index in the whole video.
        end: Index after the last frame given, or None for all.
        on_error: What is done about frames that cannot be read.
        damage: Such frames, as far as the last iteration has come.
    """

    info: SourceInfo

    def __init__(
        self,
        path: Path,
        *,
        start: int | None = None,
        end: int | None = None,
        on_error: OnError = "stop",
    ) -> None:
        if on_error not in get_args(OnError):
            raise InputError(f"on_error is {', '.join(get_args(OnError))}, not {on_error!r}")
        if start is not None and start < 0:
            raise InputError(f"the first frame is 0 or later, not {start}")
        if end is not None and end <= (start or 0):
            raise InputError(f"frames {start or 0} to {end} are none: the end must come later")
        self.path = path
        self.start = index(start or 0)
        self.end = None if end is None else index(end)
        self._known: Settings | None = None
        self.on_error: OnError = on_error
        self.damage = DamageRecord(path, on_error)

    def sound(self) -> Sound | None:
        """The sound that belongs to the frames, or None."""
        return None

    def frame_named(self, name: str) -> int | None:
        """Index of the frame whose file has this stem, or None where frames are no files."""
        del name
        return None

    def part(self, first: int, stop: int) -> Iterator[Frame]:
        """Give the frames from one index to before another, both of the whole video.

        Sources that can go to a frame at once do so; others read what comes before it.

        Raises:
            MediaError: A frame cannot be read; the message has its number.
        """
        with closing(iter(self)) as frames:
            for frame in frames:
                if frame.index >= first:
                    yield frame
                if frame.index + 1 >= stop:
                    return

    def identity(self) -> Settings:
        """Say what was opened, in plain JSON types: its name, and what tells it from others.

        Worked out once: it is what was there when it was first asked for.

        Raises:
            MediaError: It cannot be read any more.
        """
        if self._known is None:
            self._known = self._identify()
        return self._known

    def _identify(self) -> Settings:
        return {"name": self.path.name, "live": self.info.is_live}

    def stop(self) -> None:  # noqa: B027 - files end by themselves
        """Let a live source end after the frame it is at, as if there were no more."""

    @abstractmethod
    def __iter__(self) -> Generator[Frame]:
        """Give the frames.

        Raises:
            MediaError: A frame cannot be read and `on_error` is "stop"; the message has its
                number.
        """

    def close(self) -> None:  # noqa: B027 - most sources hold nothing between iterations
        """Let go of files and decoders."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
