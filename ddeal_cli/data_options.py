"""Options that name what a run learns from."""

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["Datasets", "HeldOutSets", "ImageSet", "SyntheticClips", "ValidationFrames"]

_PANEL = "What it learns from"

Datasets = Annotated[
    list[Path] | None,
    typer.Argument(
        metavar="DATASET",
        help="Folders of video with masks, in the layout of DAVIS or YouTube-VOS.",
    ),
]
ImageSet = Annotated[
    str | None,
    typer.Option(
        "--set",
        metavar="NAME",
        help="List of sequences in each DATASET. Default: train where there is one, else all.",
        rich_help_panel=_PANEL,
    ),
]
HeldOutSets = Annotated[
    list[str] | None,
    typer.Option(
        "--held-out",
        metavar="DIR[:SET]",
        help="Sequences to validate on; the training sequences if left out; repeatable.",
        rich_help_panel=_PANEL,
    ),
]
ValidationFrames = Annotated[
    int | None,
    typer.Option(
        min=3, metavar="N", help="Validate on the first N frames only.", rich_help_panel=_PANEL
    ),
]
SyntheticClips = Annotated[
    bool | None,
    typer.Option(
        "--synthetic/--no-synthetic",
        help="Clips made on the fly. Default: where material or no DATASET is named.",
        show_default=False,
        rich_help_panel=_PANEL,
    ),
]
