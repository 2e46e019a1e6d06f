"""All masks that a video is segmented with: those of files, and those made from hints."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

from ddeal_core.errors import MaskError
from ddeal_core.interaction.first_mask import image_at, mask_from_hints
from ddeal_core.interaction.hints import Hints
from ddeal_core.media.masks.mask_images import Mask
from ddeal_core.media.masks.mask_set import mask_files, read_masks
from ddeal_core.media.sources.frame_source import FrameSource
from ddeal_core.runs.directions import Direction, anchor

__all__ = ["given_masks"]

Ask = Callable[[tuple[int, int], Sequence[int]], Mapping[int, Hints]]


def given_masks(
    words: Sequence[str | os.PathLike[str]],
    hints: Mapping[int, Hints] | Ask | None = None,
    *,
    source: FrameSource,
    objects: Collection[int] | None = None,
    direction: Direction = "forward",
    at: int | None = None,
) -> tuple[dict[int, Mask], list[Path]]:
    """Read the masks that are named, and make or mend that of one frame by hints.

    Args:
        words: See `mask_files`.
        hints: By object id, about frame `at`; or what gives them, once it is told the frame's
            (height, width) and the ids that have a mask there. A mask of that frame is mended:
            its objects without hints stay as they are.
        source: The video; a live one is not used up.
        objects: Ids to keep of the masks in files; all if None.
        direction: Which way objects will be followed.
        at: Frame of the hints, and of masks that do not say theirs; if None the first, or going
            backward the last.

    Returns:
        Masks by frame, and the files that were read.

    Raises:
        InputError: A word, a hint or the frame cannot be used.
        MaskError: There is neither a mask nor a hint; or a mask cannot be read.
    """
    frame = anchor(direction, source) if at is None else at
    if frame < source.start or (source.end is not None and frame >= source.end):
        raise MaskError(
            f"masks are given for frame {frame}, which is not among those that are segmented "
            f"(from {source.start}{'' if source.end is None else f' to {source.end - 1}'})"
        )
    masks = read_masks(words, source=source, objects=objects, at=frame) if words else {}
    known = masks[frame].object_ids if frame in masks else ()
    said = hints(source.size, known) if callable(hints) else hints
    if said:
        image = image_at(source, frame)
        masks[frame] = mask_from_hints(image, said, masks.get(frame))
    if not masks:
        raise MaskError("no mask is given, and no box or point: at least one object must begin")
    files = mask_files(words, source=source, at=frame).values() if words else ()
    return dict(sorted(masks.items())), list(files)
