"""``ddeal segment``: cut objects out of a video."""

import os
import re
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ddeal_cli.console import emit_json, say
from ddeal_cli.options import (
    DeviceOption,
    Json,
    Overwrite,
    PrecisionOption,
    Quiet,
    ResolutionOption,
    WeightsOption,
    WithoutOption,
    ablation_of,
    parse_resolution,
)
from ddeal_cli.progress import ProgressLine

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ddeal_core.media import FrameSource, Mask, ResultWriter
    from ddeal_core.tracking import Result, Segmenter

__all__ = ["Summary", "cut_out", "open_outputs", "register"]

Format = Literal["alpha", "overlay", "green"]

_OPAQUE = (".mp4", ".mkv")


@dataclass(frozen=True, slots=True)
class Summary:
    """What a run did.

    Attributes:
        frames: How many.
        seconds: From the first frame read to the last output closed.
    """

    frames: int
    seconds: float

    @property
    def frame_rate(self) -> float:
        """Frames a second."""
        return self.frames / max(self.seconds, 1e-9)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        "segment",
        epilog="Example: ddeal segment clip.mp4 --mask first.png -o masks -o cutout.mov "
        "-o overlay.mp4",
    )(segment)


def segment(
    video: Annotated[
        str,
        typer.Argument(
            metavar="VIDEO", help="Video file, folder of images, or pattern such as 'shots/*.jpg'."
        ),
    ],
    mask: Annotated[
        list[str],
        typer.Option(
            "--mask",
            "-m",
            metavar="[FRAME=]FILE",
            help="Mask of the first frame: indexed, grey or black and white. With a frame's number "
            "before it (12=more.png, counted from 0 in the whole video), objects that begin or "
            "are corrected there; repeatable.",
        ),
    ],
    output: Annotated[
        list[Path] | None,
        typer.Option(
            "--output",
            "-o",
            metavar="PATH",
            help="Folder for PNG masks, or by its ending .mov (ProRes 4444 with alpha), .webm (VP9 "
            "with alpha), .mp4 or .mkv (overlay); repeatable. Default: the folder "
            "<video's name>_masks here.",
            rich_help_panel="Output",
        ),
    ] = None,
    format_: Annotated[
        Format | None,
        typer.Option(
            "--format",
            help="What video outputs hold, whatever their ending.",
            rich_help_panel="Output",
        ),
    ] = None,
    green: Annotated[
        bool,
        typer.Option(
            "--green",
            help="Put a green background in .mp4 and .mkv, in place of the overlay.",
            rich_help_panel="Output",
        ),
    ] = False,
    overwrite: Overwrite = False,
    start: Annotated[
        int | None,
        typer.Option(metavar="N", help="First frame, from 0; the plain --mask belongs to it."),
    ] = None,
    end: Annotated[int | None, typer.Option(metavar="N", help="Frame to stop before.")] = None,
    weights: WeightsOption = None,
    device: DeviceOption = "auto",
    resolution: ResolutionOption = None,
    precision: PrecisionOption = "float32",
    without: WithoutOption = None,
    quiet: Quiet = False,
    json_: Json = False,
) -> None:
    """Cut objects out of a video, given their masks on the first frame."""
    from ddeal_core.media import open_source
    from ddeal_core.tracking import Segmenter

    with open_source(video, start=start, end=end) as source:
        files = mask_files(mask, first=source.start)
        masks = read_masks(files, source, quiet=quiet)
        writers = open_outputs(
            output or [default_folder(video)],
            source,
            keep=files.values(),
            kind=format_,
            green=green,
            overwrite=overwrite,
        )
        segmenter = Segmenter.load(
            weights,
            device=device,
            resolution=parse_resolution(resolution),
            precision=precision,
            ablation=ablation_of(without),
        )
        summary = cut_out(segmenter, source, masks, writers, quiet=quiet)
        height, width = source.size
    for writer in writers:
        say(f"wrote {writer.path}", quiet=quiet)
    say(
        f"{summary.frames} frames of {width}x{height} in {summary.seconds:.1f} s: "
        f"{summary.frame_rate:.1f} frames/s on {segmenter.device}",
        quiet=quiet,
    )
    if json_:
        emit_json(
            {
                "video": video,
                "frames": summary.frames,
                "width": width,
                "height": height,
                "objects": sorted({i for m in masks.values() for i in m.object_ids}),
                "outputs": [str(writer.path) for writer in writers],
                "seconds": round(summary.seconds, 3),
                "frames_per_second": round(summary.frame_rate, 3),
                "device": str(segmenter.device),
                "weights": None if weights is None else str(weights),
            }
        )


