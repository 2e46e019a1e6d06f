"""The masks that a run begins with: those of files, those given as arrays, those made of hints."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import numpy as np
from numpy.typing import NDArray

from ddeal_core.choices import Direction
from ddeal_core.errors import InputError, MaskError, MediaError
from ddeal_core.interaction.first_mask import image_at, mask_from_hints
from ddeal_core.media.masks.label_images import ids_in
from ddeal_core.media.masks.mask_images import Mask, MaskLike, labels_by_frame, labels_of
from ddeal_core.media.masks.mask_set import mask_files, read_masks
from ddeal_core.media.sources.backwards import last_frame
from ddeal_core.media.sources.frame_source import FrameSource
from ddeal_core.runs.request import VideoRequest

if TYPE_CHECKING:
    from ddeal_core.tracking.tracker import Tracker


def check_direction(direction: Direction, source: FrameSource) -> None:
    """Hold a direction against the video.

    Raises:
        InputError: There is no such direction, the source is live and only goes forward, or it
            passes over damaged frames, which is possible going forward only.
    """
    if direction not in get_args(Direction):
        raise InputError(f"a direction is {', '.join(get_args(Direction))}, not {direction!r}")
    if direction != "forward" and source.info.is_live:
        raise InputError(
            f"{source.path} comes once, so objects can only be followed forward in it: record it "
            "to a file first"
        )
    if direction != "forward" and source.on_error != "stop":
        raise InputError(
            f"damaged frames are passed over (on-error {source.on_error}) going forward only: "
            "follow the objects forward, or mend the video first"
        )


def anchor(direction: Direction, source: FrameSource) -> int:
    """Frame of a mask that does not name its own: the first, or going backward the last.

    Raises:
        InputError: See `check_direction`.
        MediaError: The frames had to be counted, and one cannot be read.
    """
    check_direction(direction, source)
    return last_frame(source) if direction == "backward" else source.start


def named_mask_files(request: VideoRequest, source: FrameSource) -> list[Path]:
    """Files of the masks that are named, none of which is read.

    Raises:
        InputError: A name or the frame that it belongs to cannot be used.
    """
    words = request.mask_names
    if not request.track:
        return [Path(word) for word in words]
    at = _frame(request, source) if words else None
    return list(mask_files(words, source=source, at=at).values()) if words else []


def read_given_masks(request: VideoRequest, source: FrameSource) -> dict[int, Mask]:
    """Read the masks that are named, and make or mend that of one frame by hints.

    Args:
        request: Its masks and hints.
        source: The video; a live one is not used up.

    Returns:
        Masks by frame, in order.

    Raises:
        InputError: A name, a hint or the frame cannot be used.
        MaskError: There is neither a mask nor a hint; or a mask cannot be read.
    """
    frame = _frame(request, source)
    words = request.mask_names
    masks: dict[int, Mask] = {}
    if isinstance(request.masks, Mapping):
        masks = {index: _as_mask(labels) for index, labels in request.masks.items()}
    elif words:
        masks = read_masks(words, source=source, objects=request.objects, at=frame)
    known = masks[frame].object_ids if frame in masks else ()
    hints = request.hints(source.info.size, known) if callable(request.hints) else request.hints
    if hints:
        image = image_at(source, frame)
        masks[frame] = mask_from_hints(image, hints, masks.get(frame), method=request.method)
    if not masks:
        raise MaskError("no mask is given, and no box or point: at least one object must begin")
    return dict(sorted(masks.items()))


def check_masks(masks: Mapping[int, MaskLike], source: FrameSource) -> dict[int, NDArray[np.uint8]]:
    """Hold masks against the video, as far as that can be done before it is read.

    Returns:
        Label maps ``[H, W]`` by frame, in order.

    Raises:
        MaskError: A mask has no object, another size than the video, or belongs to a frame that
            is not in the range.
    """
    given = labels_by_frame(masks)
    height, width = source.info.size
    promised = None if source.info.exact_count is None else source.start + source.info.exact_count
    for index, labels in given.items():
        if index < source.start:
            raise MaskError(
                f"a mask is given for frame {index}, before the first frame {source.start}"
            )
        if source.end is not None and index >= source.end:
            raise MaskError(
                f"a mask is given for frame {index}, but the frames end before {source.end}"
            )
        if promised is not None and index >= promised:
            raise beyond_the_end(source, index, promised)
        if labels.shape != (height, width):
            size = "x".join(str(side) for side in labels.shape[::-1])
            raise MaskError(
                f"the mask for frame {index} is {size}, the video {width}x{height}: "
                "give a mask of the video's size"
            )
    return given


def references(given: Mapping[int, NDArray[np.uint8]]) -> dict[int, NDArray[np.uint8]]:
    """The masks of objects that have several masks, which a tracker is told beforehand."""
    counts = Counter(i for labels in given.values() for i in ids_in(labels))
    several = [i for i, count in counts.items() if count > 1]
    told = {i: np.where(np.isin(labels, several), labels, 0) for i, labels in given.items()}
    return {i: labels for i, labels in told.items() if labels.any()}


def add_references(
    tracker: Tracker, source: FrameSource, given: Mapping[int, NDArray[np.uint8]]
) -> None:
    """Tell a tracker of `references`.

    A source that comes once, or in which damaged frames are passed over, is not read in advance:
    there a mask counts from its frame on.
    """
    told = references(given)
    if not told or source.info.is_live or source.on_error != "stop":
        return
    with suppress(MediaError):  # the pass will raise it; masks behind it are never reached
        for frame in source.part(min(told), max(told) + 1):
            if frame.index in told:
                tracker.add_reference(frame.image, told[frame.index])


def beyond_the_end(source: FrameSource, index: int, count: int) -> MaskError:
    """What to raise about a mask of a frame behind the last one."""
    return MaskError(
        f"a mask is given for frame {index}, but {source.path} ends after frame {count - 1} "
        "(frames are counted from 0)"
    )


def _frame(request: VideoRequest, source: FrameSource) -> int:
    """Frame of the hints, and of masks that do not say theirs."""
    frame = anchor(request.direction, source)
    if request.at is None:
        return frame
    if request.at < source.start or (source.end is not None and request.at >= source.end):
        raise MaskError(
            f"masks are given for frame {request.at}, which is not among those that are segmented "
            f"(from {source.start}{'' if source.end is None else f' to {source.end - 1}'})"
        )
    return request.at


def _as_mask(labels: MaskLike) -> Mask:
    if isinstance(labels, Mask):
        return labels
    own = labels_of(labels)
    return Mask(own, ids_in(own), "given as an array")
