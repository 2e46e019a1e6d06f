"""``ddeal demo``: the whole path on the sample clip."""

import shutil
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Annotated

import typer

from ddeal_cli import options
from ddeal_cli.app import app, epilog
from ddeal_cli.console import emit_json, say
from ddeal_cli.one_video import run_and_show
from ddeal_cli.sample import FRAMES, VIDEO, sample_labels
from ddeal_core.errors import InputError

if TYPE_CHECKING:
    from ddeal_core.runs.outputs import Progress


@app.command(
    "demo",
    epilog=epilog(
        "ddeal demo",
        "ddeal demo --frames 24 --device cpu -o try",
        notes=(
            "The folder gets sample.mp4, first.png (the mask that was given), masks/, "
            "overlay.mp4 and cutout.mov.",
        ),
    ),
)
def demo(
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            metavar="FOLDER",
            help="Where to put it all; an earlier demo there is replaced.",
            rich_help_panel="Output",
        ),
    ] = Path("ddeal-demo"),
    overwrite: options.Overwrite = False,
    frames: Annotated[
        int, typer.Option(min=2, max=FRAMES, metavar="N", help="Only the first frames of the clip.")
    ] = FRAMES,
    weights: options.WeightsOption = None,
    device: options.DeviceOption = "auto",
    resolution: options.ResolutionOption = None,
    quiet: options.Quiet = False,
    json_: options.Json = False,
) -> None:
    """Cut two animals out of the sample clip, and say how fast and how well."""
    side = options.parse_resolution(resolution)
    _claim(output, overwrite=overwrite)
    video, first = output / "sample.mp4", output / "first.png"
    shutil.copyfile(VIDEO, video)
    say(f"{'clip':<11}{video.resolve()}", quiet=quiet)  # torch takes seconds to import

    from ddeal_core.evaluation import jaccard
    from ddeal_core.media import write_mask
    from ddeal_core.runs import NetworkOptions, OutputOptions, VideoRequest

    truth = sample_labels()
    write_mask(first, truth[0])

    scores: list[float] = []

    def compare(progress: "Progress") -> None:
        result = progress.result
        if result.index:  # the first mask was given
            shown = truth[result.index]
            scores.extend(jaccard(shown == i, result.labels == i) for i in result.object_ids)

    paths = [output / "masks", output / "overlay.mp4", output / "cutout.mov"]
    summary = run_and_show(
        VideoRequest(video, first, end=frames),
        OutputOptions(paths, overwrite=True),
        NetworkOptions(weights, device, side),
        quiet=quiet,
        watch=compare,
    )
    lines = {"first mask": first, "masks": paths[0], "overlay": paths[1], "cut-out": paths[2]}
    for name, path in lines.items():
        say(f"{name:<11}{path.resolve()}", quiet=quiet)
    say(
        f"{summary.frames} frames in {summary.seconds:.1f} s: {summary.frame_rate:.1f} frames/s "
        f"on {summary.device}; J {fmean(scores):.3f} against the truth",
        quiet=quiet,
    )
    if json_:
        emit_json(
            {
                "outputs": [str(path) for path in (video, *lines.values())],
                "frames": summary.frames,
                "seconds": round(summary.seconds, 3),
                "frames_per_second": round(summary.frame_rate, 3),
                "device": summary.device,
                "J-Mean": fmean(scores),
            }
        )


def _claim(folder: Path, *, overwrite: bool) -> None:
    """Make the folder; one with other things in it is left alone."""
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file: name a folder for the demo with -o")
    if folder.is_dir() and not overwrite and not (folder / "sample.mp4").exists():
        held = next((p for p in folder.iterdir() if not p.name.startswith(".")), None)
        if held is not None:
            raise InputError(
                f"the folder {folder} holds other things ({held.name}): name another with -o, "
                "or allow --overwrite"
            )
    folder.mkdir(parents=True, exist_ok=True)
