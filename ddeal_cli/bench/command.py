"""``ddeal bench``: how fast it is here, where the time goes, and how it grows."""

from collections.abc import Sequence
from enum import StrEnum
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ddeal_cli.app import app, epilog, options_in
from ddeal_cli.completion import complete_presets
from ddeal_cli.console import emit_json, say
from ddeal_cli.options import (
    CudaGraphsOption,
    Json,
    LookAheadOption,
    Quiet,
    parse_resolution,
    parse_size,
    video_there,
)
from ddeal_cli.progress import ProgressLine
from ddeal_core.errors import InputError

if TYPE_CHECKING:
    from ddeal_cli.bench.case import Case, Effort
    from ddeal_cli.bench.clip import BenchClip


# Typer takes no list of Literals.
_Precision = StrEnum("_Precision", ["float32", "bfloat16", "float16"])
_Device = StrEnum("_Device", ["auto", "cpu", "cuda", "mps"])

_OBJECTS = (1, 2, 3, 5, 7, 10, 15, 20)
_SIZES = ((240, 426), (360, 640), (480, 854), (720, 1280), (1080, 1920))
"""Height and width: 240p to 1080p."""
_MEMORY = 45  # frames of the user's own video that fill the default network's memory
_NEVER = 1e9  # seconds

_what = options_in("What is measured")
_how = options_in("How")
_out = options_in("Output")


@app.command(
    "bench",
    epilog=epilog(
        "ddeal bench",
        "ddeal bench clip.mp4 --mask first.png --resolution 300",
        "ddeal bench --preset released-resnet50 --objects 5 --against plain",
        "ddeal bench --growth objects --picture growth.png -o growth.json",
        "ddeal bench --compare before.json after.json",
        notes=("Nothing else should run meanwhile; the result says how busy others were.",),
    ),
)
def bench(
    video: Annotated[
        str | None,
        typer.Argument(
            metavar="VIDEO",
            callback=video_there,
            help="Your own video, with --mask. Default: the sample clip.",
        ),
    ] = None,
    mask: Annotated[
        Path | None,
        typer.Option("--mask", "-m", metavar="FILE", help="Mask of VIDEO's first frame."),
    ] = None,
    weights: Annotated[
        list[Path] | None,
        _what(
            "--weights",
            "-w",
            metavar="FILE",
            help="Weights (.safetensors); repeatable. Default: the bundled ones.",
        ),
    ] = None,
    preset: Annotated[
        list[str] | None,
        _what(
            metavar="NAME",
            autocompletion=complete_presets,
            help="A preset with random weights, such as released-resnet50; repeatable.",
        ),
    ] = None,
    size: Annotated[
        list[str] | None,
        _what(
            metavar="WxH", help="Width and height of the sample clip; repeatable. Default: 854x480."
        ),
    ] = None,
    objects: Annotated[
        list[int] | None,
        _what(metavar="N", help="Objects in the sample clip; repeatable. Default: 1 and 3."),
    ] = None,
    resolution: Annotated[
        str | None,
        _what(
            metavar="N|native",
            help="Short side in pixels that the network sees. Default: what it was made for; "
            "native with --growth size.",
        ),
    ] = None,
    precision: Annotated[
        list[_Precision] | None,
        _what(help="Precision of the convolutions; repeatable. Default: float32."),
    ] = None,
    device: Annotated[
        list[_Device] | None,
        _what(help="Where to compute; repeatable. Default: auto, a GPU if there is one."),
    ] = None,
    threads: Annotated[
        list[int] | None,
        _what(
            metavar="N", help="Threads of torch on the CPU; repeatable. Default: torch's choice."
        ),
    ] = None,
    look_ahead: LookAheadOption = 1,
    cuda_graphs: CudaGraphsOption = False,
    against: Annotated[
        Literal["plain"] | None,
        _what(
            help="Time the plain network too, in the structure of the authors' code: eager "
            "float32, one object after the other; same weights, same frames, in turns."
        ),
    ] = None,
    growth: Annotated[
        Literal["objects", "size", "length"] | None,
        _what(
            help="Time and memory against 1 to 20 objects, 240p to 1080p, or 100 to 5,000 frames."
        ),
    ] = None,
    compare: Annotated[
        tuple[Path, Path] | None,
        _what(
            metavar="A.json B.json",
            help="Measure nothing: set two files that -o wrote side by side.",
        ),
    ] = None,
    frames: Annotated[
        int | None,
        _how(
            min=1,
            metavar="N",
            help="Measured frames of each pass. Default: 24; 5000 with --growth length.",
        ),
    ] = None,
    warm_up: Annotated[
        int | None,
        _how(
            min=1,
            metavar="N",
            help="Frames before them, whose time is told apart. Default: 2, or until the network's "
            "memory is as full as in a long video.",
        ),
    ] = None,
    limit: Annotated[
        float | None,
        _how(
            metavar="SECONDS",
            help="A pass ends after this time, with three frames at least. Default: 20; "
            "none with --growth length.",
        ),
    ] = None,
    write: Annotated[
        Literal["masks", "mp4", "mov", "webm"],
        _how(help="What the whole command writes, to a temporary folder."),
    ] = "masks",
    output: Annotated[
        Path | None,
        _out(
            "--output",
            "-o",
            metavar="FILE.json",
            help="Keep the figures; a file of that name is replaced.",
        ),
    ] = None,
    picture: Annotated[
        Path | None,
        _out(metavar="FILE.png", help="Draw the stages and the roofline, or the growth."),
    ] = None,
    quiet: Quiet = False,
    json_: Json = False,
) -> None:
    """Measure speed and memory: the model, every stage, the whole command."""
    from ddeal_cli.bench.case import Case, Effort, NetworkChoice
    from ddeal_cli.bench.clip import BenchClip
    from ddeal_cli.bench.record import compare_records, read_record, write_record
    from ddeal_cli.bench.tables import show_comparison, show_record

    if compare is not None:
        if output is not None or picture is not None:
            raise InputError("--compare writes nothing: leave -o and --picture out")
        first, second = (read_record(path) for path in compare)
        rows = compare_records(first, second)
        same = first["machine"] == second["machine"]
        show_comparison(rows, names=compare, same=same, json_=json_)
        return
    _check_endings(output, picture)
    if video is not None and (size or objects or growth in ("objects", "size")):
        raise InputError(
            "a video of your own has its size, and its mask its objects: leave --size, --objects "
            "and their growth out"
        )
    if against and growth:
        raise InputError("--against belongs to a bench without --growth")
    long = growth == "length"
    frames = frames or (5000 if long else 24)
    if limit is None:
        limit = _NEVER if long else 20.0
    effort = Effort(min(frames, 24) if long else frames, warm_up, limit)
    clip = _own_clip(video, mask, effort)
    chosen = [NetworkChoice.of_weights(path) for path in weights or ()]
    chosen += [NetworkChoice.of_preset(name) for name in preset or ()]
    sizes: Sequence[tuple[int, int]] = [parse_size(word) for word in size or ["854x480"]]
    counts: Sequence[int] = objects or ([1] if growth else [1, 3])
    if clip is not None:
        sizes, counts = [clip.size], [clip.objects]
    elif growth == "objects":
        counts = objects or _OBJECTS
    elif growth == "size" and not size:
        sizes = _SIZES
    if clip is None:
        for height_width, count in product(sizes, counts):
            BenchClip.check(height_width, count)
    import torch

    from ddeal_core.tracking import resolve_device

    seen = parse_resolution("native" if growth == "size" and resolution is None else resolution)
    grid: Any = product(
        chosen or [NetworkChoice.of_weights(None)],
        device or [_Device.auto],
        precision or [_Precision.float32],
        threads or [torch.get_num_threads()],
        sizes,
        counts,
    )
    cases = [
        Case(
            subject,
            height_width,
            count,
            precision=kind.value,
            device=resolve_device(where.value).type,  # type: ignore[arg-type]
            threads=number,
            resolution=seen,
            look_ahead=look_ahead,
            cuda_graphs=cuda_graphs,
        )
        for subject, where, kind, number, height_width, count in grid
    ]
    record = _measure(
        cases,
        effort,
        clip=clip,
        growth=growth,
        frames=frames,
        against=against is not None,
        write=write,
        quiet=quiet,
    )
    show_record(record, json_=json_, quiet=quiet)  # first: an output may fail
    if output is not None:
        write_record(record, output)
    if picture is not None:
        from ddeal_cli.bench.pictures import draw_record

        draw_record(record, picture)
    for path in (output, picture):
        if path is not None:
            say(f"wrote {path}", quiet=quiet)
    if json_:
        emit_json(record)


