"""Options of ``ddeal segment`` and ``ddeal render`` that no other command has."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from ddeal_cli.app import options_in
from ddeal_core.choices import Direction, OnError, OutputKind
from ddeal_core.errors import InputError
from ddeal_core.video_names import check_there

_input = options_in("Input")
_output = options_in("Output")
_many = options_in("Many videos")
_inside = options_in("See inside")
_finishing = options_in("Finishing")


def _there(videos: list[str]) -> list[str]:
    """Refuse the name of nothing; of several, each is told of when its turn comes."""
    if len(videos) == 1:
        check_there(videos[0])
    return videos


VideosArgument = Annotated[
    list[str],
    typer.Argument(
        metavar="VIDEO...",
        callback=_there,
        help="Video file, folder of images, or pattern such as 'shots/*.jpg'. Live: - reads "
        "standard input, camera (or camera:1) a camera, rtsp://... a stream. Many: several of "
        "them, or a folder of videos or of folders of images.",
    ),
]
MaskOption = Annotated[
    list[str] | None,
    typer.Option(
        "--mask",
        "-m",
        metavar="[FRAME=]FILE",
        help="Mask of the first frame: indexed, grey, black and white, colours, or alpha. With "
        "a frame's number before it (12=more.png, counted from 0 in the whole video), objects "
        "that begin or are corrected there; repeatable. Or a folder of masks named by frame.",
    ),
]
DirectionOption = Annotated[
    Direction | None,
    typer.Option(
        help="Which way objects are followed from their masks: on to the end (the default), back "
        "to the beginning, or both, where each goes back from its first mask; between follows an "
        "object from both sides between two of its masks, and joins them."
    ),
]
ReverseOption = Annotated[
    bool,
    typer.Option(
        "--reverse",
        help="Short for --direction backward; the plain --mask and hints are of the last frame.",
    ),
]
BetweenOption = Annotated[
    bool,
    typer.Option("--between", help="Short for --direction between: for masks on several frames."),
]
AtOption = Annotated[
    int | None,
    typer.Option(
        "--at",
        metavar="N",
        help="Frame of the plain --mask, of boxes and points. Default: the first; going "
        "backward the last.",
    ),
]
MaskDirOption = Annotated[
    Path | None,
    _many(
        "--mask-dir",
        metavar="DIR",
        help="Where each video's mask is found by its name: DIR/clip.png, or a folder DIR/clip "
        "with masks by frame (of masks for all frames, the first is taken). Or write {stem} "
        "(clip), {name} (clip.mp4) or {parent} (its folder) in --mask, as in -o.",
    ),
]
ObjectsOption = Annotated[
    str | None,
    typer.Option("--objects", metavar="IDS", help="Only these objects of the masks: 1,38."),
]
OutputOption = Annotated[
    list[str] | None,
    _output(
        "--output",
        "-o",
        metavar="[KIND=]PATH",
        help="Folder for PNG masks, or by its ending .mov (ProRes 4444 with alpha), .webm (VP9 "
        "with alpha), .mp4 or .mkv (overlay, or the --background), .json (COCO run lengths), "
        ".soft (what was found, for ddeal render); repeatable. A kind of --format may stand before "
        "it: matte=key.mp4. Default: the folder <video's name>_masks here. For many videos, {stem} "
        "is each one's name.",
    ),
]
FormatOption = Annotated[
    OutputKind | None,
    _output(
        "--format",
        metavar="KIND",
        help="What outputs hold, where their name fits. Folders: masks, mattes (a folder an "
        "object), exr (the same in half-float EXR), rgba. Files: coco, soft, alpha, overlay, "
        "matte (grey video), background.",
    ),
]
BackgroundOption = Annotated[
    str | None,
    _output(
        "--background",
        "-b",
        metavar="WHAT",
        help="What .mp4 and .mkv show behind the objects: a colour ('#00ff00', white), blur, "
        "or the file of an image or a video.",
    ),
]
GreenOption = Annotated[bool, _output("--green", help="Short for --background '#00ff00'.")]
HardOption = Annotated[
    bool, _output("--hard", help="Edges without transparency: alpha is 0 or 255.")
]
DepthOption = Annotated[
    Literal["8", "16"] | None,
    _output(
        "--depth",
        help="Bits of mattes and colours: 16 in PNG (10 in .mov, and in .mp4 and .mkv but for "
        "overlays), or 8. Default: 16 where the video has more than 8. With 8, HDR is SDR.",
    ),
]
AudioOption = Annotated[bool, _output("--no-audio", help="Leave the sound out of videos.")]
ResumeOption = Annotated[
    bool,
    _output(
        "--resume",
        help="Go on where a run of the same command was interrupted; the results are those of an "
        "unbroken run. Outputs that are whole already stay.",
    ),
]
StartOption = Annotated[
    int | None,
    typer.Option(metavar="N", help="First frame, from 0; the plain --mask belongs to it."),
]
FirstOption = Annotated[
    int | None, typer.Option("--start", metavar="N", help="First frame, from 0.")
]
EndOption = Annotated[int | None, typer.Option(metavar="N", help="Frame to stop before.")]
OnErrorOption = Annotated[
    OnError,
    _input(
        "--on-error",
        help="What to do about frames that cannot be read: stop there and keep the results of "
        "those before, skip them, or hold the last good frame and its mask in their place.",
    ),
]
MaxPixelsOption = Annotated[
    int | None,
    _input(
        "--max-pixels",
        metavar="N",
        help="Most pixels of a frame, image or mask, before memory is taken for it; 67108864 "
        "(8192x8192) unless DDEAL_MAX_PIXELS says otherwise.",
    ),
]
JobsOption = Annotated[
    int | None,
    _many(
        "--jobs",
        "-j",
        metavar="N",
        min=1,
        help="Videos at a time, each in a process with its share of the cores. Default: 1; with "
        "ray, as many as the cluster has room for.",
    ),
]
EngineOption = Annotated[
    str,
    _many(
        metavar="local|ray[://HOST:PORT]",
        help="Where videos are cut out: in processes of this machine, or by a Ray cluster whose "
        "machines see all files under the same paths.",
    ),
]
CuesOption = Annotated[
    list[str] | None,
    _inside(
        "--cues",
        metavar="[arrays=]PATH",
        help="Draw what led to the answer (the paper's Figure 4): matching, appearance, "
        "propagation, coarse, final. A folder gets a figure for each object and chosen frame, "
        "an .mp4 shows them as a video; arrays=FOLDER gets the maps as .npz. Repeatable.",
    ),
]
CueFramesOption = Annotated[
    str | None,
    _inside(
        "--cue-frames",
        metavar="FRAMES",
        help="Frames of --cues: all, every:5, or numbers such as 0,10,20-29, counted from 0 in "
        "the whole video. Default: every:10 in a folder, all in a video.",
    ),
]


SteadyOption = Annotated[
    bool,
    _finishing(
        "--steady", help="Damp the chatter of edges where neither the picture nor the mask moves."
    ),
]
SpecksOption = Annotated[
    bool,
    _finishing(
        "--drop-specks", help="Drop pieces smaller than a fiftieth of an object's largest one."
    ),
]
HolesOption = Annotated[
    bool, _finishing("--fill-holes", help="Fill holes smaller than a tenth of the objects.")
]
GrowOption = Annotated[
    int,
    _finishing(
        metavar="N", min=0, max=200, help="Move outlines out by N pixels; objects never overlap."
    ),
]
ShrinkOption = Annotated[
    int,
    _finishing(metavar="N", min=0, max=200, help="Move outlines in by N pixels, after growing."),
]
ChokeOption = Annotated[
    int,
    _finishing(
        metavar="PERCENT",
        min=0,
        max=95,
        help="Make edge pixels transparent of which less than that is the object, as the fringe "
        "that a green screen leaves.",
    ),
]
FeatherOption = Annotated[
    int, _finishing(metavar="N", min=0, max=200, help="Soften edges over N pixels to either side.")
]


def bit_depth(depth: Literal["8", "16"] | None) -> Literal[8, 16] | None:
    """The number that `DepthOption` names."""
    return None if depth is None else 8 if depth == "8" else 16


def backdrop(background: str | None, *, green: bool) -> str | None:
    """What is shown behind the objects."""
    if green and background is not None:
        raise InputError("--green and --background contradict each other: give one of them")
    return "#00ff00" if green else background