def mask_files(words: Sequence[str], *, first: int) -> dict[int, Path]:
    """Read ``first.png`` and ``12=more.png`` as files by frame; a file of that very name wins.

    Raises:
        InputError: Two masks are given for one frame.
    """
    from ddeal_core.errors import InputError

    files: dict[int, Path] = {}
    for word in words:
        match = re.match(r"([0-9]+)=", word)
        if match is None or Path(word).is_file():
            index, path = first, Path(word)
        else:
            index, path = int(match[1]), Path(word[match.end() :])
        if index in files:
            raise InputError(
                f"two masks are given for frame {index}, {files[index]} and {path}: "
                "put the number of its frame before one of them, as in 12=more.png"
            )
        files[index] = path
    return files


def read_masks(
    files: "Mapping[int, Path]", source: "FrameSource", *, quiet: bool
) -> "dict[int, Mask]":
    """Read masks at the video's size and say how each was understood."""
    from ddeal_core.media import read_mask

    masks = {}
    for index, path in files.items():
        masks[index] = read_mask(path, size=source.size)
        where = "" if index == source.start else f" at frame {index}"
        say(f"mask{where}: {masks[index].understood}", quiet=quiet)
    return masks


def default_folder(video: str) -> Path:
    """Name the folder of masks after the video: ``clip_masks``, in the current folder.

    Dots become underscores: a name with an ending would stand for a video.
    """
    path = Path(video)
    if path.is_dir():
        name = path.resolve().name
    elif path.is_file():
        name = path.stem
    else:  # a pattern: its folder
        name = path.parent.resolve().name
    return Path(f"{name.replace('.', '_') or 'video'}_masks")


def open_outputs(
    paths: Sequence[Path],
    source: "FrameSource",
    *,
    keep: Iterable[Path] = (),
    kind: Format | None = None,
    green: bool = False,
    overwrite: bool = False,
) -> "list[ResultWriter]":
    """Open one writer a path; nothing is written yet.

    Args:
        paths: Folders and files.
        source: The video.
        keep: Files that must not be written over, whatever `overwrite` says.
        kind: Of all video outputs; by their ending if None.
        green: Green background in those that hold no alpha.
        overwrite: Whether results may be replaced.

    Raises:
        InputError: A path is not fit to be written to.
    """
    from ddeal_core.errors import InputError, OutputError
    from ddeal_core.media import open_writer

    kept = list(keep)
    writers: list[ResultWriter] = []
    for path in paths:
        if any(_is_at(path, other.path) for other in writers):
            raise InputError(f"{path} is named twice as an output: give each its own name")
        for file in kept:
            if _is_at(path, file) or (path.is_dir() and _is_at(path, file.parent)):
                raise InputError(f"{path} holds the mask {file}: write the output somewhere else")
        is_video = bool(path.suffix) and not path.is_dir()
        opaque = path.suffix.lower() in _OPAQUE
        chosen = kind or ("green" if green and opaque else "auto")
        try:
            writer = open_writer(path, source=source, kind=chosen if is_video else "auto")
        except OutputError as error:  # nothing was begun: the name is at fault
            raise InputError(str(error)) from None
        if not overwrite:
            _check_free(path)
        writers.append(writer)
    return writers


def cut_out(
    segmenter: "Segmenter",
    source: "FrameSource",
    masks: "Mapping[int, Mask]",
    writers: "Sequence[ResultWriter]",
    *,
    quiet: bool = False,
    watch: "Callable[[Result], None] | None" = None,
) -> Summary:
    """Run a video through the network into its outputs, with a progress bar.

    Args:
        segmenter: The network.
        source: The video.
        masks: Masks by frame.
        writers: Outputs; they are finished when this returns.
        quiet: Show nothing.
        watch: Called with each frame's result.
    """
    from ddeal_core.tracking import segment_video

    frames = 0
    with (
        ProgressLine("segment", total=source.frame_count, quiet=quiet) as line,
        closing(segment_video(segmenter, source, masks, writers)) as steps,
    ):
        for step in steps:
            frames = step.done
            if watch is not None:
                watch(step.result)
            line.advance()
        return Summary(frames, line.seconds)


def _check_free(path: Path) -> None:
    from ddeal_core.errors import InputError

    if path.is_dir():
        if any(not name.startswith(".") for name in os.listdir(path)):  # noqa: PTH208
            raise InputError(f"the folder {path} is not empty: name another, or allow --overwrite")
    elif path.exists() or path.is_symlink():
        raise InputError(f"{path} exists: name another file, or allow --overwrite")


def _is_at(first: Path, second: Path) -> bool:
    """Whether two names are of one place, there already or not."""
    return first.resolve() == second.resolve()
