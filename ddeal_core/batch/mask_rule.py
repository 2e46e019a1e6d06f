"""A folder with the masks of many videos: which one is whose."""

from __future__ import annotations

from pathlib import Path

from ddeal_core.errors import InputError
from ddeal_core.media.file_kinds import IMAGE_ENDINGS, is_image
from ddeal_core.media.masks.mask_set import mask_files
from ddeal_core.media.sources.frame_source import FrameSource


def find_mask(folder: Path, stem: str) -> Path:
    """Find the mask of a video by its name.

    Args:
        folder: Holds an image (``clip.png``) or a folder (``clip/``) for each video.
        stem: The video's name without ending; of a folder of images, the folder's name.

    Returns:
        The image, or the folder: see `masks_in`.

    Raises:
        InputError: There is none, or more than one.
    """
    found = [folder / f"{stem}{ending}" for ending in sorted(IMAGE_ENDINGS)]
    found = [path for path in found if path.is_file()]
    if (folder / stem).is_dir():
        found.append(folder / stem)
    if not found:
        raise InputError(
            f"no mask in {folder}: name it {stem}.png, or make a folder {stem} with masks by frame"
        )
    if len(found) > 1:
        raise InputError(f"{found[0]} and {found[1]} are both masks for it: keep one of them")
    return found[0]


def masks_in(folder: Path, source: FrameSource) -> list[str]:
    """Say which masks of a folder a video begins with, as words for `read_masks`.

    - Masks of some frames are each for the frame that they are named by.
    - Where every frame has one, as in the annotations of DAVIS, the first is meant: with all of
      them nothing would be left to do.
    - A single mask whose name fits no frame (``00000.png`` beside ``img_0001.jpg``) belongs to
      the first frame.

    Raises:
        InputError: No mask is for any frame.
    """
    try:
        files = mask_files([folder], source=source)
    except InputError:
        images = [path for path in folder.iterdir() if is_image(path)]
        if len(images) != 1:
            raise
        return [str(images[0])]
    consecutive = list(files) == list(range(source.start, source.start + len(files)))
    if consecutive and len(files) > 1:
        count = source.info.exact_count
        if len(files) >= (sum(1 for _ in source) if count is None else count):
            return [str(files[source.start])]
    return [str(folder)]
