"""Options about input that is damaged or comes from strangers."""

from typing import Annotated, Literal

import typer

__all__ = ["MaxPixelsOption", "OnErrorOption"]

_INPUT = "Input"


def _limit(pixels: int | None) -> int | None:
    if pixels is not None:
        from ddeal_core.media import set_max_pixels

        set_max_pixels(pixels)
    return pixels


OnErrorOption = Annotated[
    Literal["stop", "skip", "hold"],
    typer.Option(
        "--on-error",
        help="What to do about frames that cannot be read: stop there and keep the results of "
        "those before, skip them, or hold the last good frame and its mask in their place.",
        rich_help_panel=_INPUT,
    ),
]
MaxPixelsOption = Annotated[
    int | None,
    typer.Option(
        "--max-pixels",
        metavar="N",
        callback=_limit,
        help="Most pixels of a frame, image or mask, before memory is taken for it; 67108864 "
        "(8192x8192) unless DDEAL_MAX_PIXELS says otherwise.",
        rich_help_panel=_INPUT,
    ),
]