def _own_clip(video: str | None, mask: Path | None, effort: "Effort") -> "BenchClip | None":
    """The user's own video with its mask, or None for the sample clip."""
    from ddeal_cli.bench.clip import BenchClip

    if video is None:
        if mask is not None:
            raise InputError("--mask belongs to a video: name the VIDEO too")
        return None
    if mask is None:
        raise InputError("a video of your own needs --mask, the mask of its first frame")
    return BenchClip.read(video, mask, frames=effort.frames + (effort.warm_up or _MEMORY) + 2)


def _measure(
    cases: "Sequence[Case]",
    effort: "Effort",
    *,
    clip: "BenchClip | None",
    growth: str | None,
    frames: int,
    against: bool,
    write: str,
    quiet: bool,
) -> dict[str, Any]:
    from ddeal_cli.bench.grid import PASSES, measure_grid, measure_length
    from ddeal_cli.bench.machine import CompetingLoad
    from ddeal_cli.bench.record import new_record

    passes = 1 if growth else PASSES + against
    settled = [effort.settled(case.subject.config, look_ahead=case.look_ahead) for case in cases]
    total = sum(passes * (one.before + one.frames) for one in settled)
    if growth == "length":
        total = frames * len(cases)
    elif not growth:
        total += len(cases)  # the frame that is counted
    others = CompetingLoad()
    with ProgressLine("bench", total=total, quiet=quiet) as line:

        def tell(what: str, count: int) -> None:
            for _ in range(count):
                line.advance(note=what)

        if growth == "length":
            done = [
                mark
                for case in cases
                for mark in measure_length(case, frames, clip=clip, limit=effort.limit, tell=tell)
            ]
        else:
            measured = measure_grid(
                cases,
                effort,
                clip=clip,
                model_only=growth is not None,
                against=against,
                output=write,
                tell=tell,
            )
            done = list(measured)
    settings = {
        "frames": frames,
        "limit_seconds": None if effort.limit >= _NEVER else effort.limit,
        "against": "plain" if against else None,
    }
    kind = f"growth {growth}" if growth else "speed"
    return new_record(kind, done, settings, others=others.share())


def _check_endings(output: Path | None, picture: Path | None) -> None:
    for path, ending, option in ((output, ".json", "-o"), (picture, ".png", "--picture")):
        if path is not None and path.suffix.lower() != ending:
            raise InputError(f"{option} names a {ending} file, not {path}")
        if path is not None and path.is_dir():
            raise InputError(f"{path} is a folder: name a {ending} file")
