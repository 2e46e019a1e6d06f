"""From a source of frames to finished outputs: decoding, the network and writing side by side."""

import sys
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, nullcontext
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray

from ddeal_core.choices import Direction
from ddeal_core.errors import InputError, MaskError, MediaError, StoppedError
from ddeal_core.finishing import UNFINISHED, Finisher, Finishing
from ddeal_core.media.frame import Frame
from ddeal_core.media.identity import Settings
from ddeal_core.media.masks.mask_images import MaskLike
from ddeal_core.media.outputs.result_writer import ResultWriter
from ddeal_core.media.sources.frame_source import FrameSource
from ddeal_core.runs.backward import BackwardTracking
from ddeal_core.runs.given_masks import (
    add_references,
    anchor,
    beyond_the_end,
    check_direction,
    check_masks,
)
from ddeal_core.runs.journal import Journal, Pass
from ddeal_core.runs.known_masks import KnownMasks
from ddeal_core.runs.outputs import Progress, RunOutputs
from ddeal_core.runs.records import run_settings
from ddeal_core.runs.result_log import ResultLog
from ddeal_core.runs.stages import Consumer, prefetched
from ddeal_core.tracking.doubt import DoubtMeter
from ddeal_core.tracking.look_ahead import encoded
from ddeal_core.tracking.result import Result
from ddeal_core.tracking.segmenter import Segmenter
from ddeal_core.tracking.tracker import Tracker

Compute = Callable[[Iterator[Frame]], Generator[Progress]]

_WAITING = 4  # Frames between two stages: evens out their pace, and bounds the memory.


def segment_video(
    segmenter: Segmenter,
    source: FrameSource,
    masks: MaskLike | Mapping[int, MaskLike],
    writers: Sequence[ResultWriter] = (),
    *,
    direction: Direction = "forward",
    settings: Settings | None = None,
    on_back: Callable[[int, int], None] = lambda *_: None,
    journal: Journal | None = None,
    stop: Callable[[], bool] = lambda: False,
    meter: DoubtMeter | None = None,
    finishing: Finishing = UNFINISHED,
) -> Generator[Progress]:
    """Segment a video and write it, frame by frame.

        with open_source("clip.mp4") as source:
            writers = [open_writer("masks", source=source), open_writer("cut.mov", source=source)]
            for progress in segment_video(segmenter, source, read_mask("first.png"), writers):
                show(progress.done, progress.total)

    The writers belong to this call: they are finished after the last frame, and abandoned if an
    error stops it or the iterator is closed early. If one cannot be finished, the others still
    are. Where a frame cannot be read, the results of those before it are kept, under
    names that say so (`ResultWriter.keep_part`). A finished output has its manifest beside it.

    A frame that the source holds (`Frame.held`) has the result of the one before it; the network
    does not see it.

    Args:
        segmenter: Network, device and resolution.
        source: Frames; a range of them if it was opened so.
        masks: Label map of the source's first frame, or going "backward" of the last; or label
            maps by the number of their frame in the whole video, whatever range of it is given.
        writers: Outputs, opened on `source`.
        direction: Which way objects are followed: see `VideoRequest`. Results come in the video's
            order in any case.
        settings: What manifests say of the run; that of `run_settings` if None.
        on_back: Called after each frame of the backward pass, all of which come before the first
            result, with how many are done and how many there are.
        journal: Where results are kept until the outputs are whole, see `open_journal`; what it
            holds is not computed again. It belongs to this call.
        stop: Asked after each frame. True ends a live source as if it had no more frames; a run
            on files ends as after an error, once the frames in hand are written.
        meter: Measures the doubt about every result.
        finishing: What is done to masks before outputs are made of them.

    Yields:
        Each frame, once it is written.

    Raises:
        MaskError: A mask has no object, another size than the video, or belongs to a frame that
            is not in the range. All that can be known is told before the first frame.
        MediaError: A frame cannot be read; the message has its number, and where the results of
            those before it are.
        OutputError: An output cannot be written; the message names it.
        StoppedError: `stop` said so.
    """
    outputs = RunOutputs(writers, source, journal, meter, Finisher(finishing))
    try:
        check_direction(direction, source)
        by_frame = masks if isinstance(masks, Mapping) else {anchor(direction, source): masks}
        given = check_masks(by_frame, source)
        outputs.settings = settings or run_settings(segmenter, source, given, direction, finishing)
    except BaseException:
        outputs.abandon()
        raise

    def count_back(so_far: int, total: int) -> None:
        on_back(so_far, total)
        if stop():
            raise StoppedError("stopped on the way back")

    def prepare(stack: ExitStack) -> Compute:
        return _tracked(segmenter, source, given, direction, journal, count_back, stack)

    return _written(source, prepare, outputs, stop)


def render_video(
    source: FrameSource,
    results: Callable[[Frame], Result],
    writers: Sequence[ResultWriter],
    settings: Settings,
    *,
    stop: Callable[[], bool] = lambda: False,
    finishing: Finishing = UNFINISHED,
) -> Generator[Progress]:
    """Write a video whose results are known, as `segment_video` writes what it finds.

    Args:
        source: Frames.
        results: Gives the result of each; called in order.
        writers: See `segment_video`.
        settings: What manifests say of the run.
        stop: See `segment_video`.
        finishing: See `segment_video`.

    Yields:
        Each frame, once it is written.

    Raises:
        DdealError: What `results` raises, and as `segment_video` raises it.
    """
    outputs = RunOutputs(writers, source, finisher=Finisher(finishing))
    outputs.settings = settings

    def compute(frames: Iterator[Frame]) -> Generator[Progress]:
        for done, frame in enumerate(frames, start=1):
            yield outputs.prepared(Progress(frame, results(frame), done, source.info.frame_count))
        if isinstance(results, KnownMasks):
            results.finish()

    return _written(source, lambda _: compute, outputs, stop)


