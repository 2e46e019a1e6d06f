"""``ddeal segment``: cut objects out of a video."""

import re
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any, Literal

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
from ddeal_cli.resuming import Resume, ctrl_c, telling_what_is_kept
from ddeal_cli.segment_many import (
    EngineOption,
    JobsOption,
    MaskDirOption,
    many_meant,
    segment_many,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ddeal_core.media import FrameSource, Mask, ResultWriter
    from ddeal_core.tracking import Journal, Result, Segmenter

__all__ = ["Summary", "cut_out", "register", "tell_masks"]

Format = Literal["masks", "mattes", "rgba", "coco", "alpha", "overlay", "matte", "background"]


_MASKS_TOLD = 12
_OF_OUTPUTS = ("kind", "background", "hard", "sound")


@dataclass(frozen=True, slots=True)
class Summary:
    """What a run did.

    Attributes:
        frames: How many the outputs hold.
        seconds: From the first frame read to the last output closed, without what took up an
            earlier run; 0 where nothing was left to do.
        restored: Frames of an earlier run.
    """

    frames: int
    seconds: float
    restored: int = 0

    @property
    def frame_rate(self) -> float:
        """New frames a second."""
        return (self.frames - self.restored) / max(self.seconds, 1e-9)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        "segment",
        epilog="Example: ddeal segment clip.mp4 --mask first.png -o masks -o cutout.mov "
        "-o overlay.mp4",
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
    weights: WeightsOption = None,
    device: DeviceOption = "auto",
    resolution: ResolutionOption = None,
    precision: PrecisionOption = "float32",
    without: WithoutOption = None,
    jobs: JobsOption = None,
    engine: EngineOption = "local",
    quiet: Quiet = False,
    json_: Json = False,
) -> None:
    """Cut objects out of videos, given their masks on the first frame."""
    from ddeal_core.batch import default_folder, find_videos
    from ddeal_core.errors import InputError
    from ddeal_core.media import mask_files, open_outputs, open_source, read_manifest, read_masks
    from ddeal_core.media.outputs import abandon_all

    if green and background is not None:
        raise InputError("--green and --background contradict each other: give one of them")
    masks_given, outputs_given = mask or [], output or []
    network: dict[str, Any] = {
        "weights": weights,
        "device": device,
        "resolution": parse_resolution(resolution),
        "precision": precision,
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
        "resume": resume,
    }
    named, many = find_videos(videos)
    if many_meant(many, masks_given, outputs_given, mask_dir=mask_dir, engine=engine):
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
    from ddeal_core.tracking import Segmenter, all_whole, open_journal

    video = named[0]
    if not mask:
        raise InputError("Missing option '--mask' / '-m'. (--help tells more)")
    with open_source(video, start=start, end=end) as source:
        masks = read_masks(mask, source=source, objects=cutting["objects"])
        tell_masks(masks, source, quiet=quiet)
        writers = open_outputs(
            output or [default_folder(video)],
            source=source,
            **{name: cutting[name] for name in _OF_OUTPUTS},
            overwrite=True,  # asked below, where an unfinished run is known of
            keep=mask_files(mask, source=source).values(),
        )
        segmenter = Segmenter.load(**network)
        if resume and all_whole(segmenter, source, masks, writers):
            abandon_all(writers)
            say("every output is whole already: nothing is left to do", quiet=quiet)
            summary = Summary(len(read_manifest(writers[0].path).frames), 0.0)
        else:
            journal = open_journal(
                segmenter, source, masks, writers, resume=resume, overwrite=overwrite
            )
            summary = cut_out(segmenter, source, masks, writers, quiet=quiet, journal=journal)
            for writer in writers:
                say(f"wrote {writer.path}", quiet=quiet)
        height, width = source.size
    if summary.seconds:
        kept = f", {summary.restored} of them kept from before" if summary.restored else ""
        say(
            f"{summary.frames} frames of {width}x{height}{kept} in {summary.seconds:.1f} s: "
            f"{summary.frame_rate:.1f} frames/s on {segmenter.device}",
            quiet=quiet,
        )
    if json_:
        emit_json(
            {
                "video": video,
                "frames": summary.frames,
                "restored": summary.restored,
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
    if not re.fullmatch(r"\s*[0-9]+(\s*,\s*[0-9]+)*\s*", text):
        raise InputError(f"--objects takes ids with commas between them, as in 1,38, not {text!r}")
    return tuple(sorted({int(part) for part in text.split(",")}))


def cut_out(
    segmenter: "Segmenter",
    source: "FrameSource",
    masks: "Mapping[int, Mask]",
    writers: "Sequence[ResultWriter]",
    *,
    quiet: bool = False,
    watch: "Callable[[Result], None] | None" = None,
    journal: "Journal | None" = None,
) -> Summary:
    """Run a video through the network into its outputs, with a progress bar.

    Args:
        segmenter: The network.
        source: The video.
        masks: Masks by frame.
        writers: Outputs; they are finished when this returns.
        quiet: Show nothing.
        watch: Called with each frame's result.
        journal: See `segment_video`.
    """
    from ddeal_core.tracking import segment_video

    frames = 0
    restored = 0 if journal is None else journal.done
    with telling_what_is_kept(journal), ctrl_c(source) as stop:
        steps = segment_video(segmenter, source, masks, writers, journal=journal, stop=stop.is_set)
        with closing(steps):
            if restored:
                say(f"{restored} frames are kept from before", quiet=quiet)
                with ProgressLine("take up", total=restored, quiet=quiet) as line:
                    for step in islice(steps, restored):
                        frames = step.done
                        if watch is not None:
                            watch(step.result)
                        line.advance()
            with ProgressLine(
                "segment", total=source.frame_count, quiet=quiet, begun=restored
            ) as line:
                for step in steps:
                    frames = step.done
                    if watch is not None:
                        watch(step.result)
                    line.advance()
                return Summary(frames, line.seconds, restored)
