"""The masks of one video: which file belongs to which frame, and which objects are wanted."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np

from ddeal_core.errors import InputError, MaskError
from ddeal_core.media.file_kinds import StrPath, is_image, natural_key
from ddeal_core.media.masks.mask_images import EmptyMaskError, Mask, counted_objects, read_mask
from ddeal_core.media.sources.frame_source import FrameSource


def mask_files(
    words: Sequence[StrPath], *, source: FrameSource, at: int | None = None, first: int = 0
) -> dict[int, Path]:
    """Find the file of each frame that has a mask.

    Args:
        words: ``first.png`` for frame `at`; ``12=more.png`` for frame 12 of the whole video; or a
            folder whose files are named by frame: by the last number in their name, or for a
            folder of images by the image's own name. A file of that very name wins.
        source: The video.
        at: Frame of a mask that does not say; the first of `source` if None.
        first: Number that stands for frame 0 in the names of a folder of masks of a video.

    Returns:
        Files by frame, in order. Of a folder, those of frames outside the range are left out.

    Raises:
        InputError: Two masks are given for one frame, or a folder holds none that can be used.
    """
    files: dict[int, Path] = {}

    def take(index: int, path: Path) -> None:
        if index in files:
            raise InputError(
                f"two masks are given for frame {index}, {files[index]} and {path}: "
                "put the number of its frame before one of them, as in 12=more.png"
            )
        files[index] = path

    for word in words:
        text = os.fspath(word)
        if not text:
            raise InputError("a mask has no name: give an image, or a folder of them")
        match = re.match(r"([0-9]{1,9})=", text)
        if match is not None and not Path(text).exists():
            take(int(match[1]), Path(text[match.end() :]))
        elif Path(text).is_dir():
            for index, path in _in_folder(Path(text), source, first).items():
                take(index, path)
        else:
            take(source.start if at is None else at, Path(text))
    return dict(sorted(files.items()))


def _in_folder(folder: Path, source: FrameSource, first: int) -> dict[int, Path]:
    images = sorted(filter(is_image, folder.iterdir()), key=lambda path: natural_key(path.name))
    found: dict[int, Path] = {}
    unnamed: list[str] = []
    for path in images:
        index = source.frame_named(path.stem)
        if index is None and source.info.is_video:
            numbers = re.findall(r"[0-9]+", path.stem)
            index = int(numbers[-1][:18]) - first if numbers else None
        if index is None:
            unnamed.append(path.name)
        elif index in found:
            raise InputError(
                f"{found[index].name} and {path.name} in {folder} are both for frame {index}: "
                "keep one of them"
            )
        else:
            found[index] = path
    inside = {
        index: path
        for index, path in found.items()
        if index >= source.start and (source.end is None or index < source.end)
    }
    if not inside:
        how = (
            "by the number of its frame" if source.info.is_video else "like the image it belongs to"
        )
        raise InputError(
            f"the folder {folder} holds no mask for these frames: name each {how}, as in 00012.png"
            + (f" (found {unnamed[0]})" if unnamed else "")
        )
    return inside


def read_masks(
    words: Sequence[StrPath],
    *,
    source: FrameSource,
    objects: Collection[int] | None = None,
    at: int | None = None,
) -> dict[int, Mask]:
    """Read the masks of a video at its size; `Mask.understood` says how each was taken.

    Args:
        words: See `mask_files`. In a folder, masks without any object are passed over.
        source: The video.
        objects: Ids to keep; all if None. Others are background.
        at: See `mask_files`.

    Returns:
        Masks by frame, in order.

    Raises:
        InputError: See `mask_files`.
        MaskError: A mask cannot be read, or an object is in none of them.
    """
    folders = [Path(word) for word in words if Path(word).is_dir()]
    masks: dict[int, Mask] = {}
    seen: set[int] = set()
    for index, path in mask_files(words, source=source, at=at).items():
        try:
            mask = read_mask(path, size=source.info.size)
        except EmptyMaskError:
            if path.parent in folders:
                continue
            raise
        seen.update(mask.object_ids)
        kept = mask if objects is None else _only(mask, objects)
        if kept is not None:
            masks[index] = kept
    missing = sorted(set(objects or ()) - seen)
    if missing:
        known = counted_objects(tuple(sorted(seen))) if seen else "no object"
        raise MaskError(
            f"object {', '.join(map(str, missing))} is in no mask: the masks hold {known}"
        )
    if not masks:
        raise MaskError("the masks hold no object")
    return masks


def _only(mask: Mask, objects: Collection[int]) -> Mask | None:
    kept = tuple(i for i in mask.object_ids if i in objects)
    if kept == mask.object_ids:
        return mask
    if not kept:
        return None
    labels = np.where(np.isin(mask.labels, kept), mask.labels, 0).astype(np.uint8)
    return Mask(labels, kept, f"{counted_objects(kept)} of {mask.understood}")
