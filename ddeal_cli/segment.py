"""``ddeal segment``: cut objects out of a video."""

import re
from typing import Annotated, Any, Literal

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
from ddeal_cli.one_video import cut_out_or_resume, tell_masks
from ddeal_cli.options import (
    CudaGraphsOption,
    DeviceOption,
    Json,
    LookAheadOption,
    Overwrite,
    PrecisionOption,
    Quiet,
    ResolutionOption,
    WeightsOption,
    WithoutOption,
    ablation_of,
    parse_resolution,
)
from ddeal_cli.resuming import Resume
from ddeal_cli.segment_many import (
    EngineOption,
    JobsOption,
    MaskDirOption,
    many_meant,
    segment_many,
)
from ddeal_cli.trust_options import MaxPixelsOption, OnErrorOption

__all__ = ["register"]

Format = Literal["masks", "mattes", "rgba", "coco", "alpha", "overlay", "matte", "background"]

_OF_OUTPUTS = ("kind", "background", "hard", "sound")


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
    videos: Annotated[
        list[str],
        typer.Argument(
            metavar="VIDEO...",
            help="Video file, folder of images, or pattern such as 'shots/*.jpg'. Live: - reads "
            "standard input, camera (or camera:1) a camera, rtsp://... a stream. Many: several of "
            "them, or a folder of videos or of folders of images.",
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
    mask_dir: MaskDirOption = None,
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
            "folder <video's name>_masks here. For many videos, {stem} is each one's name.",
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
    resume: Resume = False,
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
    look_ahead: LookAheadOption = 1,
    cuda_graphs: CudaGraphsOption = False,
    without: WithoutOption = None,
    jobs: JobsOption = None,
    engine: EngineOption = "local",
    cues: CuesOption = None,
    cue_frames: CueFramesOption = None,
    quiet: Quiet = False,
    json_: Json = False,
) -> None:
    """Cut objects out of videos, given their masks on a frame, or boxes around them."""
    from ddeal_core.batch import default_folder, find_videos
    from ddeal_core.cues import open_cues
    from ddeal_core.errors import InputError
    from ddeal_core.media import open_outputs, open_source

    if green and background is not None:
        raise InputError("--green and --background contradict each other: give one of them")
    del max_pixels  # its callback has set the limit
    masks_given, outputs_given = mask or [], output or []
    hinted = bool(box or point or not_point or scribble)
    network: dict[str, Any] = {
        "weights": weights,
        "device": device,
        "resolution": parse_resolution(resolution),
        "precision": precision,
        "look_ahead": look_ahead,
        "cuda_graphs": cuda_graphs,
        "ablation": ablation_of(without),
    }
    cutting: dict[str, Any] = {
        "objects": parse_objects(objects),
        "kind": format_,
        "background": "#00ff00" if green else background,
        "hard": hard,
        "sound": not no_audio,
        "start": start,
        "end": end,
        "overwrite": overwrite,
        "on_error": on_error,
        "direction": parse_direction(direction, reverse=reverse),
        "at": at,
    }
    named, many = find_videos(videos)
    if many_meant(many, masks_given, outputs_given, mask_dir=mask_dir, engine=engine):
        if hinted:
            raise InputError(
                "boxes, points and strokes are about one video: make a mask of each with "
                "'ddeal mask', and give --mask-dir"
            )
        if cues:
            raise InputError("--cues shows what is inside for one video: name only one")
        code = segment_many(
            named,
            masks=masks_given,
            mask_dir=mask_dir,
            outputs=outputs_given,
            jobs=jobs,
            engine=engine,
            network=network,
            cutting=cutting,
            quiet=quiet,
            json=json_,
        )
        raise typer.Exit(code)
    from ddeal_core.runs.masks import given_masks
    from ddeal_core.tracking import Segmenter

    video = named[0]
    if not mask and not hinted:
        raise InputError(
            "where is the object? Give its --mask, a --box x,y,width,height around it, a "
            "--point x,y on it, or a --scribble"
        )
    with open_source(video, start=start, end=end, on_error=on_error) as source:
        masks, files = given_masks(
            masks_given,
            lambda size, known: hints_of(box, point, not_point, scribble, size=size, known=known),
            source=source,
            objects=cutting["objects"],
            direction=cutting["direction"],
            at=at,
        )
        tell_masks(masks, source, quiet=quiet)
        writers = open_outputs(
            output or [default_folder(video)],
            source=source,
            **{name: cutting[name] for name in _OF_OUTPUTS},
            overwrite=True,  # asked below, where an unfinished run is known of
            keep=files if scribble is None else [*files, scribble],
        )
        segmenter = Segmenter.load(**network, keep_cues=bool(cues))
        writers += open_cues(
            cues or (),
            cue_frames,
            source=source,
            masks=masks,
            config=segmenter.config,
            direction=cutting["direction"],
            beside=writers,
            keep=files,
            overwrite=overwrite,
        )
        summary = cut_out_or_resume(
            *(segmenter, source, masks, writers),
            direction=cutting["direction"],
            resume=resume,
            overwrite=overwrite,
            quiet=quiet,
        )
        height, width = source.size
    if summary.restored < summary.frames:
        for writer in writers:
            say(f"wrote {writer.path}", quiet=quiet)
        plural = "" if summary.frames == 1 else "s"
        kept = f" ({summary.restored} of them kept from before)" if summary.restored else ""
        say(
            f"{summary.frames} frame{plural}{kept} of {width}x{height} in "
            f"{summary.seconds:.1f} s: {summary.frame_rate:.1f} frames/s on {segmenter.device}",
            quiet=quiet,
        )
    if json_:
        emit_json(
            {
                "video": video,
                "frames": summary.frames,
                "restored": summary.restored,
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
