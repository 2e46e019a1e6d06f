"""From coded pictures to RGB and back, without a shift in colour.

A coded picture carries luma and two colour differences; which matrix and which range they were
made with is in its tags (ITU-T H.273, tables 2 to 4, whose numbers are used here). Where a file
says nothing, this follows what players do: BT.601 up to 576 lines, BT.709 above.
"""

from __future__ import annotations

from dataclasses import dataclass

import av
import numpy as np
from av.video.reformatter import ColorRange, Interpolation
from numpy.typing import NDArray

from ddeal_core.media.frame import Frame
from ddeal_core.media.tone_mapping import HDR_TRANSFERS, shown_as_sdr

__all__ = ["ColourTags", "coded_picture", "displayed_rgb", "set_plane"]

_UNSPECIFIED = 2
_BT709, _BT470BG, _SMPTE170M, _BT2020_NCL = 1, 5, 6, 9
_KNOWN_MATRICES = (_BT709, _BT470BG, _SMPTE170M, _BT2020_NCL)
# swscale numbers both BT.601 systems alike
_SWS_MATRIX = {_BT709: 1, _BT470BG: 5, _SMPTE170M: 5, _BT2020_NCL: 9}

# Without these flags swscale's short cuts are dark by 1 to 2 of 255, more in 10 bit.
_TO_RGB = Interpolation.BILINEAR | Interpolation.FULL_CHR_H_INT | Interpolation.ACCURATE_RND
_TO_RGB_RESIZED = Interpolation.BICUBIC | Interpolation.FULL_CHR_H_INT | Interpolation.ACCURATE_RND
_FROM_RGB = Interpolation.BICUBIC | Interpolation.FULL_CHR_H_INP | Interpolation.ACCURATE_RND


@dataclass(frozen=True, slots=True)
class ColourTags:
    """How RGB was, or shall be, coded; the numbers are those of ITU-T H.273.

    Attributes:
        matrix: 1 BT.709, 5 or 6 BT.601, 9 BT.2020.
        primaries: 1 BT.709, 5 and 6 BT.601, 9 BT.2020, 12 Display P3, ...
        transfer: 1 BT.709, 6 BT.601, 14 BT.2020, 16 PQ, 18 HLG, ...
    """

    matrix: int = _BT709
    primaries: int = _BT709
    transfer: int = _BT709

    def __post_init__(self) -> None:
        if self.matrix not in _KNOWN_MATRICES:
            raise ValueError(f"matrix must be one of {_KNOWN_MATRICES}, not {self.matrix}")

    @classmethod
    def of(cls, *, matrix: int, primaries: int, transfer: int, height: int) -> ColourTags:
        """Fill in what a file leaves unsaid; `height` is that of the coded picture."""
        if matrix not in _KNOWN_MATRICES:
            matrix = _BT709 if height > 576 else _BT470BG if height == 576 else _SMPTE170M
        if primaries in (0, _UNSPECIFIED):
            primaries = matrix
        if transfer in (0, _UNSPECIFIED):
            transfer = {_BT709: 1, _BT2020_NCL: 14}.get(matrix, 6)
        return cls(matrix=matrix, primaries=primaries, transfer=transfer)

    @property
    def is_hdr(self) -> bool:
        """Whether the transfer is PQ or HLG."""
        return self.transfer in HDR_TRANSFERS


def displayed_rgb(
    picture: av.VideoFrame, *, tags: ColourTags, width: int, height: int
) -> NDArray[np.uint8]:
    """Convert a coded picture to RGB at the given size, before any rotation; HDR to SDR.

    Args:
        picture: What the decoder gave.
        tags: Its transfer, and the matrix for a picture that names none itself.
        width: Width in square pixels.
        height: Height in square pixels.

    Returns:
        height x width x 3 uint8 RGB.
    """
    matrix = int(picture.colorspace)
    if matrix not in _KNOWN_MATRICES:
        matrix = tags.matrix
    full = picture.color_range == ColorRange.JPEG or picture.format.name.startswith("yuvj")
    same_size = (picture.width, picture.height) == (width, height)
    rgb = picture.reformat(
        width=width,
        height=height,
        format="rgb48le" if tags.is_hdr else "rgb24",
        src_colorspace=_SWS_MATRIX[matrix],
        src_color_range=ColorRange.JPEG if full else ColorRange.MPEG,
        dst_color_range=ColorRange.JPEG,
        interpolation=_TO_RGB if same_size else _TO_RGB_RESIZED,
    )
    if tags.is_hdr:
        deep = rgb.to_ndarray().view("<u2").reshape(height, width, 3)
        return shown_as_sdr(deep, transfer=tags.transfer, primaries=tags.primaries)
    return np.ascontiguousarray(rgb.to_ndarray(), dtype=np.uint8)


def coded_picture(
    image: NDArray[np.uint8], *, pix_fmt: str, tags: ColourTags, timing: Frame | None = None
) -> av.VideoFrame:
    """Convert RGB to a coded picture of limited range, tagged with how it was done.

    Args:
        image: HxWx3 uint8 RGB.
        pix_fmt: A planar Y'CbCr format of 8 or 10 bits, with alpha or without; alpha is opaque.
        tags: Matrix to use, and tags to set.
        timing: Where to take the time stamp and duration from.
    """
    picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24").reformat(
        format=pix_fmt,
        dst_colorspace=_SWS_MATRIX[tags.matrix],
        src_color_range=ColorRange.JPEG,
        dst_color_range=ColorRange.MPEG,
        interpolation=_FROM_RGB,
    )
    picture.colorspace = tags.matrix
    picture.color_range = ColorRange.MPEG
    picture.color_primaries = tags.primaries
    picture.color_trc = tags.transfer
    if timing is not None:
        picture.pts = timing.pts
        picture.time_base = timing.time_base
        picture.duration = timing.duration or 0
    return picture


def set_plane(
    picture: av.VideoFrame, index: int, values: NDArray[np.uint8], *, bits: int = 8
) -> None:
    """Fill one full-size plane with 8-bit values, scaled to `bits` and rounded to nearest.

    swscale scales alpha by shifts, off by one here and there; this does not.
    """
    plane = picture.planes[index]
    dtype = np.dtype(np.uint8) if bits == 8 else np.dtype("<u2")
    rows = np.zeros((plane.height, plane.line_size // dtype.itemsize), dtype)
    if bits == 8:
        rows[:, : plane.width] = values
    else:
        top = (1 << bits) - 1
        rows[:, : plane.width] = (values.astype(np.uint32) * top + 127) // 255
    plane.update(rows.tobytes())
