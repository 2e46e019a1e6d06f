"""A run from beginning to end: everything that cuts objects out of videos into files calls this.

`cut_out` is the call for people; `run_video` takes the same as values that can be kept, compared
and sent to other processes; `open_run` gives what `run_video` goes through, step by step.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Unpack

from ddeal_core.errors import InputError
from ddeal_core.media.file_kinds import StrPath
from ddeal_core.media.frame import Frame
from ddeal_core.media.identity import Settings
from ddeal_core.media.masks.mask_images import Mask, MaskLike
from ddeal_core.media.outputs.manifest import read_manifest
from ddeal_core.media.outputs.opening import abandon_all, check_free, open_outputs
from ddeal_core.media.outputs.result_writer import ResultWriter
from ddeal_core.media.pixel_limit import limited_pixels
from ddeal_core.media.sources.frame_source import FrameSource
from ddeal_core.media.sources.opening import open_source
from ddeal_core.runs.given_masks import named_mask_files, read_given_masks
from ddeal_core.runs.request import (
    CutOutOptions,
    NetworkOptions,
    OutputOptions,
    VideoRequest,
)
from ddeal_core.whole_files import journal_folder

if TYPE_CHECKING:
    from ddeal_core.runs.journal import Journal
    from ddeal_core.runs.known_masks import KnownMasks
    from ddeal_core.runs.outputs import Progress
    from ddeal_core.tracking.doubt import DoubtMeter, Stretch
    from ddeal_core.tracking.result import Result
    from ddeal_core.tracking.segmenter import Segmenter


@dataclass(frozen=True, slots=True)
class RunSummary:
    """What a run did.

    Attributes:
        frames: How many the outputs hold.
        restored: How many of them an earlier run had found.
        seconds: From the first new frame to the last output closed.
        damaged: Frames that could not be read.
        size: (height, width).
        object_ids: Of all masks, rising.
        outputs: Where they are.
        device: Where the network ran; None where nothing was tracked.
        was_complete: Whether nothing was left to do.
        doubts: Frames to look at, in order; none where nothing was tracked.
    """

    frames: int
    restored: int
    seconds: float
    damaged: int
    size: tuple[int, int]
    object_ids: tuple[int, ...]
    outputs: tuple[Path, ...]
    device: str | None
    was_complete: bool
    doubts: tuple[Stretch, ...] = ()

    @property
    def frame_rate(self) -> float:
        """New frames a second."""
        return (self.frames - self.restored) / max(self.seconds, 1e-9)


@dataclass(slots=True)
class Run:
    """A run that is ready to go: all inputs and outputs were checked.

    Attributes:
        request: What was asked for.
        outputs: Where it goes.
        source: The video.
        writers: The outputs, open.
        settings: What determines their bytes.
        is_complete: Whether all outputs are there already, whole.
        masks: By frame; empty where nothing is tracked.
        segmenter: The network; None where nothing is tracked.
        known: The masks of all frames, where nothing is tracked.
        journal: What an interrupted run goes on from, or None where it cannot be resumed.
        meter: Measures the doubt about what is tracked.
    """

    request: VideoRequest
    outputs: OutputOptions
    source: FrameSource
    writers: list[ResultWriter]
    settings: Settings = field(default_factory=dict)
    is_complete: bool = False
    masks: dict[int, Mask] = field(default_factory=dict)
    segmenter: Segmenter | None = None
    known: KnownMasks | None = None
    journal: Journal | None = None
    meter: DoubtMeter | None = None

    @property
    def kept(self) -> int:
        """Frames of both ways that are kept on the disk, for a run to go on from."""
        return 0 if self.journal is None or not self.journal.has_state else self.journal.done

    @property
    def object_ids(self) -> tuple[int, ...]:
        """Of all masks, rising; where nothing is tracked, of those that were read by now."""
        if self.known is not None:
            return tuple(sorted(self.known.object_ids))
        return tuple(sorted({i for mask in self.masks.values() for i in mask.object_ids}))

    @property
    def restored(self) -> int:
        """Frames of the outputs that an earlier run had found."""
        return 0 if self.journal is None else self.journal.forward.done

    def steps(
        self,
        *,
        on_back: Callable[[int, int], None] = lambda *_: None,
        stop: Callable[[], bool] = lambda: False,
        results: Callable[[Frame], Result] | None = None,
    ) -> Generator[Progress]:
        """Go through the video once: see `segment_video`, also for what is raised.

        `results`, if given, gives each frame's result in place of the network.
        """
        from ddeal_core.runs.pipeline import render_video, segment_video

        results = results or self.known
        finishing = self.outputs.finishing
        if results is not None or self.segmenter is None:
            assert results is not None
            return render_video(
                self.source, results, self.writers, self.settings, stop=stop, finishing=finishing
            )
        return segment_video(
            self.segmenter,
            self.source,
            self.masks,
            self.writers,
            direction=self.request.direction,
            settings=self.settings,
            on_back=on_back,
            journal=self.journal,
            stop=stop,
            meter=self.meter,
            finishing=finishing,
        )


@contextmanager
def open_run(
    request: VideoRequest, outputs: OutputOptions, network: NetworkOptions | Segmenter | None = None
) -> Iterator[Run]:
    """Open a video, its outputs and its masks, and load the network, in this order.

    Args:
        request: The video.
        outputs: The outputs. Nothing is written yet, but whether it could be was tried.
        network: What to load, or a network that is loaded; the bundled weights if None.

    Yields:
        The run; `Run.steps` is called once, unless it is complete.

    Raises:
        InputError: Something that was named cannot be used; nothing was written.
        OutputError: An output cannot be written.
    """
    with (
        limited_pixels(request.max_pixels),
        open_source(
            request.video,
            start=request.start,
            end=request.end,
            frame_rate=request.frame_rate,
            on_error=request.on_error,
        ) as source,
    ):
        masks = named_mask_files(request, source)
        writers = open_outputs(
            outputs.output_names,
            source=source,
            kind=outputs.kind,
            overwrite=True,  # asked below, where an unfinished run is known of
            keep=[*masks, *outputs.keep],
            look=outputs,
        )
        run = Run(request, outputs, source, writers)
        try:
            paths = [writer.path for writer in writers]
            unfinished = outputs.resumable and journal_folder(paths[0]).exists()
            if not (outputs.overwrite or outputs.resume or unfinished):
                check_free(paths)
            prepare = _prepare_tracking if request.track else _prepare_rendering
            prepare(run, network, [*masks, *outputs.keep])
        except BaseException:
            abandon_all(writers)
            raise
        if run.is_complete:
            abandon_all(writers)
        try:
            yield run
        finally:
            if run.known is not None:
                run.known.close()


def _prepare_tracking(
    run: Run, network: NetworkOptions | Segmenter | None, keep: Sequence[Path]
) -> None:
    """Read the masks, load the network, and take up what an interrupted run left."""
    request, outputs, source, writers = run.request, run.outputs, run.source, run.writers
    run.masks = read_given_masks(request, source)

    # From here on torch is needed, which takes seconds to import.
    from ddeal_core.cues.writers import open_cues
    from ddeal_core.runs.records import run_settings
    from ddeal_core.runs.resuming import open_journal, outputs_complete
    from ddeal_core.tracking.doubt import DoubtMeter

    cued = bool(outputs.cue_names)
    if network is None or isinstance(network, NetworkOptions):
        network = (network or NetworkOptions()).load(keep_cues=cued)
    run.segmenter, run.meter = network, DoubtMeter()
    if cued and not network.keep_cues:
        raise InputError("this segmenter keeps no cues: make it with keep_cues=True")
    writers += open_cues(
        outputs.cue_names,
        outputs.cue_frames,
        source=source,
        masks=run.masks,
        config=network.config,
        direction=request.direction,
        beside=writers,
        keep=keep,
        overwrite=outputs.overwrite,
    )
    run.settings = run_settings(network, source, run.masks, request.direction, outputs.finishing)
    run.is_complete = outputs.resume and outputs_complete(run.settings, writers)
    if outputs.resumable and not run.is_complete:
        run.journal = open_journal(
            run.settings,
            network,
            source,
            writers,
            resume=outputs.resume,
            overwrite=outputs.overwrite,
        )


def _prepare_rendering(
    run: Run, network: NetworkOptions | Segmenter | None, keep: Sequence[Path]
) -> None:
    """Find the masks of all frames."""
    del keep
    from ddeal_core.runs.known_masks import KnownMasks
    from ddeal_core.runs.records import render_settings
    from ddeal_core.runs.resuming import outputs_complete
    from ddeal_core.tracking.segmenter import resolve_device

    if network is None or isinstance(network, NetworkOptions):
        device = resolve_device("auto" if network is None else network.device)
    else:
        device = network.device
    run.known = KnownMasks(run.request, run.source, device)
    run.settings = render_settings(run.known.identity(), run.source, run.outputs.finishing)
    run.is_complete = run.outputs.resume and outputs_complete(run.settings, run.writers)


def run_video(
    request: VideoRequest,
    outputs: OutputOptions,
    network: NetworkOptions | Segmenter | None = None,
    *,
    on_open: Callable[[Run], None] = lambda _: None,
    on_back: Callable[[int, int], None] = lambda *_: None,
    on_progress: Callable[[Progress], None] = lambda _: None,
    stop: Callable[[], bool] = lambda: False,
) -> RunSummary:
    """Cut objects out of a video and write all outputs in one pass.

    Args are those of `open_run`, and:
        on_open: Called once all is ready.
        on_back: Called after each frame of the backward pass: see `segment_video`.
        on_progress: Called after each frame that is written.
        stop: Asked after each frame: see `segment_video`.

    Raises:
        DdealError: What `open_run` and `segment_video` raise.
    """
    with open_run(request, outputs, network) as run:
        on_open(run)
        frames = restored = 0
        began = time.monotonic()
        if run.is_complete:
            frames = restored = len(read_manifest(run.writers[0].path).frames)
        else:
            with closing(run.steps(on_back=on_back, stop=stop)) as steps:
                for progress in steps:
                    frames = progress.done
                    if progress.restored:
                        restored, began = frames, time.monotonic()
                    on_progress(progress)
        return RunSummary(
            frames=frames,
            restored=restored,
            seconds=time.monotonic() - began,
            damaged=run.source.damage.count,
            size=run.source.info.size,
            object_ids=run.object_ids,
            outputs=tuple(writer.path for writer in run.writers),
            device=None if run.segmenter is None else str(run.segmenter.device),
            was_complete=run.is_complete,
            doubts=() if run.meter is None else run.meter.stretches(),
        )


def cut_out(
    video: StrPath | BinaryIO,
    masks: StrPath | Sequence[StrPath] | Mapping[int, MaskLike],
    outputs: StrPath | Sequence[StrPath],
    *,
    segmenter: Segmenter | None = None,
    on_frame: Callable[[Progress], None] = lambda _: None,
    **options: Unpack[CutOutOptions],
) -> int:
    """Cut objects out of a video and write all outputs in one pass, as ``ddeal segment`` does.

        cut_out("clip.mp4", "first.png", ["cut.mov", "matte=matte.mp4", "masks"])
        cut_out("clip.mp4", ["first.png", "120=more.png"], "new.mp4", background="beach.jpg")
        cut_out("clip.mp4", [], "masks", hints={1: Hints(box=(420, 130, 180, 300))})
        cut_out("clip.mp4", "60=middle.png", "masks", direction="both")

    The same call gives the same bytes as the command.

    Args:
        video: See `VideoRequest`.
        masks: See `VideoRequest`; none where there are hints.
        outputs: The names of `OutputOptions`.
        segmenter: Weights and device; the bundled weights if None.
        on_frame: Called after each frame.
        **options: All other attributes of `VideoRequest` and `OutputOptions`, which say what they
            mean.

    Returns:
        How many frames were written; 0 where all outputs were whole already.

    Raises:
        TypeError: There is no such option.
        InputError: Something that was named cannot be used; nothing was written.
        OutputError: An output cannot be written.
    """
    for_outputs = {each.name for each in fields(OutputOptions)}
    of_outputs: dict[str, Any] = {n: value for n, value in options.items() if n in for_outputs}
    others: dict[str, Any] = {n: value for n, value in options.items() if n not in for_outputs}
    request, into = VideoRequest(video, masks, **others), OutputOptions(outputs, **of_outputs)
    summary = run_video(request, into, segmenter, on_progress=on_frame)
    return 0 if summary.was_complete else summary.frames
