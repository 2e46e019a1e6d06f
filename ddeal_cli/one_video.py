"""One video cut out: what its masks are, how far it is, and what was done."""

from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from ddeal_cli.console import say
from ddeal_cli.progress import ProgressLine
from ddeal_cli.resuming import ctrl_c, telling_what_is_kept

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ddeal_core.media import FrameSource, Mask, ResultWriter
    from ddeal_core.runs.directions import Direction
    from ddeal_core.runs.journal import Journal
    from ddeal_core.tracking import Result, Segmenter

__all__ = ["Summary", "cut_out", "cut_out_or_resume", "tell_masks"]

_MASKS_TOLD = 12


@dataclass(frozen=True, slots=True)
class Summary:
    """What a run did.

    Attributes:
        frames: How many the outputs hold.
        seconds: From the first new frame to the last output closed.
        restored: Frames that an earlier run had found.
    """

    frames: int
    seconds: float
    restored: int = 0

    @property
    def frame_rate(self) -> float:
        """New frames a second."""
        return (self.frames - self.restored) / max(self.seconds, 1e-9)


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
    journal: "Journal | None" = None,
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
        journal: See `segment_video`.
    """
    from ddeal_core.runs.pipeline import segment_video

    frames = 0
    restored = 0 if journal is None else journal.done
    with telling_what_is_kept(journal), ctrl_c(source) as stop, ExitStack() as stack:
        line = ProgressLine("segment", total=source.frame_count, quiet=quiet, begun=restored)
        steps = segment_video(
            *(segmenter, source, masks, writers),
            direction=direction,
            on_back=lambda done, total: _tell_back(line, done, total),
            journal=journal,
            stop=stop.is_set,
        )
        stack.enter_context(closing(steps))
        if restored:
            say(f"{restored} frames are kept from before", quiet=quiet)
            with ProgressLine("take up", total=restored, quiet=quiet) as taking_up:
                for step in islice(steps, restored):
                    frames = step.done
                    if watch is not None:
                        watch(step.result)
                    taking_up.advance()
        with line:
            for step in steps:
                frames = step.done
                if watch is not None:
                    watch(step.result)
                line.advance()
            return Summary(frames, line.seconds, restored)


def cut_out_or_resume(
    segmenter: "Segmenter",
    source: "FrameSource",
    masks: "Mapping[int, Mask]",
    writers: "Sequence[ResultWriter]",
    *,
    direction: "Direction",
    resume: bool,
    overwrite: bool,
    quiet: bool,
) -> Summary:
    """Run a video into its outputs so that it can be resumed, or resume such a run.

    Args:
        segmenter: The network.
        source: The video.
        masks: Masks by frame.
        writers: Outputs, opened with `overwrite`.
        direction: Which way objects are followed.
        resume: See `open_journal`; nothing is done where all outputs are whole.
        overwrite: Whether what is there may be replaced.
        quiet: Show nothing.
    """
    from ddeal_core.media import read_manifest
    from ddeal_core.media.outputs.opening import abandon_all
    from ddeal_core.runs.unfinished import all_whole, open_journal

    what = (segmenter, source, masks, writers)
    try:
        whole = resume and all_whole(*what, direction=direction)
        journal = None
        if not whole:
            journal = open_journal(*what, direction=direction, resume=resume, overwrite=overwrite)
    except BaseException:
        abandon_all(writers)
        raise
    if whole:
        abandon_all(writers)
        say("every output is whole already: nothing is left to do", quiet=quiet)
        frames = len(read_manifest(writers[0].path).frames)
        return Summary(frames, 0.0, frames)
    return cut_out(*what, direction=direction, quiet=quiet, journal=journal)


def _tell_back(line: ProgressLine, done: int, total: int) -> None:
    if done == 1:
        line.expect(total)
    line.advance(note="back" if done < total else "")
