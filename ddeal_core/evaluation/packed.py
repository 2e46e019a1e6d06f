"""Two masks of one frame, packed 8 pixels to a byte, and the counts that J and F need.

The crop around both masks is cut into 8 strips side by side, each ``S`` pixels wide, and
bit k of a byte holds the pixel of strip k:

    byte [y, j], bit k  =  pixel (y, x0 + k * S + j)

The neighbour of a pixel, in whatever direction, is then the same bit of a neighbouring
byte. So boundary and dilation are ORs of shifted memory, 256 pixels an instruction, with
no carries between words; only the first and last columns of a strip need a look at the
next strip, which a halo on either side of every row supplies.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ddeal_core.errors import MaskError

_TOLERANCE = 0.008  # share of the diagonal that a boundary may be off by

Bytes = NDArray[np.uint8]


@dataclass(frozen=True)
class PairCounts:
    """Pixel counts of an annotation and a prediction."""

    intersection: int
    union: int
    annotation_boundary: int
    prediction_boundary: int
    annotation_matched: int  # boundary pixels within the radius of the prediction's boundary
    prediction_matched: int  # the other way round

    @property
    def j(self) -> float:
        """Region similarity; 1 for an empty union."""
        return self.intersection / self.union if self.union else 1.0

    @property
    def f(self) -> float:
        """Contour accuracy.

        An empty boundary (no object, or one that fills the frame) has precision 1 against any
        annotation and recall 1 against any prediction; so F is 1 if both are empty and 0 if one is.
        """
        truth, guess = self.annotation_boundary, self.prediction_boundary
        if not truth or not guess:
            return 1.0 if truth == guess else 0.0
        precision, recall = self.prediction_matched / guess, self.annotation_matched / truth
        both = precision + recall
        return 2 * precision * recall / both if both else 0.0


def boundary_radius(height: int, width: int) -> int:
    """Radius of the matching disk in pixels: 8 at 854x480."""
    return max(1, math.ceil(_TOLERANCE * math.sqrt(height * height + width * width)))


class PackedPair:
    """Workspace that counts pairs of masks of one size; reused from frame to frame.

    Args:
        height: Rows of the masks.
        width: Columns of the masks.
        radius: Of the disk that boundaries are dilated with, in pixels, >= 1; None for that of F.

    Raises:
        MaskError: A size that is not positive.
    """

    def __init__(self, height: int, width: int, *, radius: int | None = None) -> None:
        radius = boundary_radius(height, width) if radius is None else radius
        if height < 1 or width < 1 or radius < 1:
            raise MaskError(f"cannot compare masks of {height}x{width} at radius {radius}")
        self.height = height
        self.width = width
        self.radius = radius
        self._halo = _multiple(radius, 8)
        self._rows_by_half_width = _disk_rows(radius)
        # A crop may reach over the right edge by less than its rounding up to 8 strips.
        padded = _multiple(width, 8) + 8 * max(self._halo, 8)
        self._masks = np.zeros((2, height, padded), dtype=np.uint8)
        self._fold = np.empty((2, 2 * height * padded // 8), dtype=np.uint64)
        strip = max(_multiple(width, 64) // 8, self._halo) + 8
        size = 2 * (height + 1) * (strip + 2 * self._halo)
        # Mask, boundary, its dilation, and three that steps in between write to.
        self._planes = np.zeros((6, _multiple(size, 8) // 8), dtype=np.uint64).view(np.uint8)

    def count(self, annotation: Bytes, prediction: Bytes, *, object_id: int) -> PairCounts:
        """Compare where two label maps ``[H, W]`` uint8 hold ``object_id``.

        Raises:
            MaskError: A map has not the size of this workspace.
        """
        shape = (self.height, self.width)
        if annotation.shape != shape or prediction.shape != shape:
            raise MaskError(
                f"masks must be {shape} here, not {annotation.shape} and {prediction.shape}"
            )
        masks = self._masks
        inside = masks[:, :, : self.width].view(np.bool_)
        np.equal(annotation, object_id, out=inside[0])
        np.equal(prediction, object_id, out=inside[1])
        box = self._box()
        if box is None:
            return PairCounts(0, 0, 0, 0, 0, 0)
        top, bottom, left, strip = box
        packed = self._pack(top, bottom, left, strip)  # [2, rows, strip] bytes
        words = packed.view(np.uint64)
        intersection = _ones(words[0] & words[1])
        union = _ones(words[0] | words[1])

        boundary = self._boundary(packed, bottom=bottom, left=left)  # [2, rows, pitch]
        truth = _ones(boundary[0].view(np.uint64))
        guess = _ones(boundary[1].view(np.uint64))
        if not truth or not guess:
            return PairCounts(intersection, union, truth, guess, 0, 0)
        near = self._dilate(boundary, strip=strip)
        matched = boundary.view(np.uint64) & near[::-1].view(np.uint64)
        return PairCounts(intersection, union, truth, guess, _ones(matched[0]), _ones(matched[1]))

    def _box(self) -> tuple[int, int, int, int] | None:
        """Return top, bottom, left and strip width of the crop, None for two empty masks.

        The crop holds both masks and one row and column before them, where boundary pixels
        may lie. Columns are multiples of 8, which is what the words tell.
        """
        words = self._masks.view(np.uint64)  # [2, height, padded / 8]
        either = self._fold[0, : words[0].size].reshape(words[0].shape)
        np.bitwise_or(words[0], words[1], out=either)
        rows = np.flatnonzero(np.bitwise_or.reduce(either, axis=1))
        if not rows.size:
            return None
        top = max(int(rows[0]) - 1, 0)
        bottom = int(rows[-1]) + 1
        columns = np.flatnonzero(np.bitwise_or.reduce(either[top:bottom], axis=0))
        left = 8 * max(int(columns[0]) - 1, 0)
        right = 8 * (int(columns[-1]) + 1)
        # The halo reaches one strip far at most, so a strip is never narrower.
        strip = max(_multiple(right - left, 64) // 8, self._halo)
        return top, bottom, left, strip

    def _pack(self, top: int, bottom: int, left: int, strip: int) -> Bytes:
        """Fold the crop three times in half: 8 strips of bytes 0 or 1 into one of 8 bits."""
        half = self._masks.view(np.uint64)[:, top:bottom, left // 8 : left // 8 + strip]
        for step, (bits, target) in enumerate(((4, 0), (2, 1), (1, 0))):
            width = strip >> (step + 1)
            size = 2 * (bottom - top) * width
            folded = self._fold[target, :size].reshape(2, bottom - top, width)
            np.left_shift(half[:, :, width:], bits, out=folded)
            np.bitwise_or(folded, half[:, :, :width], out=folded)
            half = folded
        return half.view(np.uint8)

    def _plane(self, index: int, rows: int, pitch: int) -> Bytes:
        """Return one of the scratch planes as ``[2, rows, pitch]`` bytes, contiguous."""
        return self._planes[index, : 2 * rows * pitch].reshape(2, rows, pitch)

    def _boundary(self, packed: Bytes, *, bottom: int, left: int) -> Bytes:
        """Mark pixels that differ from the one to the east, south or south-east.

        In the last row only the east counts and in the last column only the south, which is
        what repeating that row and that column comes to. ``[2, rows, halo + strip + halo]`` bytes;
        the halos are zero.
        """
        _, rows, strip = packed.shape
        halo = self._halo
        pitch = strip + 2 * halo
        mask = self._plane(0, rows + 1, pitch)
        core = mask[:, :, halo : halo + strip]
        core[:, :rows] = packed
        outside = self.width - left  # first column that is not in the frame
        if outside < 8 * strip:
            bit, at = divmod(outside, strip)
            last_bit, last_at = divmod(outside - 1, strip)
            edge = (core[:, :rows, last_at] >> last_bit) & 1
            core[:, :rows, at] |= edge << bit
        core[:, rows] = core[:, rows - 1] if bottom == self.height else 0
        mask[:, :, halo + strip] = core[:, :, 0] >> 1
        if outside == 8 * strip:  # the repeated column is past the last strip
            mask[:, :, halo + strip] |= core[:, :, strip - 1] & 128

        # All equal or not, over pairs of rows, then over pairs of columns. The planes are
        # walked flat, halos and all: long runs are fast, and the halos are cleared after.
        boundary = self._plane(1, rows, pitch)
        some, every = self._plane(3, rows, pitch), self._plane(4, rows, pitch)
        np.bitwise_or(mask[:, :-1], mask[:, 1:], out=some)
        np.bitwise_and(mask[:, :-1], mask[:, 1:], out=every)
        here, there = slice(None, -1), slice(1, None)
        flat = boundary.reshape(-1)
        spare = self._plane(5, rows, pitch).reshape(-1)
        some_flat, every_flat = some.reshape(-1), every.reshape(-1)
        np.bitwise_or(some_flat[here], some_flat[there], out=flat[here])
        np.bitwise_and(every_flat[here], every_flat[there], out=spare[here])
        np.bitwise_xor(flat[here], spare[here], out=flat[here])
        boundary[:, :, :halo] = 0
        boundary[:, :, halo + strip :] = 0
        if outside < 8 * strip:
            boundary[:, :, halo + at] &= 255 ^ (1 << bit)
        return boundary

    def _dilate(self, boundary: Bytes, *, strip: int) -> Bytes:
        """Dilate by the disk, row by row of it, from the narrowest to the widest.

        A run of 2w + 1 pixels is two runs of w + 1 that look to the right, one of them moved
        by w; and those runs grow from one width of the disk to the next. Of the
        ``[2, rows, pitch]`` bytes only the part between the halos is meaningful.
        """
        _, rows, pitch = boundary.shape
        halo, radius = self._halo, self.radius
        near, wide = self._plane(2, rows, pitch), self._plane(3, rows, pitch)
        run, spare = self._plane(4, rows, pitch), self._plane(5, rows, pitch)
        run[...] = boundary
        # Strips 0..7 lie side by side: right of strip k is strip k + 1.
        run[:, :, halo - radius : halo] = boundary[:, :, halo + strip - radius : halo + strip] << 1
        run[:, :, halo + strip : halo + strip + radius] = boundary[:, :, halo : halo + radius] >> 1
        near[...] = 0
        length = rows * pitch
        width = 0
        for half_width, heights in self._rows_by_half_width:
            while width < half_width:
                step = min(half_width - width, width + 1)
                a, b = run.reshape(2, length), spare.reshape(2, length)
                np.bitwise_or(a[:, : length - step], a[:, step:], out=b[:, : length - step])
                run, spare = spare, run
                width += step
            if width:
                a, b = run.reshape(2, length), wide.reshape(2, length)
                np.bitwise_or(a[:, width:], a[:, : length - width], out=b[:, width:])
                source = wide
            else:
                source = run
            for y in heights:
                if y < rows:
                    below, above = near[:, y:], near[:, : rows - y]
                    np.bitwise_or(below, source[:, : rows - y], out=below)
                    if y:
                        np.bitwise_or(above, source[:, y:], out=above)
        return near


def _disk_rows(radius: int) -> tuple[tuple[int, tuple[int, ...]], ...]:
    """Return the disk x² + y² <= radius² as (half width, rows y >= 0 of it), narrowest first."""
    rows: dict[int, list[int]] = {}
    for y in range(radius, -1, -1):
        rows.setdefault(math.isqrt(radius * radius - y * y), []).append(y)
    return tuple((half_width, tuple(ys)) for half_width, ys in sorted(rows.items()))


def _multiple(value: int, of: int) -> int:
    return -(-value // of) * of


def _ones(words: NDArray[np.uint64]) -> int:
    return int(np.add.reduce(np.bitwise_count(words), axis=None, dtype=np.int64))
