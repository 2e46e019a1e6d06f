"""Options that say which way objects are followed."""

from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from ddeal_core.runs.directions import Direction

__all__ = ["AtOption", "DirectionOption", "ReverseOption", "parse_direction"]

DirectionOption = Annotated[
    Literal["forward", "backward", "both"] | None,
    typer.Option(
        help="Which way objects are followed from their masks: on to the end (the default), back "
        "to the beginning, or both, where each goes back from its first mask."
    ),
]
ReverseOption = Annotated[
    bool,
    typer.Option(
        "--reverse",
        help="Short for --direction backward; the plain --mask and hints are of the last frame.",
    ),
]
AtOption = Annotated[
    int | None,
    typer.Option(
        "--at",
        metavar="N",
        help="Frame of the plain --mask, of boxes and points. Default: the first; going "
        "backward the last.",
    ),
]


def parse_direction(word: "Direction | None", *, reverse: bool) -> "Direction":
    """Take --direction and its short form together.

    Raises:
        InputError: They contradict each other.
    """
    from ddeal_core.errors import InputError

    if reverse and word not in (None, "backward"):
        raise InputError(f"--reverse and --direction {word} contradict each other: give one")
    return "backward" if reverse else word or "forward"
