"""From coded pictures to RGB and back, without a shift in colour.

A coded picture carries luma and two colour differences; which matrix and which range they were
made with is in its tags (ITU-T H.273, tables 2 to 4, whose numbers are used here). Where a file
says nothing, this follows what players do: BT.601 up to 576 lines, BT.709 above.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import av
import cv2
import numpy as np
from av.video.reformatter import ColorRange, Interpolation
from numpy.typing import NDArray

from ddeal_core.media.frame import Frame
from ddeal_core.media.tone_mapping import HDR_TRANSFERS, shown_as_sdr

_UNSPECIFIED = 2
_BT709, _BT470BG, _SMPTE170M, _BT2020_NCL = 1, 5, 6, 9
_KNOWN_MATRICES = (_BT709, _BT470BG, _SMPTE170M, _BT2020_NCL)
# swscale numbers both BT.601 systems alike
_WEIGHTS = {  # of red and blue in luma
    _BT709: (0.2126, 0.0722),
    _BT470BG: (0.299, 0.114),
    _SMPTE170M: (0.299, 0.114),
    _BT2020_NCL: (0.2627, 0.0593),
}
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


def bits_of(picture: av.VideoFrame) -> int:
    """Bits of a coded picture's colours, at most 16."""
    components = picture.format.components
    return min(16, max(part.bits for part in components if not part.is_alpha))


def displayed_rgb(
    picture: av.VideoFrame,
    *,
    tags: ColourTags,
    width: int,
    height: int,
    bits: Literal[8, 16] = 8,
    as_sdr: bool = True,
) -> NDArray[Any]:
    """Convert a coded picture to RGB at the given size, before any rotation.

    Args:
        picture: What the decoder gave.
        tags: Its transfer, and the matrix for a picture that names none itself.
        width: Width in square pixels.
        height: Height in square pixels.
        bits: Of the result.
        as_sdr: Show HDR as SDR; without, code values stay what they are, which 8 bits cannot hold.

    Returns:
        height x width x 3 RGB of full range, uint8 or uint16.
    """
    if bits == 8 and not tags.is_hdr:
        rgb = _converted(picture, tags, width, height, "rgb24", full=True)
        return np.ascontiguousarray(rgb.to_ndarray(), dtype=np.uint8)
    if picture.format.is_rgb:
        rgb = _converted(picture, tags, width, height, "rgb48le", full=True)
        values = np.ascontiguousarray(rgb.to_ndarray(), dtype=np.uint16)
    else:  # swscale's own RGB of 16 bits is off by up to 4 of 1023; its planes are exact
        coded = _converted(picture, tags, width, height, "yuv444p16le", full=True)
        matrix = np.linalg.inv(_luma_and_differences(_matrix(picture, tags)))
        values = _transformed(cv2.merge(planes_of(coded)), matrix, before=_MIDDLE)
    if tags.is_hdr and as_sdr:
        return shown_as_sdr(values, transfer=tags.transfer, primaries=tags.primaries, bits=bits)
    return values


_TOP = 65535
_MIDDLE = np.array([0, 32768, 32768])  # of full range in 16 bits


def _luma_and_differences(matrix: int) -> NDArray[np.float64]:
    """The 3x3 matrix from RGB to Y', Cb and Cr, the latter from -1/2 to 1/2."""
    red, blue = _WEIGHTS[matrix]
    luma = np.array([red, 1 - red - blue, blue])
    return np.stack(
        [
            luma,
            (np.array([0, 0, 1]) - luma) / (2 * (1 - blue)),
            (np.array([1, 0, 0]) - luma) / (2 * (1 - red)),
        ]
    )


def _transformed(
    values: NDArray[Any],
    matrix: NDArray[Any],
    *,
    before: NDArray[Any] | None = None,
    after: NDArray[Any] | None = None,
    top: int = _TOP,
) -> NDArray[np.uint16]:
    """Multiply HxWx3 values, less `before`, by a matrix; add `after`, round, and hold to `top`."""
    offset = -matrix @ before if before is not None else after
    affine = np.column_stack([matrix, np.zeros(3) if offset is None else offset])
    out = np.asarray(cv2.transform(values.astype(np.float32), affine.astype(np.float32)))
    return np.asarray(np.clip(np.rint(out, out=out), 0, top, out=out), np.uint16)


def own_planes(
    picture: av.VideoFrame, *, tags: ColourTags, width: int, height: int, full: bool
) -> NDArray[np.uint16] | None:
    """A coded picture's own planes: see `DeepPicture.planes`, for the size see `displayed_rgb`.

    Returns:
        height x width x 3 uint16; None where the picture is RGB or not of the tags' matrix.
    """
    if picture.format.is_rgb or _matrix(picture, tags) != tags.matrix:
        return None
    coded = _converted(picture, tags, width, height, "yuv444p10le", full=full)
    return np.asarray(cv2.merge(planes_of(coded)), np.uint16)


