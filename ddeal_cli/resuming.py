"""Runs that are interrupted, and those that go on from them."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from ddeal_cli.console import say

if TYPE_CHECKING:
    from ddeal_core.media import FrameSource
    from ddeal_core.runs.journal import Journal

__all__ = ["Resume", "ctrl_c", "telling_what_is_kept"]

Resume = Annotated[
    bool,
    typer.Option(
        "--resume",
        help="Go on where a run of the same command was interrupted; the results are those of an "
        "unbroken run. Outputs that are whole already stay.",
        rich_help_panel="Output",
    ),
]


@contextmanager
def ctrl_c(source: "FrameSource") -> Iterator[threading.Event]:
    """Let the first Ctrl-C end a run cleanly, and the second one at once.

    A live source ends as if it had no more frames: its outputs are completed. For files the event
    is set, which `segment_video` shall ask for.
    """
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def end(number: int, frame: object) -> None:
        del number, frame
        signal.signal(signal.SIGINT, before)  # the second one interrupts
        if source.is_live:
            source.stop()
            return
        stop.set()
        say("finishing the frames in hand; Ctrl-C again to stop at once")

    before = signal.getsignal(signal.SIGINT)
    if before in (signal.SIG_IGN, None):  # whoever started this wants it so
        yield stop
        return
    signal.signal(signal.SIGINT, end)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def telling_what_is_kept(journal: "Journal | None") -> Iterator[None]:
    """Say after an interruption or an error how to go on."""
    try:
        yield
    except BaseException:
        if journal is not None and journal.done and journal.has_state:
            say(f"{journal.done} frames are kept: run the same command with --resume to go on")
        raise
