"""Label maps in files: writing them, and reading whatever mask a person has."""

from __future__ import annotations

import logging
import os
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from ddeal_core.errors import MaskError, MediaError
from ddeal_core.media.masks.label_images import ids_in
from ddeal_core.media.masks.mask_kinds import (
    Reading,
    from_alpha,
    from_colours,
    from_grey,
    from_indices,
)
from ddeal_core.media.masks.palette import davis_palette
from ddeal_core.media.picture_files import opened_picture
from ddeal_core.whole_files import write_whole, writing

MAX_OBJECT_ID = 254
"""Ids go from 1 to this; 0 is the background and 255 means "ignore" in the field's data sets."""

_log = logging.getLogger(__name__)


class EmptyMaskError(MaskError):
    """A mask file in which every pixel is background."""


@dataclass(frozen=True, slots=True, eq=False)
class Mask:
    """A label map, and what it holds.

    Attributes:
        labels: HxW uint8, 0 background, else the object's id, 1..254.
        object_ids: The ids in it, rising; at least one.
        understood: How the file was read, in one line: "2 objects: ids 1, 38 (palette)".

    Raises:
        MaskError: There is no object, or `object_ids` is not what `labels` holds.
    """

    labels: NDArray[np.uint8]
    object_ids: tuple[int, ...]
    understood: str = ""

    def __post_init__(self) -> None:
        if self.labels.ndim != 2 or self.labels.dtype != np.uint8:
            raise MaskError(f"labels are HxW uint8, not {self.labels.shape} {self.labels.dtype}")
        held = ids_in(self.labels)
        if not held:
            raise MaskError("the mask has no object in it: every pixel is background")
        if held[-1] > MAX_OBJECT_ID:
            raise MaskError("object ids are 1 to 254; the mask holds 255")
        if held != self.object_ids:
            raise MaskError(f"the mask holds ids {held}, not {self.object_ids}")


MaskLike = Mask | NDArray[np.integer | np.bool_]
"""A mask, or a label map ``[H, W]`` of integers; true is object 1."""


def labels_of(mask: MaskLike) -> NDArray[np.uint8]:
    """Give the label map of either, ``[H, W]``; of an array, a copy.

    Raises:
        MaskError: It is no map of integers, or its ids are not 0 to 254.
    """
    given = mask.labels if isinstance(mask, Mask) else np.asarray(mask)
    if given.ndim != 2 or given.dtype.kind not in "bui":
        raise MaskError(f"a mask is HxW integers, not {given.dtype} of shape {given.shape}")
    for value in (given.min(initial=0), given.max(initial=0)):
        if not 0 <= value <= MAX_OBJECT_ID:
            raise MaskError(f"object ids go from 1 to {MAX_OBJECT_ID}, the mask has {value}")
    return given.astype(np.uint8)


def labels_by_frame(masks: Mapping[int, MaskLike]) -> dict[int, NDArray[np.uint8]]:
    """Give the label maps of masks by frame, in order.

    Raises:
        MaskError: There is no mask, or one without an object.
    """
    if not masks:
        raise MaskError("no mask is given: at least one object must begin somewhere")
    found = {index: labels_of(mask) for index, mask in sorted(masks.items())}
    for index, labels in found.items():
        if not labels.any():
            raise MaskError(f"the mask for frame {index} is empty: it shows no object")
    return found


