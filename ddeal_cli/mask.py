"""``ddeal mask``: the first mask, made here."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ddeal_cli import hint_options
from ddeal_cli.app import app
from ddeal_cli.console import emit_json, say
from ddeal_cli.options import Json, Overwrite, Quiet, video_there
from ddeal_core.errors import InputError

if TYPE_CHECKING:
    from ddeal_core.media import Mask


@app.command(
    "mask",
    epilog="Example: ddeal mask clip.mp4 --box 420,130,180,300 -o first.png --preview first.jpg",
)
def mask(
    video: Annotated[
        str,
        typer.Argument(
            metavar="VIDEO",
            callback=video_there,
            help="Video, folder of images, pattern, or one image; also live.",
        ),
    ],
    box: hint_options.BoxOption = None,
    point: hint_options.PointOption = None,
    not_point: hint_options.NotPointOption = None,
    scribble: hint_options.ScribbleOption = None,
    method: hint_options.MethodOption = "network",
    given: Annotated[
        Path | None,
        typer.Option(
            "--mask",
            "-m",
            metavar="FILE",
            help="A mask to mend: its objects that have hints get a new outline near the old one; "
            "without any hint, all of them do.",
        ),
    ] = None,
    frame: Annotated[
        int | None,
        typer.Option("--frame", "--at", metavar="N", help="Frame, counted from 0. Default: 0."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="PNG",
            help="The mask, an indexed PNG. Default: <video's name>_mask.png here.",
            rich_help_panel="Output",
        ),
    ] = None,
    preview: Annotated[
        Path | None,
        typer.Option(
            metavar="IMAGE",
            help="Also a picture (.jpg or .png) of the outline and the hints over the frame.",
            rich_help_panel="Output",
        ),
    ] = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    json_: Json = False,
) -> None:
    """Make the mask of a frame from boxes, points or strokes, or mend one."""
    from ddeal_core.batch import default_folder
    from ddeal_core.interaction import image_at, mask_from_hints
    from ddeal_core.interaction import preview as draw
    from ddeal_core.media import open_source, read_mask, write_mask, write_picture

    name = default_folder(video).name.removesuffix("_masks")
    target = output or Path(f"{name}_mask.png")
    _check_outputs(target, preview, given, scribble, overwrite=overwrite)
    if frame is not None and frame < 0:
        raise InputError(f"frames are counted from 0: there is no frame {frame}")
    begun = time.monotonic()
    with open_source(video, start=frame) as source:
        height, width = source.info.size
        old = None if given is None else read_mask(given, size=source.info.size)
        if old is not None:
            say(f"mask: {old.understood}", quiet=quiet)
        hints = hint_options.hints_of(
            box,
            point,
            not_point,
            scribble,
            size=source.info.size,
            known=() if old is None else old.object_ids,
        )
        if not hints and old is None:
            raise InputError(
                "where is the object? Give a --box x,y,width,height, a --point x,y on it, or a "
                "--scribble"
            )
        image = image_at(source)
        made = mask_from_hints(image, hints, old, method=method)
    write_mask(target, made.labels)
    say(f"mask: {made.understood}", quiet=quiet)
    say(f"wrote {target}", quiet=quiet)
    if preview is not None:
        write_picture(preview, draw(image, made.labels, hints))
        say(f"wrote {preview}", quiet=quiet)
    if json_:
        emit_json(
            {
                "video": video,
                "frame": frame or 0,
                "width": width,
                "height": height,
                "objects": _objects(made),
                "output": str(target),
                "preview": None if preview is None else str(preview),
                "seconds": round(time.monotonic() - begun, 3),
            }
        )


def _check_outputs(
    target: Path,
    preview: Path | None,
    given: Path | None,
    scribble: Path | None,
    *,
    overwrite: bool,
) -> None:
    if target.suffix.lower() != ".png":
        raise InputError(f"a mask is an indexed PNG: name it with .png, not {target.name!r}")
    if preview is not None and preview.suffix.lower() not in (".jpg", ".jpeg", ".png"):
        raise InputError(f"a preview ends in .jpg or .png, not {preview.name!r}")
    if preview is not None and preview.resolve() == target.resolve():
        raise InputError(f"{target} is named twice as an output: give each its own name")
    for path in (target, preview):
        if path is None:
            continue
        if path.is_dir():
            raise InputError(f"{path} is a folder: name a file")
        if scribble is not None and path.resolve() == scribble.resolve():
            raise InputError(f"{path} holds the strokes: write the output somewhere else")
        if path is preview and given is not None and path.resolve() == given.resolve():
            raise InputError(f"{path} holds the mask to mend: write the preview somewhere else")
        if path.exists() and not overwrite:
            raise InputError(f"{path} exists", remedy="overwrite")


def _objects(mask: "Mask") -> list[dict[str, object]]:
    import cv2

    found: list[dict[str, object]] = []
    for number in mask.object_ids:
        alone = mask.labels == number
        found.append(
            {
                "id": number,
                "box": list(cv2.boundingRect(alone.view("uint8"))),
                "pixels": int(alone.sum()),
            }
        )
    return found