def _written(
    source: FrameSource,
    prepare: Callable[[ExitStack], Compute],
    outputs: RunOutputs,
    stop: Callable[[], bool],
) -> Generator[Progress]:
    """Write what is computed of the frames; finish the outputs, or tidy them up."""
    done = 0
    try:
        with ExitStack() as stack:
            run = _one_by_one if source.info.is_live else _side_by_side
            for step in run(source, prepare(stack), outputs, stop):
                done = step.done
                yield step
    except MediaError as error:
        if not done:
            outputs.abandon()
            raise
        kept = outputs.keep_parts()
        where = f"; results of the {done} frames before it: {', '.join(kept)}" if kept else ""
        raise MediaError(f"{error}{where}") from None
    except BaseException:
        outputs.abandon()
        raise
    outputs.finish()


def _one_by_one(
    source: FrameSource, compute: Compute, outputs: RunOutputs, stop: Callable[[], bool]
) -> Generator[Progress]:
    """Live frames are wanted at once, and their sound is read along with them."""
    for step in compute(iter(source)):
        outputs.write(step)
        yield step
        if stop():
            source.stop()


def _side_by_side(
    source: FrameSource, compute: Compute, outputs: RunOutputs, stop: Callable[[], bool]
) -> Generator[Progress]:
    """Decode and write in threads of their own while the network computes in the caller's."""
    with (
        prefetched(iter(source), capacity=_WAITING) as frames,
        Consumer[Progress](outputs.write, capacity=_WAITING) as writing,
        closing(compute(frames)) as steps,
    ):
        error: Exception | None = None
        try:
            for step in steps:
                writing.put(step)
                yield from writing.done()
                if stop():
                    raise StoppedError(f"stopped after frame {step.frame.index}")
        except Exception as caught:  # what was segmented before is still written
            error = caught
        yield from writing.finish()
        if error is not None:
            raise error


def _tracked(
    segmenter: Segmenter,
    source: FrameSource,
    given: Mapping[int, NDArray[np.uint8]],
    direction: Direction,
    journal: Journal | None,
    on_back: Callable[[int, int], None],
    stack: ExitStack,
) -> Compute:
    """Run the backward pass, if there is one; give the forward pass, which is still to run."""
    backward = None
    if direction != "forward":
        backward = BackwardTracking.of(given, direction, source.start)
    left = {} if direction == "backward" else dict(given)
    kept = None if journal is None else journal.forward
    tracker = segmenter.tracker()
    add_references(tracker, source, given)
    forward = partial(_forward, segmenter, tracker.fork(), source, left, kept)
    if backward is None:
        return forward
    if journal is not None:
        back = journal.back
    else:
        back = Pass(stack.enter_context(closing(ResultLog.temporary())))
    backward.follow(tracker, source, back, on_back, look_ahead=segmenter.look_ahead)
    return partial(_joined, forward, back, backward, segmenter.device)


def _joined(
    forward: Compute,
    back: Pass,
    backward: BackwardTracking,
    device: torch.device,
    frames: Iterator[Frame],
) -> Generator[Progress]:
    """Join the results of the backward pass to those of the forward pass."""
    for step in forward(frames):
        found = back.get(step.frame, device)
        if found is not None and backward.keys:
            both = step.result.blended(found, backward.shares(step.frame.index))
            step = replace(step, result=both, forward=step.result)
        elif found is not None:
            step = replace(step, result=step.result.joined(found), forward=step.result)
        yield step


def _forward(
    segmenter: Segmenter,
    tracker: Tracker,
    source: FrameSource,
    given: dict[int, NDArray[np.uint8]],
    kept: Pass | None,
    frames: Iterator[Frame],
) -> Generator[Progress]:
    done, total = 0, source.info.frame_count
    last = source.start - 1
    before_objects = min(given) - source.start if given else sys.maxsize
    result: Result | None = None
    if kept is not None and kept.state is not None:
        for frame in frames:
            given.pop(frame.index, None)
            result = kept.get(frame, segmenter.device)
            if result is None:
                raise kept.damaged()
            last, done = frame.index, done + 1
            yield Progress(frame, result, done, total, restored=True)
            if done == kept.done:
                break
        kept.restore(tracker)
    count = 1 if source.info.is_live else segmenter.look_ahead
    pairs = encoded(
        tracker, frames, lambda frame: frame.image, count=count, skip=max(0, before_objects - done)
    )
    for frame, encoding in pairs:
        lost = next((index for index in given if index < frame.index), None)
        if lost is not None or (frame.held and frame.index in given):
            raise MaskError(
                f"a mask is given for frame {frame.index if lost is None else lost}, but that "
                f"frame of {source.path} cannot be read: give a mask for another one"
            )
        if not frame.held or result is None:
            with nullcontext() if kept is None else kept.first_step_proves():
                result = tracker.step(frame.image, given.pop(frame.index, None), encoding)
        last, done = frame.index, done + 1
        # Batches of frames begin where they would have begun.
        whole_batch = done <= before_objects or (done - before_objects) % count == 0
        state = tracker.snapshot() if kept is not None and whole_batch else None
        yield Progress(frame, result, done, total, state=state)
    if given:
        raise beyond_the_end(source, min(given), last + 1)
    if not done:
        raise InputError(f"{source.path} gave no frame from number {source.start} on")