def read_mask(path: str | os.PathLike[str], *, size: tuple[int, int] | None = None) -> Mask:
    """Read a mask of any usual kind; `Mask.understood` says how it was taken.

    - Palette: the indices are the ids; 255 ("ignore") becomes background. In a GIF colours of
      the DAVIS palette count instead.
    - Two grey values, 0 with 1 or 255, or black and white: one object, id 1.
    - Other grey: areas of one value each are ids; values only along edges are a soft mask,
      whose object (id 1) is where it is 128 or more of 255.
    - RGB in colours of the DAVIS palette: those ids. Other colours: ids 1, 2, ... in order of
      reading (top to bottom, left to right); black, else the commonest colour of the border, is
      background.
    - Alpha that varies: the object (id 1) is where it is 128 or more of 255.

    Args:
        path: The image file.
        size: (height, width) of the video; a mask of another size is scaled to it (nearest
            pixel), with a warning where its shape differs.

    Raises:
        MaskError: Missing, no image, without any object, ambiguous, or of objects so small that
            scaling loses them.
    """
    where = Path(path)
    image, lossy = loaded_mask(where)
    try:
        reading = _read(image, lossy=lossy)
        if size is not None and reading.labels.shape != size:
            reading = _scaled(reading, size, where)
    except MaskError as error:
        raise MaskError(f"the mask {where}: {error}") from None
    ids = ids_in(reading.labels)
    if not ids:
        raise EmptyMaskError(
            f"the mask {where} has no object in it ({reading.kind}): mark the object with 1..254"
        )
    return Mask(
        labels=np.ascontiguousarray(reading.labels),
        object_ids=ids,
        understood=f"{counted_objects(ids)} ({reading.kind})",
    )


def loaded_mask(where: Path) -> tuple[Image.Image, bool]:
    """Load an image that is to be a mask, upright, and say whether it was stored with losses.

    Raises:
        MaskError: It is missing or no image.
    """
    if not where.exists():
        raise MaskError(f"there is no mask file {where}")
    try:
        with opened_picture(where, named=f"the mask {where}") as opened:
            lossy = _is_lossy(where, opened.format)
            image = ImageOps.exif_transpose(opened)
            image.load()
            if opened.format == "GIF":
                image = _by_colours(image)
    except MediaError as error:
        raise MaskError(error) from None
    return image, lossy


def counted_objects(ids: tuple[int, ...]) -> str:
    """Say "1 object: id 3" or "2 objects: ids 1, 38"."""
    if len(ids) == 1:
        return f"1 object: id {ids[0]}"
    return f"{len(ids)} objects: ids {', '.join(map(str, ids))}"


def _scaled(reading: Reading, size: tuple[int, int], path: Path) -> Reading:
    """Bring labels to (height, width) without making up ids between two."""
    height, width = reading.labels.shape
    warn_of_shape(path, (height, width), size)
    labels = np.asarray(
        cv2.resize(reading.labels, size[::-1], interpolation=cv2.INTER_NEAREST_EXACT), np.uint8
    )
    lost = sorted({*ids_in(reading.labels)} - {*ids_in(labels)})
    if lost:
        raise MaskError(
            f"at the video's size {size[1]}x{size[0]} nothing is left of object "
            f"{', '.join(map(str, lost))}: give a mask of the video's size"
        )
    return Reading(labels, f"{reading.kind}, scaled from {width}x{height}")


def warn_of_shape(path: Path, own: tuple[int, ...], size: tuple[int, int]) -> None:
    """Warn of a mask of (height, width) that is stretched to fit a video."""
    height, width = own
    across, down = size[1] / width, size[0] / height
    # half a pixel may be lost to rounding on either side
    slack = 0.01 + 0.5 / min(height, width, *size)
    if abs(across / down - 1) > slack:
        _log.warning(
            "the mask %s is %dx%d but the video %dx%d, which is another shape: it is stretched, "
            "so look whether it fits",
            path,
            width,
            height,
            size[1],
            size[0],
        )


def _is_lossy(path: Path, file_format: str | None) -> bool:
    if file_format != "WEBP":
        return file_format in ("JPEG", "MPO")
    with path.open("rb") as file:  # Pillow does not tell which of WebP's two codecs it is
        return b"VP8L" not in file.read(4096)


