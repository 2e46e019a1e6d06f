"""From a source of frames to finished outputs: the loop that the command line runs."""

import sys
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from ddeal_core.errors import InputError, MaskError, MediaError, StoppedError
from ddeal_core.media.frame import Frame
from ddeal_core.media.masks.mask_images import Mask
from ddeal_core.media.outputs.result_writer import ResultWriter
from ddeal_core.media.sources.frame_source import FrameSource
from ddeal_core.runs.directions import (
    Direction,
    Earlier,
    anchor,
    check_direction,
    followed_back,
)
from ddeal_core.runs.journal import Journal
from ddeal_core.runs.outputs import Progress, RunOutputs
from ddeal_core.runs.run_record import RunRecord
from ddeal_core.runs.stages import Consumer, ahead
from ddeal_core.tracking.batches import is_out_of_memory
from ddeal_core.tracking.look_ahead import encoded
from ddeal_core.tracking.result import Result
from ddeal_core.tracking.segmenter import Labels, Segmenter

__all__ = ["Progress", "segment_video"]

_WAITING = 4  # Frames between two stages: evens out their pace, and bounds the memory.


def segment_video(
    segmenter: Segmenter,
    source: FrameSource,
    masks: Labels | Mapping[int, Labels],
    writers: Sequence[ResultWriter] = (),
    *,
    direction: Direction = "forward",
    on_back: Callable[[int, int], None] | None = None,
    journal: Journal | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> Generator[Progress]:
    """Segment a video and write it, frame by frame.

        with open_source("clip.mp4") as source:
            writers = [open_writer("masks", source=source), open_writer("cut.mov", source=source)]
            for progress in segment_video(segmenter, source, read_mask("first.png"), writers):
                show(progress.done, progress.total)

    The writers belong to this call: they are finished after the last frame, and abandoned if an
    error stops it or the iterator is closed early. One that cannot be finished does not keep the
    others from it. Where a frame cannot be read, the results of those before it are kept, under
    names that say so (`ResultWriter.keep_part`). A finished output has its manifest beside it.

    A frame that the source holds (`Frame.held`) has the result of the one before it; the network
    does not see it.

    Args:
        segmenter: Network, device and resolution.
        source: Frames; a range of them if it was opened so.
        masks: Label map of the source's first frame; or label maps by the number of their frame
            in the whole video (`Frame.index`), whatever range of it is given.
        writers: Outputs, opened on `source`.
        direction: Which way objects are followed from their masks: see `followed_back`. Results
            come in the video's order in any case. Going "backward", a label map alone is that of
            the last frame.
        on_back: Called after each frame of the way back, all of which come before the first
            result, with how many are done and how many there are.
        journal: Where results are kept until the outputs are whole, see `open_journal`; frames
            that it holds are not computed again. It belongs to this call.
        stop: Asked after each frame of a file; True ends the run as an error does, once the
            frames in hand are written.

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
    outputs = RunOutputs(writers, journal)
    try:
        check_direction(direction, source)
        by_frame = masks if isinstance(masks, Mapping) else {anchor(direction, source): masks}
        given = _checked(by_frame, source)
    except BaseException:
        outputs.abandon()
        raise
    return _segment(segmenter, source, given, outputs, direction, on_back, journal, stop)


def _segment(
    segmenter: Segmenter,
    source: FrameSource,
    given: dict[int, NDArray[np.integer]],
    outputs: RunOutputs,
    direction: Direction,
    on_back: Callable[[int, int], None] | None,
    journal: Journal | None,
    stop: Callable[[], bool],
) -> Generator[Progress]:
    done = 0

    def went_back(so_far: int, total: int) -> None:
        if on_back is not None:
            on_back(so_far, total)
        if stop():
            raise StoppedError("stopped on the way back")

    try:
        outputs.record = RunRecord.of(segmenter, source, given, direction)
        if source.is_live:  # wanted at once, and its sound is read along with its frames
            for step in _results(segmenter, source, given, iter(source)):
                outputs.write(step)
                done = step.done
                yield step
        else:
            back = followed_back(segmenter, source, given, direction, on_frame=went_back)
            with back as (left, earlier):
                results = partial(
                    _results, segmenter, source, left, earlier=earlier, journal=journal
                )
                for step in _side_by_side(source, results, outputs, stop):
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


def _results(
    segmenter: Segmenter,
    source: FrameSource,
    given: dict[int, NDArray[np.integer]],
    frames: Iterator[Frame],
    *,
    earlier: Earlier | None = None,
    journal: Journal | None = None,
) -> Iterator[Progress]:
    tracker = segmenter.tracker()
    done, total = 0, source.frame_count
    last = source.start - 1
    before_objects = min(given) - source.start if given else sys.maxsize
    result: Result | None = None
    restored = False  # whether the tracker is as a file says, and did nothing yet
    if journal is not None and journal.state is not None:
        mask: NDArray[np.integer] | None = None
        for kept, frame in zip(journal.replay(), frames, strict=False):
            mask = given.pop(frame.index, mask)
            result = kept.result(frame.size, mask, segmenter.device)
            last, done = frame.index, done + 1
            yield Progress(frame, result, done, total, restored=True)
        tracker.restore(journal.state)
        restored = True
    count = 1 if source.is_live else segmenter.look_ahead
    pairs = encoded(
        tracker,
        frames,
        lambda frame: frame.image,
        count=count,
        skip=max(0, before_objects - done),
    )
    for frame, encoding in pairs:
        lost = next((index for index in given if index < frame.index), None)
        if lost is not None or (frame.held and frame.index in given):
            raise _unseen(source, frame.index if lost is None else lost)
        if not frame.held or result is None:
            try:
                result = tracker.step(frame.image, given.pop(frame.index, None), encoding)
            except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError,
                    RuntimeError) as error:  # fmt: skip
                if journal is None or not restored or is_out_of_memory(error):
                    raise
                # Shapes and values that no tracker of this network had.
                raise journal.damaged() from error
            restored = False
            if earlier is not None:
                result = earlier.joined(frame.index, result)
        last, done = frame.index, done + 1
        # Batches of frames begin where they would have begun.
        whole_batch = done <= before_objects or (done - before_objects) % count == 0
        state = tracker.snapshot() if journal is not None and whole_batch else None
        yield Progress(frame, result, done, total, state=state)
    if given:
        raise _beyond(source, min(given), last + 1)
    if not done:
        raise InputError(f"{source.path} gave no frame from number {source.start} on")


def _side_by_side(
    source: FrameSource,
    results: Callable[[Iterator[Frame]], Iterator[Progress]],
    outputs: RunOutputs,
    stop: Callable[[], bool],
) -> Generator[Progress]:
    """Decode and write in threads of their own while the network computes in the caller's."""
    with (
        ahead(iter(source), capacity=_WAITING) as frames,
        Consumer[Progress](outputs.write, capacity=_WAITING) as writing,
    ):
        error: Exception | None = None
        try:
            for step in results(frames):
                writing.put(step)
                yield from writing.done()
                if stop():
                    raise StoppedError(f"stopped after frame {step.frame.index}")
        except Exception as caught:  # what was segmented before is still written
            error = caught
        yield from writing.finish()
        if error is not None:
            raise error


def _checked(by_frame: Mapping[int, Labels], source: FrameSource) -> dict[int, NDArray[np.integer]]:
    """Arrays by frame, as far as they can be held against the source before it is read."""
    if not by_frame:
        raise MaskError("no mask is given: at least one object must begin somewhere")
    height, width = source.size
    promised = None
    if source.frame_count is not None and source.frame_count_is_exact:
        promised = source.start + source.frame_count
    given: dict[int, NDArray[np.integer]] = {}
    for index, mask in sorted(by_frame.items()):
        labels = mask.labels if isinstance(mask, Mask) else np.asarray(mask)
        if index < source.start:
            raise MaskError(
                f"a mask is given for frame {index}, before the first frame {source.start}"
            )
        if source.end is not None and index >= source.end:
            raise MaskError(
                f"a mask is given for frame {index}, but the frames end before {source.end}"
            )
        if promised is not None and index >= promised:
            raise _beyond(source, index, promised)
        if labels.shape != (height, width):
            size = "x".join(str(side) for side in labels.shape[::-1])
            raise MaskError(
                f"the mask for frame {index} is {size}, the video {width}x{height}: "
                "give a mask of the video's size"
            )
        if not labels.any():
            raise MaskError(f"the mask for frame {index} is empty: it shows no object")
        given[index] = labels
    return given


def _unseen(source: FrameSource, index: int) -> MaskError:
    return MaskError(
        f"a mask is given for frame {index}, but that frame of {source.path} cannot be read: "
        "give a mask for another one"
    )


def _beyond(source: FrameSource, index: int, count: int) -> MaskError:
    return MaskError(
        f"a mask is given for frame {index}, but {source.path} ends after frame {count - 1} "
        "(frames are counted from 0)"
    )
