"""One video of many: what is to be done with it, how far it is, and how it ended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ddeal_core.errors import Remedy
from ddeal_core.runs.request import OutputOptions, VideoRequest

if TYPE_CHECKING:
    from ddeal_core.tracking.doubt import Stretch


@dataclass(frozen=True, slots=True)
class Job:
    """One video with its masks and outputs.

    Attributes:
        request: The video and its masks.
        outputs: Its outputs.
        by_rule: The mask is a folder that was found by the video's name: see `masks_in`.
        fault: Why it cannot be done, where that is known before it starts.
    """

    request: VideoRequest
    outputs: OutputOptions
    by_rule: bool = False
    fault: str | None = None

    @property
    def video(self) -> str:
        """Name of the video."""
        return str(self.request.video)


@dataclass(frozen=True, slots=True)
class Position:
    """How far a video is.

    Attributes:
        job: The video.
        done: Frames so far.
        total: Frames that it promises, or None.
    """

    job: Job
    done: int
    total: int | None


OnProgress = Callable[[Position], None]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a video ended.

    Attributes:
        job: The video.
        status: "done"; "complete" where an earlier run had done all of it; or "failed".
        frames: Frames that were segmented.
        size: Its (height, width), once a frame was.
        objects: Ids that were followed.
        seconds: From opening the video to closing the last output.
        device: Where the network ran.
        doubts: Frames to look at.
        error: Of a failure, one line that says what is wrong.
        remedy: What lifts a refusal: see `DdealError`.
        bad_input: Whether the caller can mend it, as with `InputError`.
    """

    job: Job
    status: Literal["done", "complete", "failed"]
    frames: int = 0
    size: tuple[int, int] | None = None
    objects: tuple[int, ...] = ()
    seconds: float = 0.0
    device: str | None = None
    doubts: tuple[Stretch, ...] = ()
    error: str | None = None
    remedy: Remedy | None = None
    bad_input: bool = False

    @property
    def frame_rate(self) -> float:
        """Frames a second."""
        return self.frames / max(self.seconds, 1e-9)

    @classmethod
    def fault(cls, job: Job, error: str, *, bad_input: bool = False) -> Outcome:
        """A video that failed before its first frame, or took its process with it."""
        return cls(job, "failed", error=error, bad_input=bad_input)
