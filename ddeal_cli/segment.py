"""``ddeal segment``: cut objects out of a video."""

import re
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ddeal_cli.console import emit_json, say
from ddeal_cli.cue_options import CueFramesOption, CuesOption
from ddeal_cli.direction_options import (
    AtOption,
    DirectionOption,
    ReverseOption,
    parse_direction,
)
from ddeal_cli.help_pages import epilog
from ddeal_cli.hint_options import (
    BoxOption,
    NotPointOption,
    PointOption,
    ScribbleOption,
    hints_of,
)
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
from ddeal_cli.trust_options import MaxPixelsOption, OnErrorOption

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ddeal_core.media import FrameSource, Mask, ResultWriter
    from ddeal_core.tracking import Direction, Result, Segmenter

__all__ = ["Summary", "cut_out", "register", "tell_masks"]

Format = Literal["masks", "mattes", "rgba", "coco", "alpha", "overlay", "matte", "background"]


_MASKS_TOLD = 12


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
        epilog=epilog(
            "ddeal segment clip.mp4 --mask first.png",
            "ddeal segment clip.mp4 -m first.png -o masks -o cutout.mov -o overlay.mp4",
            "ddeal segment clip.mp4 -m first.png -o new.mp4 -b beach.jpg",
            "ddeal segment clip.mp4 -m first.png -o key.mp4 --green -o matte=matte.mp4",
            "ddeal segment clip.mp4 --box 120,80,200,160 -o masks",
            "ddeal segment clip.mp4 -m first.png -m 120=more.png --objects 1,38",
            "ddeal segment 'shots/*.jpg' -m first.png -o rgba=cut --start 100 --end 200",
            "ffmpeg -i clip.mp4 -f matroska - | ddeal segment - -m first.png -o masks",
            "ddeal segment clip.mp4 -m first.png --cues inside --cue-frames every:5",
            notes=("An output has its name only when it is whole.",),
        ),
    )(segment)


def segment(
    video: Annotated[
        str,
        typer.Argument(
            metavar="VIDEO",
            help="Video file, folder of images, or pattern such as 'shots/*.jpg'. Live: - reads "
            "standard input, camera (or camera:1) a camera, rtsp://... a stream.",
        ),
    ],
    mask: Annotated[
        list[str] | None,
        typer.Option(
            "--mask",
            "-m",
            metavar="[FRAME=]FILE",
            help="Mask of the first frame: indexed, grey, black and white, colours, or alpha. With "
            "a frame's number before it (12=more.png, counted from 0 in the whole video), objects "
            "that begin or are corrected there; repeatable. Or a folder of masks named by frame.",
        ),
    ] = None,
    box: BoxOption = None,
    point: PointOption = None,
    not_point: NotPointOption = None,
    scribble: ScribbleOption = None,
    direction: DirectionOption = None,
    reverse: ReverseOption = False,
    at: AtOption = None,
    objects: Annotated[
        str | None,
        typer.Option("--objects", metavar="IDS", help="Only these objects of the masks: 1,38."),
    ] = None,
    output: Annotated[
        list[str] | None,
        typer.Option(
            "--output",
            "-o",
            metavar="[KIND=]PATH",
            help="Folder for PNG masks, or by its ending .mov (ProRes 4444 with alpha), .webm (VP9 "
            "with alpha), .mp4 or .mkv (overlay, or the --background), .json (COCO run lengths); "
            "repeatable. A kind of --format may stand before it: matte=key.mp4. Default: the "
            "folder <video's name>_masks here.",
            rich_help_panel="Output",
        ),
    ] = None,
    format_: Annotated[
        Format | None,
        typer.Option(
            "--format",
            metavar="KIND",
            help="What outputs hold, where their name fits. Folders: masks, mattes (a folder an "
            "object), rgba. Files: coco, alpha, overlay, matte (grey video), background.",
            rich_help_panel="Output",
        ),
    ] = None,
    background: Annotated[
        str | None,
        typer.Option(
            "--background",
            "-b",
            metavar="WHAT",
            help="What .mp4 and .mkv show behind the objects: a colour ('#00ff00', white), blur, "
            "or the file of an image or a video.",
            rich_help_panel="Output",
        ),
    ] = None,
    green: Annotated[
        bool,
        typer.Option("--green", help="Short for --background '#00ff00'.", rich_help_panel="Output"),
    ] = False,
    hard: Annotated[
        bool,
        typer.Option(
            "--hard",
            help="Edges without transparency: alpha is 0 or 255.",
            rich_help_panel="Output",
        ),
    ] = False,
    no_audio: Annotated[
        bool,
        typer.Option("--no-audio", help="Leave the sound out of videos.", rich_help_panel="Output"),
    ] = False,
    overwrite: Overwrite = False,
    start: Annotated[
        int | None,
        typer.Option(metavar="N", help="First frame, from 0; the plain --mask belongs to it."),
    ] = None,
    end: Annotated[int | None, typer.Option(metavar="N", help="Frame to stop before.")] = None,
    on_error: OnErrorOption = "stop",
    max_pixels: MaxPixelsOption = None,
    weights: WeightsOption = None,
    device: DeviceOption = "auto",
    resolution: ResolutionOption = None,
    precision: PrecisionOption = "float32",
    without: WithoutOption = None,
    cues: CuesOption = None,
    cue_frames: CueFramesOption = None,
    quiet: Quiet = False,
    json_: Json = False,
) -> None:
    """Cut objects out of a video, given their masks on a frame, or boxes around them."""
    from ddeal_core.cues import open_cues
    from ddeal_core.errors import InputError
    from ddeal_core.media import open_outputs, open_source
    from ddeal_core.tracking import Segmenter, given_masks

    if green and background is not None:
        raise InputError("--green and --background contradict each other: give one of them")
    del max_pixels  # its callback has set the limit
    if not (mask or box or point or not_point or scribble):
        raise InputError(
            "where is the object? Give its --mask, a --box x,y,width,height around it, a "
            "--point x,y on it, or a --scribble"
        )
    wanted, way = parse_objects(objects), parse_direction(direction, reverse=reverse)
    with open_source(video, start=start, end=end, on_error=on_error) as source:
        masks, files = given_masks(
            mask or [],
            lambda size, known: hints_of(box, point, not_point, scribble, size=size, known=known),
            source=source,
            objects=wanted,
            direction=way,
            at=at,
        )
        tell_masks(masks, source, quiet=quiet)
        writers = open_outputs(
            output or [default_folder(video)],
            source=source,
            kind=format_,
            background="#00ff00" if green else background,
            hard=hard,
            sound=not no_audio,
            overwrite=overwrite,
            keep=files if scribble is None else [*files, scribble],
        )
        segmenter = Segmenter.load(
            weights,
            device=device,
            resolution=parse_resolution(resolution),
            precision=precision,
            ablation=ablation_of(without),
            keep_cues=bool(cues),
        )
        writers += open_cues(
            cues or (),
            cue_frames,
            source=source,
            masks=masks,
            config=segmenter.config,
            direction=way,
            beside=writers,
            keep=files,
            overwrite=overwrite,
        )
        summary = cut_out(segmenter, source, masks, writers, direction=way, quiet=quiet)
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
                "damaged_frames": source.damage.count,
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


