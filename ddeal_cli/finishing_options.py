"""Options of finishing, which ``segment`` and ``render`` share."""

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ddeal_core.finishing import Finishing

__all__ = ["finishing_of"]

_FINISHING = "Finishing"


SteadyOption = Annotated[
    bool,
    typer.Option(
        "--steady",
        help="Damp the chatter of edges where neither the picture nor the mask moves.",
        rich_help_panel=_FINISHING,
    ),
]
SpecksOption = Annotated[
    bool,
    typer.Option(
        "--drop-specks",
        help="Drop pieces smaller than a fiftieth of an object's largest one.",
        rich_help_panel=_FINISHING,
    ),
]
HolesOption = Annotated[
    bool,
    typer.Option(
        "--fill-holes",
        help="Fill holes smaller than a tenth of the objects.",
        rich_help_panel=_FINISHING,
    ),
]
GrowOption = Annotated[
    int,
    typer.Option(
        metavar="N",
        min=0,
        max=200,
        help="Move outlines out by N pixels; objects never overlap.",
        rich_help_panel=_FINISHING,
    ),
]
ShrinkOption = Annotated[
    int,
    typer.Option(
        metavar="N",
        min=0,
        max=200,
        help="Move outlines in by N pixels, after growing.",
        rich_help_panel=_FINISHING,
    ),
]
ChokeOption = Annotated[
    int,
    typer.Option(
        metavar="PERCENT",
        min=0,
        max=95,
        help="Make edge pixels transparent of which less than that is the object, as the fringe "
        "that a green screen leaves.",
        rich_help_panel=_FINISHING,
    ),
]
FeatherOption = Annotated[
    int,
    typer.Option(
        metavar="N",
        min=0,
        max=200,
        help="Soften edges over N pixels to either side.",
        rich_help_panel=_FINISHING,
    ),
]


def finishing_of(
    steady: bool,
    drop_specks: bool,
    fill_holes: bool,
    grow: int,
    shrink: int,
    choke: int,
    feather: int,
) -> "Finishing":
    """What finishing is wanted."""
    from ddeal_core.finishing.options import Finishing

    return Finishing(steady, drop_specks, fill_holes, grow, shrink, choke, feather)
