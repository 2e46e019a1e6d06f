"""Which frames to look into."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ddeal_core.errors import InputError

_PART = re.compile(r"([0-9]{1,9})(?:-([0-9]{1,9}))?")
_STEP = re.compile(r"every:([0-9]{1,9})")


@dataclass(frozen=True, slots=True)
class FrameChoice:
    """Frames by number, or one in so many.

    Attributes:
        step: Every so many frames, counted from the first that is segmented.
        ranges: First and last number of frames in the whole video; None leaves it to `step`.
    """

    step: int = 1
    ranges: tuple[tuple[int, int], ...] | None = None

    @classmethod
    def parse(cls, text: str) -> FrameChoice:
        """Read ``all``, ``every:10``, or numbers and ranges such as ``0,10,20-29``.

        Raises:
            InputError: It is none of these.
        """
        text = text.strip()
        if text == "all":
            return cls()
        if (every := _STEP.fullmatch(text)) and int(every[1]):
            return cls(step=int(every[1]))
        parts = [_PART.fullmatch(part.strip()) for part in text.split(",")]
        ranges = tuple((int(p[1]), int(p[2] or p[1])) for p in parts if p)
        if len(ranges) < len(parts) or any(first > last for first, last in ranges):
            raise InputError(
                f"frames are all, every:10, or numbers such as 0,10,20-29, not {text!r}"
            )
        return cls(ranges=ranges)

    def holds(self, index: int, *, start: int) -> bool:
        """Whether a frame is chosen.

        Args:
            index: Its number in the whole video.
            start: Number of the first frame that is segmented.
        """
        if self.ranges is None:
            return (index - start) % self.step == 0
        return any(first <= index <= last for first, last in self.ranges)