def planes_of_rgb(image: NDArray[np.uint16], *, matrix: int, full: bool) -> NDArray[np.uint16]:
    """Luma and colour differences in 10 bits of 16-bit RGB, HxWx3 like it."""
    luma, difference, black = (1023, 1023, 0) if full else (876, 896, 64)
    scale = np.array([[luma], [difference], [difference]]) / _TOP
    return _transformed(
        image, scale * _luma_and_differences(matrix), after=np.array([black, 512, 512]), top=1023
    )


def _matrix(picture: av.VideoFrame, tags: ColourTags) -> int:
    matrix = int(picture.colorspace)
    return matrix if matrix in _KNOWN_MATRICES else tags.matrix


def is_full_range(picture: av.VideoFrame) -> bool:
    """Whether a coded picture is of full range: black 0, white the greatest value."""
    return picture.color_range == ColorRange.JPEG or picture.format.name.startswith("yuvj")


def _converted(
    picture: av.VideoFrame, tags: ColourTags, width: int, height: int, pix_fmt: str, *, full: bool
) -> av.VideoFrame:
    same_size = (picture.width, picture.height) == (width, height)
    matrix = _SWS_MATRIX[_matrix(picture, tags)]
    return picture.reformat(
        width=width,
        height=height,
        format=pix_fmt,
        src_colorspace=matrix,
        dst_colorspace=None if pix_fmt.startswith("rgb") else matrix,
        src_color_range=ColorRange.JPEG if is_full_range(picture) else ColorRange.MPEG,
        dst_color_range=ColorRange.JPEG if full else ColorRange.MPEG,
        interpolation=_TO_RGB if same_size else _TO_RGB_RESIZED,
    )


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
    return _tagged(picture, tags, timing, full=False)


def deep_coded_picture(
    planes: NDArray[np.uint16],
    *,
    pix_fmt: str,
    tags: ColourTags,
    timing: Frame | None = None,
    full: bool = False,
) -> av.VideoFrame:
    """Make a coded picture of 10 bits from its planes, tagged with what they are.

    Args are those of `coded_picture`, and:
        planes: HxWx3 uint16, of `planes_of_rgb` or `own_planes`; alpha stays to be set.
        full: Whether they are of full range.
    """
    height, width = planes.shape[:2]
    whole = pix_fmt if "444" in pix_fmt else "yuv444p10le"
    picture = av.VideoFrame(width, height, whole)
    for index in range(3):
        set_plane(picture, index, planes[..., index])
    if whole != pix_fmt:
        range_ = ColorRange.JPEG if full else ColorRange.MPEG
        picture = picture.reformat(
            format=pix_fmt, src_color_range=range_, dst_color_range=range_, interpolation=_FROM_RGB
        )
    return _tagged(picture, tags, timing, full=full)


def _tagged(
    picture: av.VideoFrame, tags: ColourTags, timing: Frame | None, *, full: bool
) -> av.VideoFrame:
    picture.colorspace = tags.matrix
    picture.color_range = ColorRange.JPEG if full else ColorRange.MPEG
    picture.color_primaries = tags.primaries
    picture.color_trc = tags.transfer
    if timing is not None:
        picture.pts = timing.pts
        picture.time_base = timing.time_base
        picture.duration = timing.duration or 0
    return picture


def planes_of(picture: av.VideoFrame) -> list[NDArray[np.uint16]]:
    """Planes of a picture of more than 8 bits, as views of it."""
    rows = [(np.frombuffer(plane, "<u2"), plane) for plane in picture.planes]  # type: ignore[call-overload]
    return [values.reshape(plane.height, -1)[:, : plane.width] for values, plane in rows]


def set_plane(picture: av.VideoFrame, index: int, values: NDArray[Any]) -> None:
    """Fill one full-size plane with values of its depth, uint8 or uint16."""
    plane = picture.planes[index]
    rows = np.zeros((plane.height, plane.line_size // values.itemsize), values.dtype)
    rows[:, : plane.width] = values
    plane.update(rows.tobytes())


def in_bits(values: NDArray[Any], bits: int) -> NDArray[np.uint16]:
    """Bring uint8 or uint16 of full range to another depth, rounded to nearest.

    swscale scales alpha by shifts, off by one here and there; this does not.
    """
    most, top = int(np.iinfo(values.dtype).max), (1 << bits) - 1
    return ((values.astype(np.uint32) * np.uint32(top) + most // 2) // most).astype(np.uint16)
