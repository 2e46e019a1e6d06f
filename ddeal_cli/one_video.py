"""One video cut out: what its masks are, how far it is, and what was done."""

import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ddeal_cli.console import say
from ddeal_cli.progress import ProgressLine

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ddeal_core.media import FrameSource, Mask, ResultWriter
    from ddeal_core.tracking import Direction, Result, Segmenter

__all__ = ["Summary", "cut_out", "tell_masks"]

_MASKS_TOLD = 12


@dataclass(frozen=True, slots=True)
class Summary:
    """What a run did.

    Attributes:
        frames: How many.
        seconds: From the first frame read to the last output closed.
    """

    frames: int
    seconds: float

    @property
    def frame_rate(self) -> float:
        """Frames a second."""
        return self.frames / max(self.seconds, 1e-9)


def tell_masks(masks: "Mapping[int, Mask]", source: "FrameSource", *, quiet: bool) -> None:
    """Say how each mask was understood; of many, only how many there are."""
    for index, mask in list(masks.items())[:_MASKS_TOLD]:
        where = "" if index == source.start else f" at frame {index}"
        say(f"mask{where}: {mask.understood}", quiet=quiet)
    if len(masks) > _MASKS_TOLD:
        say(f"masks of {len(masks) - _MASKS_TOLD} more frames", quiet=quiet)


def cut_out(
    segmenter: "Segmenter",
    source: "FrameSource",
    masks: "Mapping[int, Mask]",
    writers: "Sequence[ResultWriter]",
    *,
    direction: "Direction" = "forward",
    quiet: bool = False,
    watch: "Callable[[Result], None] | None" = None,
) -> Summary:
    """Run a video through the network into its outputs, with a progress bar.

    Args:
        segmenter: The network.
        source: The video.
        masks: Masks by frame.
        writers: Outputs; they are finished when this returns.
        direction: Which way objects are followed.
        quiet: Show nothing.
        watch: Called with each frame's result.
    """
    from ddeal_core.tracking import segment_video

    frames = 0
    with (
        ProgressLine("segment", total=source.frame_count, quiet=quiet) as line,
        closing(
            segment_video(
                segmenter,
                source,
                masks,
                writers,
                direction=direction,
                on_back=lambda done, total: _tell_back(line, done, total),
            )
        ) as steps,
        _ctrl_c_ends(source),
    ):
        for step in steps:
            frames = step.done
            if watch is not None:
                watch(step.result)
            line.advance()
        return Summary(frames, line.seconds)


def _tell_back(line: ProgressLine, done: int, total: int) -> None:
    if done == 1:
        line.expect(total)
    line.advance(note="back" if done < total else "")


@contextmanager
def _ctrl_c_ends(source: "FrameSource") -> Iterator[None]:
    """Let the first Ctrl-C end a live source, so that its outputs are completed."""
    if not source.is_live or threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(number: int, frame: object) -> None:
        del number, frame
        source.stop()
        signal.signal(signal.SIGINT, before)  # the second one interrupts

    before = signal.signal(signal.SIGINT, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