def _read(image: Image.Image, *, lossy: bool) -> Reading:
    """Choose the kind by the file's mode and values."""
    mode = image.mode
    if mode == "1":
        return from_grey(np.asarray(image).astype(np.uint8) * 255, lossy=False)
    if mode == "P":
        return from_indices(np.asarray(image), _palette_of(image))
    if mode in ("LA", "La", "PA", "RGBA", "RGBa"):
        rgba = np.asarray(image.convert("RGBA"))
        if np.ptp(rgba[..., 3]):
            return from_alpha(rgba[..., 3])
        return from_colours(rgba[..., :3], lossy=lossy)
    if mode == "L":
        return from_grey(np.asarray(image), lossy=lossy)
    if mode.startswith(("I", "F")):
        return from_grey(_eight_bits(np.asarray(image)), lossy=lossy)
    return from_colours(np.asarray(image.convert("RGB")), lossy=lossy)


def _by_colours(image: Image.Image) -> Image.Image:
    """Take a GIF in colours of the DAVIS palette by these: programs renumber its indices."""
    if image.mode != "P":
        return image
    shown = image.convert("RGB")
    colours = shown.getcolors(256) or []
    known = {tuple(colour) for colour in davis_palette().tolist()}
    return shown if all(colour in known for _, colour in colours) else image


def _palette_of(image: Image.Image) -> NDArray[np.uint8]:
    flat = np.array(image.getpalette("RGB") or [], np.uint8).reshape(-1, 3)
    palette = np.zeros((256, 3), np.uint8)
    palette[: len(flat)] = flat
    return palette


def _eight_bits(values: NDArray[np.generic]) -> NDArray[np.uint8]:
    """Bring 16-bit and floating grey to 8 bits: small values are ids, others are scaled."""
    wide = values.astype(np.float64)
    if not np.isfinite(wide).all() or wide.min() < 0 or wide.max() > 65535:
        raise MaskError("its values are outside 0 to 65535; save it as an 8-bit PNG")
    top = float(wide.max())
    whole = bool((wide == np.rint(wide)).all())
    if top <= 255 and whole:
        return wide.astype(np.uint8)
    if top <= 1:  # floating probabilities
        return np.rint(wide * 255).astype(np.uint8)
    if top <= 255:
        return np.rint(wide).astype(np.uint8)
    distinct = np.unique(wide)
    if len(distinct) == 2 and distinct[0] == 0:
        return np.where(wide > 0, 255, 0).astype(np.uint8)
    if len(distinct) <= 32 and (distinct % 257).any():
        raise MaskError(f"its 16-bit values go up to {top:.0f}, but object ids are 1 to 254")
    return np.rint(wide / 257).astype(np.uint8)


def write_mask(
    path: str | os.PathLike[str], labels: NDArray[np.uint8], *, ignore: bool = False
) -> None:
    """Write a label map as an 8-bit indexed PNG with the full DAVIS palette.

    The file appears whole, by a rename; the same labels give the same bytes.

    Args:
        path: The PNG file.
        labels: HxW uint8, 0 background, else the object's id, 1..254.
        ignore: Whether 255 may be in it, which datasets use for "ignore".

    Raises:
        MaskError: `labels` is no label map.
        OutputError: The file cannot be written.
    """
    where = Path(path)
    content = encode_mask(labels, ignore=ignore)
    with writing(where):
        write_whole(where, content, sync=False)


def encode_mask(labels: NDArray[np.uint8], *, ignore: bool = False) -> bytes:
    """Give the bytes of the file that `write_mask` writes.

    Raises:
        MaskError: `labels` is no label map.
    """
    if labels.ndim != 2 or labels.dtype != np.uint8 or labels.size == 0:
        raise MaskError(f"labels are HxW uint8, not {labels.shape} {labels.dtype}")
    if not ignore and labels.max() > 254:
        raise MaskError("object ids are 1 to 254; the label map holds 255")
    image = Image.fromarray(np.ascontiguousarray(labels))
    image.putpalette(davis_palette().tobytes())
    buffer = BytesIO()
    # Run lengths alone suit label maps: a quarter of the default's time, and smaller.
    image.save(buffer, "PNG", compress_level=6, compress_type=zlib.Z_RLE, bits=8)
    return buffer.getvalue()
