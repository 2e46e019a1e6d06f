"""The paper's Figure 4 of any frame: each cue as a map, side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from ddeal_core.cues.drawing import (
    INK,
    PAPER,
    QUIET,
    ImageArray,
    colour_of,
    colour_table,
    outline,
    paint,
    write_text,
)
from ddeal_core.tracking.frame_cues import FrameCues

GivenPanel = tuple[int, ImageArray]
"""Number of a frame, and the picture of it that `CueFigure.given` makes."""

_GAP = 8
_TITLE = 22
_HEAD = 30
_MATCHING = "matching, stride 16"
_DENSE = ("first frame, stride 8", "last frame, stride 8", "any frame, stride 8")
_BASE, _SUPPLEMENTARY = "appearance, base", "appearance, supplementary"
_LAST, _PROPAGATION = "last mask", "propagation: change of coarse"
_COARSE, _FINAL = "coarse", "final"


class CueFigure:
    """Draws what led the network to its answer, a block of panels for each object.

    ====================  ===================================================================
    given on frame 0      the given mask, outlined on its frame
    frame 20              the frame with the answer, after merging, outlined
    last mask             the object's share of the last frame, which propagation is given
    propagation           the coarse probability less that without propagation's features (it
                          has no scores of its own); colours end at the largest change, noted
    matching              s^t - s^b of Eq. (7), (8): cosines; Figure 4 (a)
    first, last, any      `DenseMatching` at stride 8: log-score of the object less that of the
                          background on these frames, for networks that have it
    appearance, base      posterior of the base pair alone, Eq. (13); Figure 4 (b)
    supplementary         posterior of the supplementary pair alone; Figure 4 (c)
    coarse, final         the object's probability by the two predictors, before merging
    ====================  ===================================================================

    The thin line on the maps is the border of the answer. A cue that is switched off says so.

    Args:
        size: (height, width) of the frames.
        objects: Blocks below each other.
        dense_maps: Pairs of maps at stride 8: 0, or 2, or 3 with a memory.
        panel_area: Pixels of a panel; its shape is the frame's.
    """

    def __init__(
        self,
        size: tuple[int, int],
        *,
        objects: int = 1,
        dense_maps: int = 0,
        panel_area: int = 384 * 216,
    ) -> None:
        scale = (panel_area / (size[0] * size[1])) ** 0.5
        # A strip a few pixels wide would show nothing.
        height, width = (min(max(64, round(side * scale)), 1024) for side in size)
        self._panel = (height, width)
        self._titles = _titles_of(dense_maps)
        self._columns = 4 if dense_maps else 3  # three rows in any case
        rows = (2 + len(self._titles)) // self._columns
        self._block = _HEAD + rows * (self._panel[0] + _TITLE + _GAP)
        height = objects * self._block + _GAP
        width = self._columns * (self._panel[1] + _GAP) + _GAP
        # Even sides, as H.264 wants them.
        self.size = (height + height % 2, width + width % 2)

    def given(
        self, index: int, image: ImageArray, labels: ImageArray, object_id: int
    ) -> GivenPanel:
        """Keep frame `index`, ``[H, W, 3]``, on which ``[H, W]`` labels give an object."""
        return index, self._outlined(image, labels, object_id)

    def draw(
        self,
        image: ImageArray,
        labels: ImageArray,
        cues: FrameCues | None,
        object_ids: Sequence[int],
        *,
        index: int,
        given: Sequence[GivenPanel | None],
    ) -> ImageArray:
        """Draw a frame.

        Args:
            image: ``[H, W, 3]`` uint8 RGB.
            labels: ``[H, W]`` uint8, the answer.
            cues: What led there; None where nothing was predicted.
            object_ids: One for each block.
            index: Number of the frame.
            given: Where each of them was given; None if that is yet to come.

        Returns:
            ``[*size, 3]`` uint8 RGB.
        """
        canvas = np.empty((*self.size, 3), np.uint8)
        canvas[:] = PAPER
        height, width = self._panel
        for block, (object_id, start) in enumerate(zip(object_ids, given, strict=True)):
            part = canvas[block * self._block : (block + 1) * self._block]
            self._head(part, object_id, index)
            cells = [
                ("not given yet", "", None)
                if start is None
                else (f"given on frame {start[0]}", "", start[1]),
                (f"frame {index}", "", self._outlined(image, labels, object_id)),
                *self._maps(cues, object_id, labels),
            ]
            for place, (title, note, picture) in enumerate(cells):
                row, column = divmod(place, self._columns)
                y, x = _HEAD + row * (height + _TITLE + _GAP), _GAP + column * (width + _GAP)
                strip = part[y : y + _TITLE, x : x + width]
                write_text(strip, title, (1, 2), size=18)
                write_text(strip, note, (-1, 2), size=18, colour=QUIET)
                if picture is not None:
                    part[y + _TITLE : y + _TITLE + height, x : x + width] = picture
        return canvas

    def _maps(
        self, cues: FrameCues | None, object_id: int, labels: ImageArray
    ) -> Iterator[tuple[str, str, ImageArray | None]]:
        """Title, note and picture of each map of an object; without a title it is left free."""
        known = cues is not None and object_id in cues.object_ids
        panels = _panels_of(cues, cues.object_ids.index(object_id)) if cues and known else {}
        border = self._small(np.where(labels == object_id, np.uint8(255), np.uint8(0)))
        for title in self._titles:
            panel = panels.get(title)
            if panel is not None and cues is not None and not panel.off:
                values = cues.at_frame_size(panel.map, self._panel)
                picture = paint(values, signed=panel.kind == "signed", limit=panel.limit)
                if title != "final":
                    outline(picture, border, (255, 255, 255))
                yield title, "" if panel.kind == "probability" else f"±{panel.limit:.2g}", picture
            elif title:
                picture = np.empty((*self._panel, 3), np.uint8)
                picture[:] = np.array(PAPER) + 12
                why = "switched off" if panel is not None else "nothing predicted"
                write_text(picture, why, (8, self._panel[0] // 2 - 9), size=18, colour=QUIET)
                yield title, "", picture
            else:
                yield "", "", None

    def _outlined(self, image: ImageArray, labels: ImageArray, object_id: int) -> ImageArray:
        inside = np.where(labels == object_id, np.uint8(255), np.uint8(0))
        picture = self._small(image)
        outline(picture, self._small(inside), colour_of(object_id), thickness=2)
        return picture

    def _small(self, image: ImageArray) -> ImageArray:
        """Resize a picture or a mask to a panel; a mask is 0 or 255 again."""
        height, width = self._panel
        small: ImageArray = np.asarray(
            cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA), np.uint8
        )
        return small if image.ndim == 3 else np.where(small > 127, np.uint8(255), np.uint8(0))

    def _head(self, part: ImageArray, object_id: int, index: int) -> None:
        y, x = _GAP // 2 + 2, _GAP
        cv2.circle(part, (x + 9, y + 11), 7, colour_of(object_id), -1, cv2.LINE_AA)
        write_text(part, f"object {object_id}, frame {index}", (x + 24, y), size=22, colour=INK)
        right = self.size[1] - _GAP
        for signed, low, high in ((False, "0", "1 probability"), (True, "background", "object")):
            right = _key(part, right, y + 2, signed=signed, low=low, high=high) - 24


def _key(part: ImageArray, right: int, y: int, *, signed: bool, low: str, high: str) -> int:
    """Draw a colour key that ends at `right`; give its left end."""
    ends = part[:, :right]
    ramp = colour_table(signed=signed)[::3][None]
    if right < 480:  # the object's name is there
        return right
    x = right - write_text(ends, high, (-1, y), size=18, colour=QUIET) - 6 - len(ramp[0])
    part[y + 4 : y + 14, x : x + len(ramp[0])] = ramp
    ends = part[:, : x - 5]
    return x - 5 - write_text(ends, low, (-1, y), size=18, colour=QUIET)


@dataclass(frozen=True, slots=True, eq=False)
class _Panel:
    """One map of one object.

    Attributes:
        title: What it is.
        kind: A probability of the object, 0 to 1; or signed, background below 0 and object above.
        map: Of the network's grid, ``[*, *]``.
        limit: Value of a signed map at which colours end.
        off: Whether it is switched off, so that the network was not shown it.
    """

    title: str
    kind: Literal["probability", "signed"]
    map: NDArray[np.float32]
    limit: float = 1.0
    off: bool = False


def _titles_of(dense_maps: int) -> tuple[str, ...]:
    """Titles of all panels in reading order, behind the given mask and the frame."""
    if not dense_maps:
        return (_LAST, _MATCHING, _BASE, _SUPPLEMENTARY, _PROPAGATION, _COARSE, _FINAL)
    blank = ("",) * (3 - dense_maps)
    dense = (*_DENSE[:dense_maps], *blank)
    return (_LAST, _PROPAGATION, _MATCHING, *dense, _BASE, _SUPPLEMENTARY, _COARSE, _FINAL)


def _panels_of(cues: FrameCues, place: int) -> dict[str, _Panel]:
    """All maps by title of the object at a place in the cues."""
    off = cues.switched_off
    no_matching = "matching" in off
    background, target = cues.matching[place]
    effect = cues.propagation_effect[place]
    found = [
        _Panel(_LAST, "probability", cues.last_masks[place]),
        _Panel(_MATCHING, "signed", target - background, off=no_matching),
        _Panel(_BASE, "probability", cues.base[place], off="base" in off),
        _Panel(
            _SUPPLEMENTARY, "probability", cues.supplementary[place], off="supplementary" in off
        ),
        # How much it matters differs between networks by orders of magnitude.
        _Panel(_PROPAGATION, "signed", effect, limit=max(float(np.abs(effect).max()), 1e-6)),
        _Panel(_COARSE, "probability", cues.coarse[place]),
        _Panel(_FINAL, "probability", cues.final[place]),
    ]
    if cues.dense is not None:
        pairs = cues.dense[place].reshape(-1, 2, *cues.dense.shape[-2:])
        found += [
            _Panel(title, "signed", pair[1] - pair[0], limit=7.0, off=no_matching)
            for title, pair in zip(_DENSE, pairs, strict=False)
        ]
    return {panel.title: panel for panel in found}
