"""From a source of frames to finished outputs: the loop that the command line runs."""

import contextlib
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ddeal_core.errors import DdealError, InputError, MaskError, OutputError
from ddeal_core.media.cutout import Cutout
from ddeal_core.media.frame import Frame
from ddeal_core.media.frame_source import FrameSource
from ddeal_core.media.masks import Mask
from ddeal_core.media.result_writer import ResultWriter, output_error
from ddeal_core.tracking.look_ahead import encoded
from ddeal_core.tracking.result import Result
from ddeal_core.tracking.segmenter import Labels, Segmenter
from ddeal_core.tracking.stages import Consumer, ahead

__all__ = ["Progress", "segment_video"]

_WAITING = 4  # Frames between two stages: evens out their pace, and bounds the memory.


@dataclass(frozen=True, slots=True)
class Progress:
    """One frame that has been segmented and handed to all writers.

    Attributes:
        frame: As it came from the source.
        result: What was found in it.
        done: Frames so far, this one included.
        total: Frames that the source promises, or None.
    """

    frame: Frame
    result: Result
    done: int
    total: int | None


def segment_video(
    segmenter: Segmenter,
    source: FrameSource,
    masks: Labels | Mapping[int, Labels],
    writers: Sequence[ResultWriter] = (),
) -> Generator[Progress]:
    """Segment a video and write it, frame by frame.

        with open_source("clip.mp4") as source:
            writers = [open_writer("masks", source=source), open_writer("cut.mov", source=source)]
            for progress in segment_video(segmenter, source, read_mask("first.png"), writers):
                print(progress.done, progress.total)

    The writers belong to this call: they are finished after the last frame, and abandoned if an
    error stops it or the iterator is closed early. One that cannot be finished does not keep the
    others from it.

    Args:
        segmenter: Network, device and resolution.
        source: Frames; a range of them if it was opened so.
        masks: Label map of the source's first frame; or label maps by the number of their frame
            in the whole video (`Frame.index`), whatever range of it is given.
        writers: Outputs, opened on `source`.

    Yields:
        Each frame, once it is written.

    Raises:
        MaskError: A mask has no object, another size than the video, or belongs to a frame that
            is not in the range. All that can be known is told before the first frame.
        MediaError: A frame cannot be read.
        OutputError: An output cannot be written; the message names it.
    """
    given = _checked(masks, source)
    return _segment(segmenter, source, given, tuple(writers))


def _segment(
    segmenter: Segmenter,
    source: FrameSource,
    given: dict[int, NDArray[np.integer]],
    writers: tuple[ResultWriter, ...],
) -> Generator[Progress]:
    try:
        if source.is_live:  # wanted at once, and its sound is read along with its frames
            for progress in _results(segmenter, source, given, iter(source)):
                _write(progress, writers)
                yield progress
        else:
            yield from _side_by_side(segmenter, source, given, writers)
    except BaseException:
        _abandon(writers)
        raise
    _finish(writers)


def _results(
    segmenter: Segmenter,
    source: FrameSource,
    given: dict[int, NDArray[np.integer]],
    frames: Iterator[Frame],
) -> Iterator[Progress]:
    tracker = segmenter.tracker()
    done, total = 0, source.frame_count
    last = source.start - 1
    pairs = encoded(
        tracker,
        frames,
        lambda frame: frame.image,
        count=1 if source.is_live else segmenter.look_ahead,
        skip=min(given) - source.start,
    )
    for done, (frame, encoding) in enumerate(pairs, start=1):
        result = tracker.step(frame.image, given.pop(frame.index, None), encoding)
        last = frame.index
        yield Progress(frame, result, done, total)
    if given:
        raise _beyond(source, min(given), last + 1)
    if not done:
        raise InputError(f"{source.path} gave no frame from number {source.start} on")


def _write(progress: Progress, writers: tuple[ResultWriter, ...]) -> None:
    frame, result = progress.frame, progress.result
    cutout = Cutout.of(
        frame.image,
        result.labels,
        lambda: result.probabilities,
        result.object_ids,
        cues=lambda: result.cues,
    )
    for writer in writers:
        writer.write(frame, cutout)


def _side_by_side(
    segmenter: Segmenter,
    source: FrameSource,
    given: dict[int, NDArray[np.integer]],
    writers: tuple[ResultWriter, ...],
) -> Generator[Progress]:
    """Decode and write in threads of their own while the network computes in the caller's."""
    with (
        ahead(iter(source), capacity=_WAITING) as frames,
        Consumer[Progress](lambda item: _write(item, writers), capacity=_WAITING) as writing,
    ):
        error: Exception | None = None
        try:
            for progress in _results(segmenter, source, given, frames):
                writing.put(progress)
                yield from writing.done()
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


def _abandon(writers: Sequence[ResultWriter]) -> None:
    for writer in writers:
        with contextlib.suppress(DdealError, OSError):
            writer.abandon()


def _finish(writers: Sequence[ResultWriter]) -> None:
    failures: list[str] = []
    for position, writer in enumerate(writers):
        try:
            writer.finish()
        except (DdealError, OSError) as error:
            _abandon([writer])
            known = isinstance(error, DdealError)
            failures.append(str(error if known else output_error(writer.path, error)))
        except BaseException:
            _abandon(writers[position:])
            raise
    if failures:
        raise OutputError("; ".join(failures))
