"""One video cut out: what its masks are, how far it is, and what is kept when it is interrupted."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING

from ddeal_cli.console import emit_json, say
from ddeal_cli.progress import ProgressLine

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ddeal_core.media import FrameSource, Mask
    from ddeal_core.runs import NetworkOptions, OutputOptions, RunSummary, VideoRequest
    from ddeal_core.runs.outputs import Progress
    from ddeal_core.runs.run import Run
    from ddeal_core.tracking.doubt import Stretch

_MASKS_TOLD = 12


def run_and_show(
    request: "VideoRequest",
    outputs: "OutputOptions",
    network: "NetworkOptions",
    *,
    quiet: bool = False,
    watch: "Callable[[Progress], None]" = lambda _: None,
) -> "RunSummary":
    """Run a video into its outputs with a progress bar; the first Ctrl-C ends it cleanly.

    `watch` is called after each frame.
    """
    from ddeal_core.runs import run_video

    with ExitStack() as stack:
        shown = _Shown(stack, watch, quiet=quiet)
        try:
            return run_video(
                request,
                outputs,
                network,
                on_open=shown.opened,
                on_back=shown.went_back,
                on_progress=shown.moved,
                stop=shown.stop.is_set,
            )
        except BaseException:
            stack.close()  # the bar, before a line is written below it
            if shown.run is not None and shown.run.kept:
                say(
                    f"{shown.run.kept} frames are kept: run the same command with --resume to go on"
                )
            raise


def run_and_tell(
    request: "VideoRequest",
    outputs: "OutputOptions",
    network: "NetworkOptions",
    *,
    quiet: bool = False,
    json: bool = False,
) -> None:
    """Run a video as `run_and_show` does, and say what came of it."""
    done = run_and_show(request, outputs, network, quiet=quiet)
    height, width = done.size
    if not done.was_complete:
        for path in done.outputs:
            say(f"wrote {path}", quiet=quiet)
        plural = "" if done.frames == 1 else "s"
        kept = f" ({done.restored} of them kept from before)" if done.restored else ""
        where = "" if done.device is None else f" on {done.device}"
        say(
            f"{done.frames} frame{plural}{kept} of {width}x{height} in {done.seconds:.1f} s: "
            f"{done.frame_rate:.1f} frames/s{where}",
            quiet=quiet,
        )
    if done.doubts:
        which = "it" if sum(s.last - s.first + 1 for s in done.doubts) == 1 else "they"
        say(f"look at {listed(done.doubts)}: {which} may be wrong", quiet=quiet)
    if json:
        emit_json(
            {
                "video": request.video,
                "frames": done.frames,
                "restored": done.restored,
                "damaged_frames": done.damaged,
                "width": width,
                "height": height,
                "objects": done.object_ids,
                "outputs": [str(path) for path in done.outputs],
                "seconds": round(done.seconds, 3),
                "frames_per_second": round(done.frame_rate, 3),
                "device": done.device,
                "doubts": [asdict(stretch) for stretch in done.doubts],
                "weights": None if network.weights is None else str(network.weights),
            }
        )


def listed(doubts: "Sequence[Stretch]", *, most: int = 6) -> str:
    """Name the frames to look at: the most doubtful stretches, in order."""
    if not doubts:
        return ""
    worst = sorted(sorted(doubts, key=lambda each: -each.doubt)[:most], key=lambda each: each.first)
    spans = [str(s.first) if s.first == s.last else f"{s.first} to {s.last}" for s in worst]
    more = f" and {len(doubts) - most} more stretches" if len(doubts) > most else ""
    alone = len(worst) == 1 and worst[0].first == worst[0].last
    return f"frame{'' if alone else 's'} {', '.join(spans)}{more}"


def tell_masks(masks: "Mapping[int, Mask]", source: "FrameSource", *, quiet: bool) -> None:
    """Say how each mask was understood; of many, only how many there are."""
    for index, mask in list(masks.items())[:_MASKS_TOLD]:
        where = "" if index == source.start else f" at frame {index}"
        say(f"mask{where}: {mask.understood}", quiet=quiet)
    if len(masks) > _MASKS_TOLD:
        say(f"masks of {len(masks) - _MASKS_TOLD} more frames", quiet=quiet)


class _Shown:
    """What is shown of a run while it goes on."""

    def __init__(
        self, stack: ExitStack, watch: "Callable[[Progress], None]", *, quiet: bool
    ) -> None:
        self.run: Run | None = None
        self.stop = threading.Event()
        self._stack, self._watch, self._quiet = stack, watch, quiet
        self._line: ProgressLine | None = None
        self._restoring = False
        self._goes_back = False

    def opened(self, run: "Run") -> None:
        self.run = run
        if run.known is not None:
            say(f"masks: {run.known.understood}", quiet=self._quiet)
        tell_masks(run.masks, run.source, quiet=self._quiet)
        if run.is_complete:
            say("every output is whole already: nothing is left to do", quiet=self._quiet)
            return
        self._stack.enter_context(_ctrl_c(self.stop, is_live=run.source.info.is_live))
        if run.restored:
            say(f"{run.restored} frames are kept from before", quiet=self._quiet)
            self._restoring = True
            self._begin("restore", total=run.restored)
        else:
            what = "segment" if run.request.track else "render"
            self._begin(what, total=run.source.info.frame_count)

    def went_back(self, done: int, total: int) -> None:
        assert self._line is not None
        if not self._goes_back:
            self._goes_back = True
            self._line.expect(total - done + 1)
        self._line.advance(note="back" if done < total else "")

    def moved(self, progress: "Progress") -> None:
        assert self._line is not None
        if self._restoring and not progress.restored:
            self._restoring = False
            self._begin("segment", total=progress.total, begun=progress.done - 1)
        self._watch(progress)
        self._line.advance()

    def _begin(self, what: str, *, total: int | None, begun: int = 0) -> None:
        if self._line is not None:
            self._line.__exit__()
        line = ProgressLine(what, total=total, quiet=self._quiet, begun=begun)
        self._line = self._stack.enter_context(line)


@contextmanager
def _ctrl_c(stop: threading.Event, *, is_live: bool) -> Iterator[None]:
    """Let the first Ctrl-C set an event, and the second one interrupt at once."""

    def end(number: int, frame: object) -> None:
        del number, frame
        signal.signal(signal.SIGINT, before)  # the second one interrupts
        stop.set()
        if not is_live:  # whose outputs are completed, as if it had ended
            say("finishing the frames in hand; Ctrl-C again to stop at once")

    before = signal.getsignal(signal.SIGINT)
    alone = threading.current_thread() is threading.main_thread()
    if not alone or before in (signal.SIG_IGN, None):  # whoever started this wants it so
        yield
        return
    signal.signal(signal.SIGINT, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
