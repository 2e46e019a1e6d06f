"""The panels of a figure: what is shown of an object on a frame, and in which order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ddeal_core.cues.frame_cues import FrameCues

Kind = Literal["probability", "signed"]

_MATCHING = "matching, stride 16"
_DENSE = ("first frame, stride 8", "last frame, stride 8", "any frame, stride 8")
_BASE, _SUPPLEMENTARY = "appearance, base", "appearance, supplementary"
_LAST, _PROPAGATION = "last mask", "propagation: change of coarse"
_COARSE, _FINAL = "coarse", "final"


@dataclass(frozen=True, slots=True, eq=False)
class Panel:
    """One map of one object.

    Attributes:
        title: What it is.
        kind: A probability of the object, 0 to 1; or signed, background below 0 and object above.
        map: Of the network's grid, ``[*, *]``.
        limit: Value of a signed map at which colours end.
        off: Whether it is switched off, so that the network was not shown it.
    """

    title: str
    kind: Kind
    map: NDArray[np.float32]
    limit: float = 1.0
    off: bool = False


def titles_of(dense_maps: int) -> tuple[str, ...]:
    """Titles of all panels in reading order, behind the given mask and the frame.

    Args:
        dense_maps: How many pairs of maps `DenseMatching` gives: 0, 2 or 3.
    """
    if not dense_maps:
        return (_LAST, _MATCHING, _BASE, _SUPPLEMENTARY, _PROPAGATION, _COARSE, _FINAL)
    blank = ("",) * (3 - dense_maps)
    dense = (*_DENSE[:dense_maps], *blank)
    return (_LAST, _PROPAGATION, _MATCHING, *dense, _BASE, _SUPPLEMENTARY, _COARSE, _FINAL)


def columns_of(dense_maps: int) -> int:
    """Panels beside each other: three rows in any case."""
    return 4 if dense_maps else 3


def panels_of(cues: FrameCues, place: int) -> dict[str, Panel]:
    """All maps of one object, by title.

    Args:
        cues: Of a frame.
        place: Of the object in them.
    """
    off = cues.switched_off
    no_matching = "matching" in off
    background, target = cues.matching[place]
    effect = cues.propagation_effect[place]
    found = [
        Panel(_LAST, "probability", cues.last_masks[place]),
        Panel(_MATCHING, "signed", target - background, off=no_matching),
        Panel(_BASE, "probability", cues.base[place], off="base" in off),
        Panel(_SUPPLEMENTARY, "probability", cues.supplementary[place], off="supplementary" in off),
        # How much it matters differs between networks by orders of magnitude.
        Panel(_PROPAGATION, "signed", effect, limit=max(float(np.abs(effect).max()), 1e-6)),
        Panel(_COARSE, "probability", cues.coarse[place]),
        Panel(_FINAL, "probability", cues.final[place]),
    ]
    if cues.dense is not None:
        pairs = cues.dense[place].reshape(-1, 2, *cues.dense.shape[-2:])
        found += [
            Panel(title, "signed", pair[1] - pair[0], limit=7.0, off=no_matching)
            for title, pair in zip(_DENSE, pairs, strict=False)
        ]
    return {panel.title: panel for panel in found}
