"""The options that look inside the network."""

from typing import Annotated

import typer

__all__ = ["CueFramesOption", "CuesOption"]

_PANEL = "See inside"

CuesOption = Annotated[
    list[str] | None,
    typer.Option(
        "--cues",
        metavar="[arrays=]PATH",
        help="Draw what led to the answer (the paper's Figure 4): matching, appearance, "
        "propagation, coarse, final. A folder gets a figure for each object and chosen frame, "
        "an .mp4 shows them as a video; arrays=FOLDER gets the maps as .npz. Repeatable.",
        rich_help_panel=_PANEL,
    ),
]
CueFramesOption = Annotated[
    str | None,
    typer.Option(
        "--cue-frames",
        metavar="FRAMES",
        help="Frames of --cues: all, every:5, or numbers such as 0,10,20-29, counted from 0 in "
        "the whole video. Default: every:10 in a folder, all in a video.",
        rich_help_panel=_PANEL,
    ),
]
