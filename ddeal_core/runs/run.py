"""From names of files to finished outputs in one call."""

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import closing
from fractions import Fraction
from typing import BinaryIO

from ddeal_core.cues.outputs import open_cues
from ddeal_core.errors import InputError
from ddeal_core.interaction.hints import Hints
from ddeal_core.media.matting.background import Background, Colour
from ddeal_core.media.outputs.opening import abandon_all, open_outputs
from ddeal_core.media.outputs.writers import Kind
from ddeal_core.media.sources.damage import OnError
from ddeal_core.media.sources.opening import open_source
from ddeal_core.runs.directions import Direction
from ddeal_core.runs.masks import given_masks
from ddeal_core.runs.pipeline import Progress, segment_video
from ddeal_core.runs.unfinished import all_whole, open_journal
from ddeal_core.tracking.segmenter import Segmenter

__all__ = ["cut_out"]

Named = str | os.PathLike[str]


def cut_out(
    video: Named | BinaryIO,
    masks: Named | Sequence[Named],
    outputs: Named | Sequence[Named],
    *,
    hints: Mapping[int, Hints] | None = None,
    direction: Direction = "forward",
    at: int | None = None,
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
    cues: Named | Sequence[Named] = (),
    cue_frames: str | None = None,
    on_error: OnError = "stop",
    resume: bool = False,
    on_frame: Callable[[Progress], None] | None = None,
) -> int:
    """Cut objects out of a video and write all outputs in one pass, as ``ddeal segment`` does.

        cut_out("clip.mp4", "first.png", ["cut.mov", "matte=matte.mp4", "masks"])
        cut_out("clip.mp4", ["first.png", "120=more.png"], "new.mp4", background="beach.jpg")
        cut_out("clip.mp4", [], "masks", hints={1: Hints(box=(420, 130, 180, 300))})
        cut_out("clip.mp4", "60=middle.png", "masks", direction="both")

    The same call gives the same bytes as the command.

    Args:
        video: See `open_source`.
        masks: One, several, or none where there are hints: see `read_masks`.
        outputs: One, or several: see `open_outputs` and, for the kinds, `open_writer`.
        hints: Boxes, points and strokes by object id, of which a mask is made, or the plain mask
            mended: see `given_masks`.
        direction: "forward", "backward" or "both": see `followed_back`.
        at: Frame of the hints and of the plain mask; the first if None, going backward the last.
        segmenter: Weights and device; the bundled weights if None. It must keep cues if some are
            asked for.
        objects: Ids to keep of those in the masks.
        kind: Of the outputs whose names fit it.
        background: A colour, "blur", or the file of an image or a video.
        hard: Alpha is 0 or 255.
        sound: Whether videos carry the source's sound along.
        start: First frame.
        end: Frame to stop before.
        frame_rate: Of image files.
        overwrite: Whether results may be replaced.
        cues: What led to the answer, as figures, arrays or a video: see `open_cue_writer`.
        cue_frames: Frames of the cues: see `FrameChoice.parse`.
        on_error: What to do about frames that cannot be read: see `open_source`.
        resume: Do nothing where all outputs are there, whole and of these settings; else go on
            from what an unfinished run of them left. See `all_whole` and `open_journal`.
        on_frame: Called after each frame.

    Returns:
        How many frames were written.

    Raises:
        InputError: Something that was named cannot be used; nothing was written.
        OutputError: An output cannot be written.
    """
    mask_words = [masks] if isinstance(masks, str | os.PathLike) else list(masks)
    output_words = [outputs] if isinstance(outputs, str | os.PathLike) else list(outputs)
    cue_words = [cues] if isinstance(cues, str | os.PathLike) else list(cues)
    if segmenter is not None and cue_words and not segmenter.keep_cues:
        raise InputError("this segmenter keeps no cues: make it with keep_cues=True")
    done = 0
    with open_source(
        video, start=start, end=end, frame_rate=frame_rate, on_error=on_error
    ) as source:
        given, files = given_masks(
            mask_words, hints, source=source, objects=objects, direction=direction, at=at
        )
        loaded = segmenter or Segmenter.load(keep_cues=bool(cue_words))

        writers = open_outputs(
            output_words,
            source=source,
            kind=kind,
            background=background,
            hard=hard,
            sound=sound,
            overwrite=True,  # asked below, where an unfinished run is known of
            keep=files,
        )
        writers += open_cues(
            cue_words,
            cue_frames,
            source=source,
            masks=given,
            config=loaded.config,
            direction=direction,
            beside=writers,
            keep=files,
            overwrite=overwrite,
        )
        try:
            whole = resume and all_whole(loaded, source, given, writers, direction=direction)
            journal = None
            if not whole:
                journal = open_journal(
                    *(loaded, source, given, writers),
                    direction=direction,
                    resume=resume,
                    overwrite=overwrite,
                )
        except BaseException:
            abandon_all(writers)
            raise
        if whole:
            abandon_all(writers)
            return 0
        steps = segment_video(loaded, source, given, writers, direction=direction, journal=journal)
        with closing(steps):
            for progress in steps:
                done = progress.done
                if on_frame is not None:
                    on_frame(progress)
    return done
