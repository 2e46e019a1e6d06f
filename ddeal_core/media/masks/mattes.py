"""Soft mattes in files: opacity from 0 to 1 in grey or alpha, of 8 or 16 bits or floating."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ddeal_core.errors import MaskError
from ddeal_core.media.file_kinds import is_image
from ddeal_core.media.masks.mask_images import MAX_OBJECT_ID, loaded_mask, warn_of_shape
from ddeal_core.media.masks.mask_kinds import is_soft

_log = logging.getLogger(__name__)

_LOOKED_AT = 12  # files of a folder; looking at all would take as long as reading them


def matte_folders(folder: Path) -> dict[int, Path]:
    """Find the folders of mattes, one an object and named by its id, in a folder without images.

    Returns:
        Folders by id; empty where `folder` holds something else.
    """
    entries = [path for path in folder.iterdir() if path.name[0] != "."]
    if any(is_image(path) for path in entries):
        return {}
    found = {int(p.name): p for p in entries if p.is_dir() and p.name.isdecimal()}
    return dict(sorted((i, p) for i, p in found.items() if 1 <= i <= MAX_OBJECT_ID))


def are_mattes(files: Sequence[Path]) -> bool:
    """Whether the masks of a video are soft: one answer for all, by some of them.

    A single matte may look like black and white, or its shades like ids. So the majority decides
    among the files that show anything.

    Raises:
        MaskError: One of them cannot be read.
    """
    step = max(1, len(files) // _LOOKED_AT)
    answers = [_is_matte(path) for path in files[::step]]
    known = [answer for answer in answers if answer is not None]
    return 2 * sum(known) > len(known)


def read_matte(path: Path, *, size: tuple[int, int]) -> NDArray[np.float32]:
    """Read the opacity of one object.

    Args:
        path: An image; its alpha counts where that varies, else its grey.
        size: (height, width) of the video; a matte of another size is scaled to it, with a
            warning where its shape differs.

    Returns:
        ``[H, W]`` float32, 0 to 1.

    Raises:
        MaskError: It cannot be read, or its values are no opacity.
    """
    image, _ = loaded_mask(path)
    matte = _opacity(image, path)
    if matte.shape != size:
        warn_of_shape(path, matte.shape, size)
        smaller = matte.shape[0] > size[0]
        how = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
        matte = np.asarray(cv2.resize(matte, size[::-1], interpolation=how), np.float32)
    return matte


def _is_matte(path: Path) -> bool | None:
    """Whether one file looks soft; None where it says nothing, as an empty one."""
    image, lossy = loaded_mask(path)
    if image.mode == "P":  # ids, unless its palette is a ramp of grey
        image = image.convert("RGB")
    if image.mode == "RGB":
        rgb = np.asarray(image)
        if not (rgb == rgb[..., :1]).all():
            return False
    values = np.rint(_opacity(image, path) * 255).astype(np.uint8)
    if not values.any() or (values == 255).all():
        return None
    return is_soft(values, lossy=lossy)


def _opacity(image: Image.Image, path: Path) -> NDArray[np.float32]:
    mode = image.mode
    if mode in ("LA", "La", "PA", "RGBA", "RGBa"):
        alpha = np.asarray(image.convert("RGBA"))[..., 3]
        if np.ptp(alpha):
            return (alpha / np.float32(255)).astype(np.float32)
    if not mode.startswith(("I", "F")):
        return (np.asarray(image.convert("L")) / np.float32(255)).astype(np.float32)
    values = np.asarray(image).astype(np.float32)
    if not np.isfinite(values).all() or values.min() < 0 or values.max() > 65535:
        raise MaskError(f"the matte {path} has values outside 0 to 65535: save it as 16-bit PNG")
    whole = 65535 if mode.startswith("I") else 255 if values.max() > 1 else 1
    return values / np.float32(whole)
