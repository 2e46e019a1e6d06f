"""From names of files to finished outputs in one call."""

import os
from collections.abc import Callable, Collection, Sequence
from contextlib import closing
from fractions import Fraction
from typing import BinaryIO

from ddeal_core.media.background import Background, Colour
from ddeal_core.media.manifest import read_manifest
from ddeal_core.media.mask_set import mask_files, read_masks
from ddeal_core.media.outputs import abandon_all, open_outputs
from ddeal_core.media.sources import open_source
from ddeal_core.media.writers import Kind
from ddeal_core.tracking.pipeline import Progress, segment_video
from ddeal_core.tracking.segmenter import Segmenter
from ddeal_core.tracking.unfinished import all_whole, open_journal

__all__ = ["cut_out"]

Named = str | os.PathLike[str]


def cut_out(
    video: Named | BinaryIO,
    masks: Named | Sequence[Named],
    outputs: Named | Sequence[Named],
    *,
    segmenter: Segmenter | None = None,
    objects: Collection[int] | None = None,
    kind: Kind | None = None,
    background: Named | Colour | Background | None = None,
    hard: bool = False,
    sound: bool = True,
    start: int | None = None,
    end: int | None = None,
    frame_rate: Fraction | None = None,
    overwrite: bool = False,
    resume: bool = False,
    on_frame: Callable[[Progress], None] | None = None,
) -> int:
    """Cut objects out of a video and write all outputs in one pass, as ``ddeal segment`` does.

        cut_out("clip.mp4", "first.png", ["cut.mov", "matte=matte.mp4", "masks"])
        cut_out("clip.mp4", ["first.png", "120=more.png"], "new.mp4", background="beach.jpg")

    The same call gives the same bytes as the command.

    Args:
        video: See `open_source`.
        masks: One, or several: see `read_masks`.
        outputs: One, or several: see `open_outputs` and, for the kinds, `open_writer`.
        segmenter: Weights and device; the bundled weights if None.
        objects: Ids to keep of those in the masks.
        kind: Of the outputs whose names fit it.
        background: A colour, "blur", or the file of an image or a video.
        hard: Alpha is 0 or 255.
        sound: Whether videos carry the source's sound along.
        start: First frame.
        end: Frame to stop before.
        frame_rate: Of image files.
        overwrite: Whether results may be replaced.
        resume: Go on from what an unfinished run of the same settings left, see `open_journal`;
            nothing is done if all outputs are whole already.
        on_frame: Called after each frame.

    Returns:
        How many frames were written.

    Raises:
        InputError: Something that was named cannot be used; nothing was written.
        OutputError: An output cannot be written.
    """
    mask_words = [masks] if isinstance(masks, str | os.PathLike) else list(masks)
    output_words = [outputs] if isinstance(outputs, str | os.PathLike) else list(outputs)
    done = 0
    with open_source(video, start=start, end=end, frame_rate=frame_rate) as source:
        given = read_masks(mask_words, source=source, objects=objects)
        writers = open_outputs(
            output_words,
            source=source,
            kind=kind,
            background=background,
            hard=hard,
            sound=sound,
            overwrite=True,  # asked below, where an unfinished run is known of
            keep=mask_files(mask_words, source=source).values(),
        )
        try:
            segmenter = segmenter or Segmenter.load()
            whole = resume and all_whole(segmenter, source, given, writers)
            journal = None
            if not whole:
                journal = open_journal(
                    segmenter, source, given, writers, resume=resume, overwrite=overwrite
                )
        except BaseException:
            abandon_all(writers)
            raise
        if whole:
            abandon_all(writers)
            return len(read_manifest(writers[0].path).frames)
        with closing(segment_video(segmenter, source, given, writers, journal=journal)) as steps:
            for progress in steps:
                done = progress.done
                if on_frame is not None:
                    on_frame(progress)
    return done
