"""COCO's run lengths: masks as text."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["pack_counts", "run_lengths"]


def run_lengths(mask: NDArray[np.bool_]) -> list[int]:
    """Count the runs of a mask down its columns, zeros first.

    Args:
        mask: HxW bool, or integers of which all but 0 are inside.

    Returns:
        Alternating lengths of runs outside and inside; they add up to H * W.
    """
    flat = np.asarray(mask, np.bool_).ravel(order="F")
    turns = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    runs = np.diff(np.concatenate(([0], turns, [flat.size]))).tolist()
    return [0, *runs] if flat.size and flat[0] else runs


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