def tell_masks(masks: "Mapping[int, Mask]", source: "FrameSource", *, quiet: bool) -> None:
    """Say how each mask was understood; of many, only how many there are."""
    for index, mask in list(masks.items())[:_MASKS_TOLD]:
        where = "" if index == source.start else f" at frame {index}"
        say(f"mask{where}: {mask.understood}", quiet=quiet)
    if len(masks) > _MASKS_TOLD:
        say(f"masks of {len(masks) - _MASKS_TOLD} more frames", quiet=quiet)


def parse_objects(text: str | None) -> tuple[int, ...] | None:
    """Read ids such as ``1,38``.

    Raises:
        InputError: It is no list of ids.
    """
    from ddeal_core.errors import InputError

    if text is None:
        return None
    if not re.fullmatch(r"\s*[0-9]{1,9}(\s*,\s*[0-9]{1,9})*\s*", text):
        raise InputError(f"--objects takes ids with commas between them, as in 1,38, not {text!r}")
    return tuple(sorted({int(part) for part in text.split(",")}))


def default_folder(video: str) -> Path:
    """Name the folder of masks after the video: ``clip_masks``, in the current folder.

    Dots become underscores: a name with an ending would stand for a video.
    """
    path = Path(video)
    if path.is_dir():
        name = path.resolve().name
    elif path.is_file():
        name = path.stem
    elif video == "-":
        name = "video"
    elif re.match(r"camera(:|$)|[a-z]+://", video):
        name = re.match(r"[a-z]+", video)[0]  # type: ignore[index]
    else:  # a pattern: its folder
        name = path.parent.resolve().name
    return Path(f"{name.replace('.', '_') or 'video'}_masks")


def cut_out(
    segmenter: "Segmenter",
    source: "FrameSource",
    masks: "Mapping[int, Mask]",
    writers: "Sequence[ResultWriter]",
    *,
    direction: "Direction" = "forward",
    quiet: bool = False,
    watch: "Callable[[Result], None] | None" = None,
) -> Summary:
    """Run a video through the network into its outputs, with a progress bar.

    Args:
        segmenter: The network.
        source: The video.
        masks: Masks by frame.
        writers: Outputs; they are finished when this returns.
        direction: Which way objects are followed.
        quiet: Show nothing.
        watch: Called with each frame's result.
    """
    from ddeal_core.tracking import segment_video

    frames = 0
    with (
        ProgressLine("segment", total=source.frame_count, quiet=quiet) as line,
        closing(
            segment_video(
                segmenter,
                source,
                masks,
                writers,
                direction=direction,
                on_back=lambda done, total: _tell_back(line, done, total),
            )
        ) as steps,
        _ctrl_c_ends(source),
    ):
        for step in steps:
            frames = step.done
            if watch is not None:
                watch(step.result)
            line.advance()
        return Summary(frames, line.seconds)


def _tell_back(line: ProgressLine, done: int, total: int) -> None:
    if done == 1:
        line.expect(total)
    line.advance(note="back" if done < total else "")


@contextmanager
def _ctrl_c_ends(source: "FrameSource") -> Iterator[None]:
    """Let the first Ctrl-C end a live source, so that its outputs are completed."""
    if not source.is_live or threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(number: int, frame: object) -> None:
        del number, frame
        source.stop()
        signal.signal(signal.SIGINT, before)  # the second one interrupts

    before = signal.signal(signal.SIGINT, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
