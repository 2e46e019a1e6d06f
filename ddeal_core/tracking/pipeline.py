"""From a source of frames to finished outputs: the loop that the command line runs."""

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ddeal_core.errors import InputError, MaskError, StoppedError
from ddeal_core.media.frame import Frame
from ddeal_core.media.frame_source import FrameSource
from ddeal_core.media.masks import Mask
from ddeal_core.media.result_writer import ResultWriter
from ddeal_core.tracking.journal import Journal
from ddeal_core.tracking.look_ahead import encoded
from ddeal_core.tracking.run_outputs import Progress, RunOutputs
from ddeal_core.tracking.run_record import RunRecord
from ddeal_core.tracking.segmenter import Labels, Segmenter
from ddeal_core.tracking.stages import Consumer, ahead

__all__ = ["Progress", "segment_video"]

_WAITING = 4  # Frames between two stages: evens out their pace, and bounds the memory.


def segment_video(
    segmenter: Segmenter,
    source: FrameSource,
    masks: Labels | Mapping[int, Labels],
    writers: Sequence[ResultWriter] = (),
    *,
    journal: Journal | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> Generator[Progress]:
    """Segment a video and write it, frame by frame.

        with open_source("clip.mp4") as source:
            writers = [open_writer("masks", source=source), open_writer("cut.mov", source=source)]
            for progress in segment_video(segmenter, source, read_mask("first.png"), writers):
                print(progress.done, progress.total)

    The writers belong to this call: they are finished after the last frame, and abandoned if an
    error stops it or the iterator is closed early. One that cannot be finished does not keep the
    others from it. A finished output has its manifest beside it.

    Args:
        segmenter: Network, device and resolution.
        source: Frames; a range of them if it was opened so.
        masks: Label map of the source's first frame; or label maps by the number of their frame
            in the whole video (`Frame.index`), whatever range of it is given.
        writers: Outputs, opened on `source`.
        journal: Where results are kept until the outputs are whole, see `open_journal`; frames
            that it holds are not computed again. It belongs to this call.
        stop: Asked after each frame of a file; True ends the run as an error does, once the
            frames in hand are written.

    Yields:
        Each frame, once it is written.

    Raises:
        MaskError: A mask has no object, another size than the video, or belongs to a frame that
            is not in the range. All that can be known is told before the first frame.
        MediaError: A frame cannot be read.
        OutputError: An output cannot be written; the message names it.
        StoppedError: `stop` said so.
    """
    outputs = RunOutputs(writers, journal)
    try:
        given = _checked(masks, source)
    except BaseException:
        outputs.abandon()
        raise
    return _segment(segmenter, source, given, outputs, journal, stop)


def _segment(
    segmenter: Segmenter,
    source: FrameSource,
    given: dict[int, NDArray[np.integer]],
    outputs: RunOutputs,
    journal: Journal | None,
    stop: Callable[[], bool],
) -> Generator[Progress]:
    try:
        outputs.record = RunRecord.of(segmenter, source, given)
        if source.is_live:  # wanted at once, and its sound is read along with its frames
            for step in _results(segmenter, source, given, iter(source), None):
                outputs.write(step)
                yield step
        else:
            yield from _side_by_side(segmenter, source, given, outputs, journal, stop)
    except BaseException:
        outputs.abandon()
        raise
    outputs.finish()


def _results(
    segmenter: Segmenter,
    source: FrameSource,
    given: dict[int, NDArray[np.integer]],
    frames: Iterator[Frame],
    journal: Journal | None,
) -> Iterator[Progress]:
    tracker = segmenter.tracker()
    done, total = 0, source.frame_count
    last = source.start - 1
    before_objects = min(given) - source.start
    if journal is not None and journal.state is not None:
        for kept, frame in zip(journal.replay(), frames, strict=False):
            mask = given.pop(frame.index, None)
            result = kept.result(done, frame.size, mask, segmenter.device)
            last, done = frame.index, done + 1
            yield Progress(frame, result, done, total, restored=True)
        tracker.state = journal.state
    count = 1 if source.is_live else segmenter.look_ahead
    pairs = encoded(
        tracker,
        frames,
        lambda frame: frame.image,
        count=count,
        skip=max(0, before_objects - done),
    )
    for frame, encoding in pairs:
        result = tracker.step(frame.image, given.pop(frame.index, None), encoding)
        last, done = frame.index, done + 1
        # Batches of frames begin where they would have begun.
        whole_batch = done <= before_objects or (done - before_objects) % count == 0
        state = tracker.state if journal is not None and whole_batch else None
        yield Progress(frame, result, done, total, state=state)
    if given:
        raise _beyond(source, min(given), last + 1)
    if not done:
        raise InputError(f"{source.path} gave no frame from number {source.start} on")


def _side_by_side(
    segmenter: Segmenter,
    source: FrameSource,
    given: dict[int, NDArray[np.integer]],
    outputs: RunOutputs,
    journal: Journal | None,
    stop: Callable[[], bool],
) -> Generator[Progress]:
    """Decode and write in threads of their own while the network computes in the caller's."""
    with (
        ahead(iter(source), capacity=_WAITING) as frames,
        Consumer[Progress](outputs.write, capacity=_WAITING) as writing,
    ):
        error: Exception | None = None
        try:
            for step in _results(segmenter, source, given, frames, journal):
                writing.put(step)
                yield from writing.done()
                if stop():
                    raise StoppedError(f"stopped after frame {step.frame.index}")
        except Exception as caught:  # what was segmented before is still written
            error = caught
        yield from writing.finish()
        if error is not None:
            raise error


def _checked(
    masks: Labels | Mapping[int, Labels], source: FrameSource
) -> dict[int, NDArray[np.integer]]:
    """Arrays by frame, as far as they can be held against the source before it is read."""
    by_frame = masks if isinstance(masks, Mapping) else {source.start: masks}
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


def _beyond(source: FrameSource, index: int, count: int) -> MaskError:
    return MaskError(
        f"a mask is given for frame {index}, but {source.path} ends after frame {count - 1} "
        "(frames are counted from 0)"
    )
