"""Masks as run lengths, as COCO has them: down the columns, zeros first; plain or packed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ddeal_core.errors import MaskError


def run_lengths(mask: NDArray[np.bool_]) -> list[int]:
    """Count the runs of a mask.

    Args:
        mask: HxW bool, or integers of which all but 0 are inside.

    Returns:
        Alternating lengths of runs outside and inside; they add up to H * W.
    """
    flat = np.asarray(mask, np.bool_).ravel(order="F")
    turns = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    runs = np.diff(np.concatenate(([0], turns, [flat.size]))).tolist()
    return [0, *runs] if flat.size and flat[0] else runs


def mask_of_runs(counts: Sequence[int], height: int, width: int) -> NDArray[np.uint8]:
    """Undo `run_lengths`: ``[height, width]`` uint8, 0 or 1.

    Raises:
        MaskError: The runs do not add up to the image.
    """
    try:
        runs = np.asarray(counts, dtype=np.int64)
    except OverflowError:
        raise MaskError("a run length is larger than any image") from None
    if runs.sum() != height * width or (runs < 0).any():
        raise MaskError(f"run lengths add up to {runs.sum()}, not {height} x {width}")
    values = np.arange(len(runs), dtype=np.uint8) & 1
    return np.ascontiguousarray(np.repeat(values, runs).reshape(width, height).T)


def pack_counts(counts: Sequence[int]) -> str:
    """Pack run lengths into COCO's string, as pycocotools does.

    From the fourth on each is stored as the difference to two before it; 5 bits a character, low
    ones first, and a sixth that says that more follow.
    """
    characters = []
    for index, count in enumerate(counts):
        value = count - counts[index - 2] if index > 2 else count
        more = True
        while more:
            bits = value & 0x1F
            value >>= 5
            more = value != (-1 if bits & 0x10 else 0)
            characters.append(chr(48 + (bits | 0x20 if more else bits)))
    return "".join(characters)


def unpack_counts(text: str) -> list[int]:
    """Undo `pack_counts`."""
    counts: list[int] = []
    value = shift = 0
    for character in text:
        code = ord(character) - 48
        value |= (code & 0x1F) << shift
        shift += 5
        if code & 0x20:
            continue
        if code & 0x10:
            value -= 1 << shift
        if len(counts) > 2:
            value += counts[-2]
        counts.append(value)
        value = shift = 0
    return counts
