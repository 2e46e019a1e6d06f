"""Opening whatever a user names as output."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Unpack, cast, get_args

from ddeal_core.choices import OutputKind
from ddeal_core.errors import OutputError
from ddeal_core.media.matting.background import GREEN, as_background
from ddeal_core.media.outputs.coco_writer import CocoWriter
from ddeal_core.media.outputs.look import LookOptions, OutputLook
from ddeal_core.media.outputs.picture_folders import (
    MaskFolderWriter,
    MatteFolderWriter,
    RgbaFolderWriter,
)
from ddeal_core.media.outputs.result_writer import ResultWriter
from ddeal_core.media.outputs.soft_writer import SOFT_ENDING, SoftWriter
from ddeal_core.media.outputs.video_recipes import WRITTEN_ENDINGS, VideoKind, recipe_for
from ddeal_core.media.outputs.video_writer import VideoWriter
from ddeal_core.media.sources.frame_source import FrameSource

_FOLDERS = ("masks", "mattes", "exr", "rgba")
_FILES = {".json": "coco", SOFT_ENDING: "soft"}  # kinds whose files have an ending of their own


def open_writer(
    path: str | os.PathLike[str],
    *,
    source: FrameSource,
    kind: OutputKind | None = None,
    **look: Unpack[LookOptions],
) -> ResultWriter:
    """Choose a writer by the ending of `path`, and by `kind`.

    ============  ==================  =====================================================
    kind          path                holds
    ============  ==================  =====================================================
    masks         a folder            indexed PNG masks with the DAVIS palette
    mattes        a folder            a folder an object (its id), grey PNG
    exr           a folder            a folder an object (its id), half-float OpenEXR
    rgba          a folder            RGBA PNG
    coco          .json               COCO annotations with run lengths
    soft          .soft               what was found, for ``ddeal render``
    alpha         .mov, .webm         the cut-out with alpha: ProRes 4444, VP9
    overlay       .mp4, .mkv, ...     objects tinted and outlined
    matte         .mp4, .mkv, ...     alpha of all objects as grey video
    background    .mp4, .mkv, ...     the cut-out before `background`
    ============  ==================  =====================================================

    Folders may have any name where the kind is said. Without a kind: masks in a folder
    (one that is there, or a name without ending), coco in .json, alpha in .mov and .webm, and in
    .mp4 and .mkv background if one is given, else overlay.

    Args:
        path: File or folder to write; folders above it are made.
        source: Where the frames come from (size, time base, colours, sound).
        kind: What to write.
        **look: The attributes of `OutputLook`.

    Raises:
        OutputError: The ending is unknown, the kind does not fit it, the depth is another, or
            `path` is the input.
        InputError: The background cannot be understood or read.
    """
    return writer_of(Path(path), source, kind, OutputLook(**look))


def writer_of(
    where: Path, source: FrameSource, kind: OutputKind | None, look: OutputLook
) -> ResultWriter:
    """Choose a writer: see `open_writer`."""
    hard, depth = look.hard, look.depth
    if is_input(where, source):
        raise OutputError(f"{where} is the input's own place: write the output somewhere else")
    if depth not in (None, 8, 16):
        raise OutputError(f"the depth is 8 or 16 bits, not {depth}")
    if kind is not None and kind not in get_args(OutputKind):
        raise OutputError(f"no kind of output {kind!r}: choose {', '.join(get_args(OutputKind))}")
    deep = depth == 16 or (depth is None and source.info.bits > 8)
    if is_folder(where, kind):
        if kind in (None, "masks"):
            return MaskFolderWriter(where)
        if kind == "mattes":
            return MatteFolderWriter(where, hard=hard, deep=deep)
        if kind == "exr":
            return MatteFolderWriter(where, hard=hard, form="exr")
        if kind == "rgba":
            return RgbaFolderWriter(where, hard=hard, deep=deep)
        name = next((f"file{end}" for end, own in _FILES.items() if own == kind), "file.mp4")
        raise OutputError(f"{where} is a folder, which cannot hold {kind}: name a {name}")
    own = _FILES.get(where.suffix.lower())
    if own is not None and kind not in (None, own):
        raise OutputError(f"{where} holds {own} by its ending, and cannot hold {kind}")
    if own == "coco":
        return CocoWriter(where, source=source)
    if own == "soft":
        return SoftWriter(where, size=source.info.size)
    for ending, other in _FILES.items():
        if kind == other:
            raise OutputError(f"{where} cannot hold {kind}: give a name that ends in {ending}")
    if not 0 <= look.opacity <= 1:
        raise OutputError(f"the overlay's opacity is 0 to 1, not {look.opacity}")
    if where.suffix.lower() not in WRITTEN_ENDINGS:
        raise OutputError(
            f"no writer for the ending {where.suffix.lower()!r}: use "
            f"{', '.join((*WRITTEN_ENDINGS, *_FILES))}, or a name without ending for a folder (or "
            "say what goes into it, as in masks=NAME)"
        )
    if kind is None and look.background is not None and where.suffix.lower() in (".mp4", ".mkv"):
        kind = "background"
    recipe = recipe_for(
        where.suffix, cast("VideoKind | None", kind), size=source.info.size, deep=deep
    )
    behind = None
    if recipe.kind == "background":
        behind = as_background(GREEN if look.background is None else look.background)
    return VideoWriter(
        where,
        source=source,
        recipe=recipe,
        opacity=look.opacity,
        contours=look.contours,
        background=behind,
        hard=hard,
        deep=deep,
        sound=look.sound,
    )


def is_folder(path: Path, kind: OutputKind | None = None) -> bool:
    """Whether an output is a folder: by its kind if that is known, else by its name."""
    return path.is_dir() or not path.suffix or kind in _FOLDERS


def fits(kind: OutputKind, path: Path) -> bool:
    """Whether an output of this name could be of that kind, going by its ending."""
    ending = path.suffix.lower()
    if kind in _FOLDERS:  # shots are called "S01E03.v2"
        return path.is_dir() or ending not in (*_FILES, *WRITTEN_ENDINGS)
    if path.is_dir():
        return False
    return (
        _FILES[ending] == kind
        if ending in _FILES
        else (ending in WRITTEN_ENDINGS and kind not in _FILES.values())
    )


def is_input(path: Path, source: FrameSource) -> bool:
    """Whether a place is the video's own, or that of its images."""
    own = [source.path] if source.info.is_video else [source.path, source.path.parent]
    with suppress(OSError):
        return any(path.samefile(place) for place in own if place.exists())
    return any(same_place(path, place) for place in own)


def same_place(first: Path, second: Path) -> bool:
    """Whether two names are of one place, there already or not."""
    return os.path.realpath(first) == os.path.realpath(second)
