"""Hints as a person writes them: ``2=40,10,200,310``, ``50%,30%``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ddeal_core.errors import InputError
from ddeal_core.interaction.hints import NOT_OBJECT, OBJECT, Hints

_NUMBER = r"-?[0-9]+(?:\.[0-9]+)?%?"


def read_hints(
    *,
    boxes: Sequence[str] = (),
    points: Sequence[str] = (),
    not_points: Sequence[str] = (),
    strokes: NDArray[np.uint8] | None = None,
    size: tuple[int, int],
    known: Sequence[int] = (),
) -> dict[int, Hints]:
    """Read hints in words.

    Numbers are pixels of the frame as displayed, or with % shares of its width and height. An
    object's id may stand before each: ``2=40,10,200,310``. Boxes without one are of objects 1, 2,
    and so on, as far as those are free. A point without one is on the only object there is, and
    on object 1 where there is none yet; one that is not on the object holds for all objects.

    Args:
        boxes: x,y,width,height each.
        points: x,y each, on the object.
        not_points: x,y each, not on the object.
        strokes: HxW uint8 as `read_strokes` gives it: ids, and 255 for what no object is on.
        size: (height, width) of the frame.
        known: Ids of objects that are there already.

    Returns:
        Hints by id.

    Raises:
        InputError: A word cannot be read, or it is not clear which object it is about.
    """
    found: dict[int, Hints] = {number: Hints() for number in known}
    named = [_parted(word, 4, size) for word in boxes]
    taken = {number for number, _ in named} | set(known)
    for number, (x, y, width, height) in named:
        free = next(i for i in range(1, 256) if i not in taken) if number is None else number
        taken.add(free)
        if found.get(free, Hints()).box is not None:
            raise InputError(f"object {free} has two boxes: give each object one")
        found[free] = replace(found.get(free, Hints()), box=(x, y, width, height))
    if strokes is not None:
        for number in np.unique(strokes[(strokes > 0) & (strokes < 255)]).tolist():
            found.setdefault(number, Hints())
    for word in points:
        number, (x, y) = _parted(word, 2, size)
        if number is None:
            if len(found) > 1:
                raise InputError(
                    f"which object is the point {word} on? There are {len(found)}: "
                    f"write its id before it, as in {min(found)}={word}"
                )
            number = next(iter(found), 1)
        hint = found.get(number, Hints())
        found[number] = replace(hint, inside=(*hint.inside, (x, y)))
    for word in not_points:
        number, (x, y) = _parted(word, 2, size)
        for i in found if number is None else [number]:
            hint = found.get(i, Hints())
            found[i] = replace(hint, outside=(*hint.outside, (x, y)))
    if strokes is not None:
        for number, hint in found.items():
            marks = np.zeros(size, np.uint8)
            marks[strokes == 255] = NOT_OBJECT
            marks[strokes == number] = OBJECT
            if marks.any():
                found[number] = replace(hint, scribble=marks)
    return found


def _parted(word: str, count: int, size: tuple[int, int]) -> tuple[int | None, tuple[int, ...]]:
    what = "x,y,width,height" if count == 4 else "x,y"
    match = re.fullmatch(rf"\s*(?:([0-9]+)\s*=)?\s*({_NUMBER}(?:\s*,\s*{_NUMBER})*)\s*", word)
    parts = match[2].split(",") if match is not None else []
    if match is None or len(parts) != count:
        kind = "box" if count == 4 else "point"
        raise InputError(
            f"a {kind} is {what} in pixels or %, with an object's id before it if wanted "
            f"(2={what}), not {word!r}"
        )
    number = None if match[1] is None else int(match[1])
    if number is not None and not 1 <= number <= 254:
        raise InputError(f"object ids are 1 to 254, not {number} in {word!r}")
    extents = (size[1], size[0]) * 2
    pixels = tuple(_pixels(part, extent) for part, extent in zip(parts, extents, strict=False))
    if count == 2:  # 100% is the last pixel
        pixels = tuple(
            extent - 1 if "%" in part and x == extent else x
            for x, part, extent in zip(pixels, parts, extents, strict=False)
        )
    return number, pixels


def _pixels(text: str, extent: int) -> int:
    text = text.strip()
    if text.endswith("%"):
        return round(float(text[:-1]) * extent / 100)
    return round(float(text))
