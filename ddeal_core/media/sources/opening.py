"""Opening whatever a user names as input."""

from __future__ import annotations

import glob
import os
import sys
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO, Unpack

from ddeal_core.errors import MediaError
from ddeal_core.media.file_kinds import IMAGE_ENDINGS, is_image, natural_key
from ddeal_core.media.picture_files import opened_picture
from ddeal_core.media.sources.frame_source import FrameSource, SourceOptions
from ddeal_core.media.sources.image_source import ImageSource
from ddeal_core.media.sources.live_source import LiveSource, open_camera
from ddeal_core.media.sources.video_source import VideoSource
from ddeal_core.video_names import check_there, is_live


def open_source(
    path: str | os.PathLike[str] | BinaryIO,
    *,
    frame_rate: Fraction | None = None,
    **options: Unpack[SourceOptions],
) -> FrameSource:
    """Open a video file, a folder of images, a pattern such as ``shots/*.jpg``, or one image.

    Live input: ``-`` is standard input, ``camera`` or ``camera:1`` a camera, ``rtsp://...`` and
    the like a network stream. Those, named pipes and an open binary file can be read once.

    Args:
        path: The file, folder or pattern. Folders are read in natural order ("2" before "10"),
            hidden files and files of other endings are passed over.
        frame_rate: Of image files; a video has its own.
        options: `start`, the first frame to give, counted from 0 (`Frame.index` still counts from
            the beginning of the whole video); `end`, the frame to stop before, None for all; and
            `on_error`, what to do about frames that cannot be read: "stop" raises, "skip" leaves
            them out, "hold" gives the last good one in their place. `FrameSource.damage` has
            them.

    Raises:
        MediaError: It is missing, empty, no video or image, or cannot be decoded.
        InputError: `start` and `end` contradict each other.
    """
    if not isinstance(path, str | os.PathLike):
        named = str(getattr(path, "name", "the open file"))
        return LiveSource(path, named=named, **options)
    text = os.fspath(path)
    check_there(text)
    where = Path(path)
    if text == "-":
        # unbuffered: what has come is given at once
        pipe = getattr(sys.stdin.buffer, "raw", sys.stdin.buffer)
        return LiveSource(pipe, named="standard input", **options)
    if is_live(text):
        if where.is_fifo():
            return LiveSource(where, named=text, **options)
        if "://" not in text:
            return open_camera(text, **options)
        return LiveSource(text, named=text, **options)
    if where.is_dir():
        files = [entry for entry in where.iterdir() if is_image(entry)]
    elif where.exists():
        if where.suffix.lower() not in IMAGE_ENDINGS or _moves(where):
            return VideoSource(where, **options)
        files = [where]
    else:
        matches = [Path(match) for match in glob.glob(text, recursive=True)]  # noqa: PTH207
        files = [match for match in matches if is_image(match)]
        if not files:
            raise MediaError(f"no image fits the pattern {text}")
    files.sort(key=lambda file: (natural_key(file.name), str(file)))
    return ImageSource(where, files, frame_rate=frame_rate, **options)


def _moves(path: Path) -> bool:
    """Whether an image file holds an animation (of which images would show the first picture)."""
    try:
        with opened_picture(path) as image:
            if image.format == "MPO" or getattr(image, "n_frames", 1) == 1:
                return False
            file_format = image.format
    except MediaError:
        return False
    if file_format != "PNG":
        raise MediaError(
            f"{path} holds several pictures, which cannot be read from {file_format}: "
            "convert it to a video or to one file a frame"
        )
    return True
