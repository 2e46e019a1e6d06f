"""Options that name what a run learns from."""

from pathlib import Path
from typing import Annotated

import typer

from ddeal_cli.app import options_in

_option = options_in("What it learns from")

Datasets = Annotated[
    list[Path] | None,
    typer.Argument(
        metavar="DATASET",
        help="Folders of video with masks, in the layout of DAVIS or YouTube-VOS.",
    ),
]
ImageSet = Annotated[
    str | None,
    _option(
        "--set",
        metavar="NAME",
        help="List of sequences in each DATASET. Default: train where there is one, else all.",
    ),
]
HeldOutSets = Annotated[
    list[str] | None,
    _option(
        "--held-out",
        metavar="DIR[:SET]",
        help="Sequences to validate on; the training sequences if left out; repeatable.",
    ),
]
ValidationFrames = Annotated[
    int | None, _option(min=3, metavar="N", help="Validate on the first N frames only.")
]
SyntheticClips = Annotated[
    bool | None,
    _option(
        "--synthetic/--no-synthetic",
        help="Clips made on the fly. Default: where material or no DATASET is named.",
        show_default=False,
    ),
]
