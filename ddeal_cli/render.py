"""``ddeal render``: every output of ``ddeal segment``, from masks that exist."""

from typing import Annotated

import typer

from ddeal_cli import segment_options as own
from ddeal_cli.app import app, epilog
from ddeal_cli.one_video import run_and_tell
from ddeal_cli.options import DeviceOption, Json, Overwrite, Quiet, VideoArgument
from ddeal_cli.segment import parse_objects


@app.command(
    "render",
    epilog=epilog(
        "ddeal render clip.mp4 --masks clip_masks -o cutout.mov -o overlay.mp4",
        "ddeal segment clip.mp4 -m first.png -o all.soft",
        "ddeal render clip.mp4 --masks all.soft -o new.mp4 -b beach.jpg",
    ),
)
def render(
    video: VideoArgument,
    masks: Annotated[
        list[str],
        typer.Option(
            "--masks",
            "-m",
            metavar="WHAT",
            help="Masks of all frames: a folder of images named by frame (any that segment "
            "--mask reads, or soft mattes), a folder with a folder of mattes for each object's "
            "id, or the .soft file of a run. Frames without a mask stay empty.",
        ),
    ],
    output: Annotated[
        list[str],
        typer.Option(
            "--output",
            "-o",
            metavar="[KIND=]PATH",
            help="As for segment; repeatable.",
            rich_help_panel="Output",
        ),
    ],
    numbered_from: Annotated[
        int,
        typer.Option(
            metavar="N",
            min=0,
            help="Number of the first frame in the names of masks of a video: 1 or 1001 with some "
            "programs.",
        ),
    ] = 0,
    objects: own.ObjectsOption = None,
    format_: own.FormatOption = None,
    background: own.BackgroundOption = None,
    green: own.GreenOption = False,
    hard: own.HardOption = False,
    depth: own.DepthOption = None,
    steady: own.SteadyOption = False,
    drop_specks: own.SpecksOption = False,
    fill_holes: own.HolesOption = False,
    grow: own.GrowOption = 0,
    shrink: own.ShrinkOption = 0,
    choke: own.ChokeOption = 0,
    feather: own.FeatherOption = 0,
    no_audio: own.AudioOption = False,
    overwrite: Overwrite = False,
    start: own.FirstOption = None,
    end: own.EndOption = None,
    on_error: own.OnErrorOption = "stop",
    max_pixels: own.MaxPixelsOption = None,
    device: DeviceOption = "auto",
    quiet: Quiet = False,
    json_: Json = False,
) -> None:
    """Make outputs of a video and its masks without tracking anything.

    Masks may be those of segment, mended in a paint program, or another tool's. From the .soft
    file of a run comes what that run would have written, to the byte.
    """
    from ddeal_core.finishing.options import Finishing
    from ddeal_core.runs import NetworkOptions, OutputOptions, VideoRequest

    request = VideoRequest(
        video,
        masks,
        objects=parse_objects(objects),
        track=False,
        numbered_from=numbered_from,
        start=start,
        end=end,
        on_error=on_error,
        max_pixels=max_pixels,
    )
    outputs = OutputOptions(
        output,
        kind=format_,
        background=own.backdrop(background, green=green),
        hard=hard,
        depth=own.bit_depth(depth),
        finishing=Finishing(
            steady=steady,
            drop_specks=drop_specks,
            fill_holes=fill_holes,
            grow=grow,
            shrink=shrink,
            choke=choke,
            feather=feather,
        ),
        sound=not no_audio,
        overwrite=overwrite,
        resumable=False,
    )
    run_and_tell(request, outputs, NetworkOptions(device=device), quiet=quiet, json=json_)
