"""Opening whatever a user names as output."""

from __future__ import annotations

import os
from pathlib import Path

from ddeal_core.errors import OutputError
from ddeal_core.media.frame_source import FrameSource
from ddeal_core.media.mask_folder import MaskFolderWriter
from ddeal_core.media.result_writer import ResultWriter
from ddeal_core.media.video_recipes import Kind, recipe_for
from ddeal_core.media.video_writer import VideoWriter

__all__ = ["open_writer"]


def open_writer(
    path: str | os.PathLike[str],
    *,
    source: FrameSource,
    kind: Kind = "auto",
    opacity: float = 0.5,
    contours: bool = True,
    background: tuple[int, int, int] = (0, 255, 0),
) -> ResultWriter:
    """Choose a writer by the ending of `path`.

    ===================  ========================================================
    a folder, no ending  indexed PNG masks with the DAVIS palette
    .mov                 the cut-out with alpha, ProRes 4444
    .webm                the cut-out with alpha, VP9
    .mp4, .mkv           an overlay of the masks, H.264
    ===================  ========================================================

    With kind="overlay" or "green" (flat background), .mov and .webm hold these too.

    Args:
        path: File or folder to write; folders above it are made.
        source: Where the frames come from (size, time base, colours).
        kind: What to write, "auto" for the table above.
        opacity: Of an overlay's tint, 0 to 1.
        contours: Whether an overlay has outlines.
        background: RGB of kind="green".

    Raises:
        OutputError: The ending is unknown, the kind does not fit it, or `path` is the input.
    """
    where = Path(path)
    if _same(where, source.path) or (not source.is_video and _same(where, source.path.parent)):
        raise OutputError(f"{where} is the input's own place: write the output somewhere else")
    if where.is_dir() or not where.suffix:
        if kind not in ("auto", "masks"):
            raise OutputError(
                f"{where} is a folder, which holds masks; for kind {kind!r} name a video file"
            )
        return MaskFolderWriter(where)
    if not 0 <= opacity <= 1:
        raise OutputError(f"the overlay's opacity is 0 to 1, not {opacity}")
    if len(background) != 3 or not all(0 <= value <= 255 for value in background):
        raise OutputError(f"a background colour is three numbers of 0 to 255, not {background}")
    return VideoWriter(
        where,
        source=source,
        recipe=recipe_for(where.suffix, kind, size=source.size),
        opacity=opacity,
        contours=contours,
        background=background,
    )


def _same(first: Path, second: Path) -> bool:
    try:
        return first.samefile(second)
    except OSError:
        return False
