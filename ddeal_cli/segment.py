"""``ddeal segment``: cut objects out of a video."""

import re
from dataclasses import replace

import typer

from ddeal_cli import hint_options, options
from ddeal_cli import segment_options as own
from ddeal_cli.app import app, epilog
from ddeal_cli.one_video import run_and_tell
from ddeal_cli.segment_many import many_meant, segment_many
from ddeal_core.errors import InputError


@app.command(
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
)
def segment(
    videos: own.VideosArgument,
    mask: own.MaskOption = None,
    box: hint_options.BoxOption = None,
    point: hint_options.PointOption = None,
    not_point: hint_options.NotPointOption = None,
    scribble: hint_options.ScribbleOption = None,
    method: hint_options.MethodOption = "network",
    direction: own.DirectionOption = None,
    reverse: own.ReverseOption = False,
    between: own.BetweenOption = False,
    at: own.AtOption = None,
    mask_dir: own.MaskDirOption = None,
    objects: own.ObjectsOption = None,
    output: own.OutputOption = None,
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
    overwrite: options.Overwrite = False,
    resume: own.ResumeOption = False,
    start: own.StartOption = None,
    end: own.EndOption = None,
    on_error: own.OnErrorOption = "stop",
    max_pixels: own.MaxPixelsOption = None,
    weights: options.WeightsOption = None,
    device: options.DeviceOption = "auto",
    resolution: options.ResolutionOption = None,
    precision: options.PrecisionOption = "float32",
    look_ahead: options.LookAheadOption = 1,
    cuda_graphs: options.CudaGraphsOption = False,
    without: options.WithoutOption = None,
    jobs: own.JobsOption = None,
    engine: own.EngineOption = "local",
    cues: own.CuesOption = None,
    cue_frames: own.CueFramesOption = None,
    quiet: options.Quiet = False,
    json_: options.Json = False,
) -> None:
    """Cut objects out of videos, given their masks on a frame, or boxes around them."""
    from ddeal_core.batch import default_folder, find_videos
    from ddeal_core.finishing.options import Finishing
    from ddeal_core.runs import NetworkOptions, OutputOptions, VideoRequest

    ways = {direction, "backward" if reverse else None, "between" if between else None} - {None}
    if len(ways) > 1:
        words = " and ".join(sorted(map(str, ways)))
        raise InputError(f"the directions {words} contradict each other: give one")
    named, many = find_videos(videos)
    request = VideoRequest(
        named[0],
        mask or (),
        objects=parse_objects(objects),
        direction="backward" if reverse else "between" if between else direction or "forward",
        at=at,
        start=start,
        end=end,
        on_error=on_error,
        max_pixels=max_pixels,
    )
    outputs = OutputOptions(
        output or (),
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
        cues=cues or (),
        cue_frames=cue_frames,
        keep=() if scribble is None else (scribble,),
        overwrite=overwrite,
        resume=resume,
    )
    network = NetworkOptions(
        weights=weights,
        device=device,
        resolution=options.parse_resolution(resolution),
        precision=precision,
        look_ahead=look_ahead,
        cuda_graphs=cuda_graphs,
        ablation=options.ablation_of(without),
    )
    hinted = bool(box or point or not_point or scribble)
    if many_meant(many, request, outputs, mask_dir=mask_dir, engine=engine):
        if hinted:
            raise InputError(
                "boxes, points and strokes are about one video: make a mask of each with "
                "'ddeal mask', and give --mask-dir"
            )
        if cues:
            raise InputError("--cues shows what is inside for one video: name only one")
        code = segment_many(
            [replace(request, video=video) for video in named],
            outputs,
            network,
            mask_dir=mask_dir,
            jobs=jobs,
            engine=engine,
            quiet=quiet,
            json=json_,
        )
        raise typer.Exit(code)
    if not mask and not hinted:
        raise InputError(
            "where is the object? Give its --mask, a --box x,y,width,height around it, a "
            "--point x,y on it, or a --scribble"
        )
    if hinted:
        request = replace(
            request,
            hints=lambda size, known: hint_options.hints_of(
                box, point, not_point, scribble, size=size, known=known
            ),
            method=method,
        )
    if not output:
        outputs = replace(outputs, names=default_folder(named[0]))
    run_and_tell(request, outputs, network, quiet=quiet, json=json_)


def parse_objects(text: str | None) -> tuple[int, ...] | None:
    """Read ids such as ``1,38``."""
    if text is None:
        return None
    if not re.fullmatch(r"\s*[0-9]{1,9}(\s*,\s*[0-9]{1,9})*\s*", text):
        raise InputError(f"--objects takes ids with commas between them, as in 1,38, not {text!r}")
    return tuple(sorted({int(part) for part in text.split(",")}))
