"""``ddeal annotate``: mark objects and correct results on a page in the browser."""

import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ddeal_cli.app import app
from ddeal_cli.console import one_line, say
from ddeal_cli.one_video import tell_masks
from ddeal_cli.options import (
    DeviceOption,
    Overwrite,
    PrecisionOption,
    Quiet,
    ResolutionOption,
    VideoArgument,
    WeightsOption,
    WithoutOption,
    ablation_of,
    parse_resolution,
)
from ddeal_core.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@app.command("annotate", epilog="Example: ddeal annotate clip.mp4")
def annotate(
    video: VideoArgument,
    mask: Annotated[
        list[str] | None,
        typer.Option(
            "--mask",
            "-m",
            metavar="[FRAME=]FILE",
            help="Masks to begin with: as for segment; repeatable.",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FOLDER",
            help="Where exports go. Default: the folder <video's name>_annotated here.",
            rich_help_panel="Output",
        ),
    ] = None,
    overwrite: Overwrite = False,
    session: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Where masks and names are saved after every change, and taken up again. "
            "Default: the folder session in that of the exports.",
            rich_help_panel="Output",
        ),
    ] = None,
    port: Annotated[
        int,
        typer.Option(min=0, max=65535, metavar="N", help="Of 127.0.0.1; 0 takes one that is free."),
    ] = 0,
    no_open: Annotated[
        bool, typer.Option("--no-open", help="Print the address, but do not open the browser.")
    ] = False,
    weights: WeightsOption = None,
    device: DeviceOption = "auto",
    resolution: ResolutionOption = None,
    precision: PrecisionOption = "float32",
    without: WithoutOption = None,
    quiet: Quiet = False,
) -> None:
    """Mark objects on a page in the browser, follow them, correct what went wrong, export.

    The page is served by this process, to this machine alone. Ctrl-C ends it; masks are saved.
    """
    from contextlib import ExitStack

    from ddeal_cli.annotate.session_folder import SessionFolder
    from ddeal_core.batch import default_folder
    from ddeal_core.media import FrameReader, open_source, read_masks

    side = parse_resolution(resolution)
    folder = output or Path(default_folder(video).name.removesuffix("_masks") + "_annotated")
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file: name a folder for the exports with -o")
    kept = SessionFolder(session or folder / "session")
    with ExitStack() as stack:
        frames = stack.enter_context(FrameReader(stack.enter_context(open_source(video))))
        if mask and kept.is_begun:
            raise InputError(
                f"{kept.path} holds masks from before: leave --mask out to go on with them, or "
                "name another folder with --session"
            )
        masks: dict[int, NDArray[np.uint8]] = {}
        names: dict[int, str] = {}
        if mask:
            given = read_masks(mask, source=frames.source)
            tell_masks(given, frames.source, quiet=quiet)
            masks = {index: each.labels for index, each in given.items()}
        elif kept.is_begun:
            masks, names = kept.load(frames)
            say(f"continued from {kept.path}: masks on {len(masks)} frames", quiet=quiet)

        from ddeal_cli.annotate.exporting import Exporter
        from ddeal_cli.annotate.project import Project
        from ddeal_cli.annotate.server.serving import PageServer, listen
        from ddeal_cli.annotate.server.studio import Studio
        from ddeal_core.interaction.mask_finder import MaskFinder
        from ddeal_core.tracking import Segmenter

        MaskFinder.bundled()  # so that the first click does not wait for it
        listening = stack.enter_context(listen(port))
        segmenter = Segmenter.load(
            weights,
            device=device,
            resolution=side,
            precision=precision,
            ablation=ablation_of(without),
        )
        project = Project(frames, masks=masks, names=names)
        studio = Studio(project, segmenter, Exporter(folder, segmenter, overwrite=overwrite), kept)

        server = PageServer(studio, listening)

        def ready() -> None:
            typer.echo(f"{server.address}  (Ctrl-C ends it)")
            if not no_open:
                _open(server.address_once)

        ended_by = server.run(on_ready=ready)
        if kept.is_begun:
            say(f"masks are in {one_line(kept.path)}", quiet=quiet)
    code = 0 if ended_by in (None, signal.SIGINT) else 128 + ended_by
    if not studio.jobs.wait(0):  # a frame that takes ages: nothing is lost with it
        sys.stdout.flush()
        os._exit(code)
    raise typer.Exit(code)


def _open(address: str) -> None:
    """Open the browser without waiting for it."""
    import threading
    import webbrowser

    threading.Thread(target=webbrowser.open, args=[address], daemon=True).start()
