"""How the outputs of a pass look and sound: one value, from the user to the writers."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypedDict

if TYPE_CHECKING:
    from ddeal_core.media.matting.background import Background, Colour


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputLook:
    """How outputs look and sound; each takes of it what it can show.

    Attributes:
        background: Shown behind the objects: a colour ("#00ff00", "white" or RGB), "blur", or the
            file of an image or a video; green if None.
        hard: Alpha is 0 or 255, and edge colours stay as they are.
        depth: Bits of mattes and colours where the output can hold them, which is up to 16 in
            PNG, 10 in ProRes and H.265; as many as the source has if None. With 8, HDR is shown
            as SDR everywhere.
        sound: Whether videos carry the source's sound along.
        opacity: Of an overlay's tint, 0 to 1.
        contours: Whether an overlay has outlines.
    """

    background: str | os.PathLike[str] | Colour | Background | None = None
    hard: bool = False
    depth: Literal[8, 16] | None = None
    sound: bool = True
    opacity: float = 0.5
    contours: bool = True


class LookOptions(TypedDict, total=False):
    """The attributes of `OutputLook`, for calls that take them by name."""

    background: str | os.PathLike[str] | Colour | Background | None
    hard: bool
    depth: Literal[8, 16] | None
    sound: bool
    opacity: float
    contours: bool
