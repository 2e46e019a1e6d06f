"""Options that say where an object is: boxes, points, strokes."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from ddeal_cli.app import options_in
from ddeal_core.choices import HintMethod
from ddeal_core.errors import InputError

if TYPE_CHECKING:
    from ddeal_core.interaction import Hints

_option = options_in("First mask from hints")

BoxOption = Annotated[
    list[str] | None,
    _option(
        "--box",
        metavar="[ID=]X,Y,W,H",
        help="Box around an object: left, top, width and height in pixels of the frame as "
        "displayed, or in %; ids are 1, 2, ... unless given. Repeatable.",
    ),
]
PointOption = Annotated[
    list[str] | None,
    _option(
        "--point",
        metavar="[ID=]X,Y",
        help="Point on an object; with several objects, say its id. Repeatable.",
    ),
]
NotPointOption = Annotated[
    list[str] | None,
    _option(
        "--not-point",
        metavar="[ID=]X,Y",
        help="Point that is not on the object; without an id, on none of them. Repeatable.",
    ),
]
ScribbleOption = Annotated[
    Path | None,
    _option(
        "--scribble",
        metavar="IMAGE",
        help="Strokes painted over the frame (PNG of its size). White: on no object. Black or "
        "transparent: unknown. Else as in a mask: the object's id in grey or palette, or one "
        "colour for each object.",
    ),
]
MethodOption = Annotated[
    HintMethod,
    _option(help="What makes the mask: the network, or GrabCut, for drawings and plain grounds."),
]


def hints_of(
    boxes: Sequence[str] | None,
    points: Sequence[str] | None,
    not_points: Sequence[str] | None,
    scribble: Path | None,
    *,
    size: tuple[int, int],
    known: Sequence[int] = (),
) -> "dict[int, Hints]":
    """Read the options' words about a frame of (height, width); none gives an empty dictionary.

    `known` are ids of objects that have a mask already.
    """
    from ddeal_core.interaction import read_hints, read_strokes

    if not (boxes or points or not_points or scribble):
        return {}
    hints = read_hints(
        boxes=boxes or (),
        points=points or (),
        not_points=not_points or (),
        strokes=None if scribble is None else read_strokes(scribble, size=size),
        size=size,
        known=known,
    )
    if not hints:
        raise InputError(
            "what is not the object does not say where it is: give a --box, a --point on it, or "
            "a --mask to mend"
        )
    return hints
