"""``ddeal make-synthetic``: training clips made of stills, or of nothing."""

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ddeal_cli.app import app, epilog
from ddeal_cli.console import emit_json, say
from ddeal_cli.material import (
    BackgroundsOption,
    CocoOption,
    CutoutsOption,
    Material,
    MovingOption,
    StillsOption,
)
from ddeal_cli.options import Json, Overwrite, Quiet, parse_size
from ddeal_cli.progress import ProgressLine
from ddeal_core.errors import ConfigError, InputError

if TYPE_CHECKING:
    from ddeal_core.datasets import Clip, SyntheticClips, SyntheticConfig

OptionValues = Annotated[
    list[str] | None,
    typer.Option(
        "--option",
        metavar="NAME=VALUE",
        help="Set a switch of the engine, such as speed=0.01,0.1 or degradation.noise_sigma=5; "
        "make-synthetic --options lists them; repeatable.",
        rich_help_panel="Material of synthetic clips",
    ),
]


@app.command(
    "make-synthetic",
    epilog=epilog(
        "ddeal make-synthetic clips",
        "ddeal make-synthetic clips --clips 20 --size 854x480 --stills photos",
        "ddeal make-synthetic clips --option degradation.noise_sigma=5",
        "ddeal make-synthetic --options",
    ),
)
def make_synthetic(
    output: Annotated[
        Path | None, typer.Argument(metavar="OUT", help="Folder to write, in the layout of DAVIS.")
    ] = None,
    clips: Annotated[int, typer.Option(min=1, metavar="N", help="Clips to make.")] = 10,
    frames: Annotated[int, typer.Option(min=1, metavar="T", help="Frames a clip.")] = 8,
    size: Annotated[
        str, typer.Option(metavar="WxH", help="Width and height in pixels.")
    ] = "432x240",
    objects: Annotated[
        int | None, typer.Option(metavar="N", help="Most objects a clip, 1 to 20.")
    ] = None,
    seed: Annotated[
        int, typer.Option(min=0, metavar="N", help="Same seed, same material: same bytes.")
    ] = 0,
    image_set: Annotated[
        str, typer.Option("--set", metavar="NAME", help="List below ImageSets to add them to.")
    ] = "train",
    stills: StillsOption = None,
    coco: CocoOption = None,
    cutouts: CutoutsOption = None,
    backgrounds: BackgroundsOption = None,
    moving: MovingOption = None,
    option: OptionValues = None,
    show_options: Annotated[
        bool,
        typer.Option(
            "--options",
            help="List the engine's switches with their values, and leave.",
            rich_help_panel="Material of synthetic clips",
        ),
    ] = False,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    json_: Json = False,
) -> None:
    """Make clips with masks: objects in motion, pasted or moved within their own photograph.

    With no material named, shapes and textures are made up too.
    """
    config = read_options(option, objects=objects)
    if show_options:
        for name, value in _listed(config):
            typer.echo(f"{name}={value}")
        return
    if output is None:
        raise InputError("name the folder to write, as in: ddeal make-synthetic clips")
    from ddeal_core.datasets import SyntheticClips
    from ddeal_core.datasets.export import export_clips

    material = Material.of(stills, coco, cutouts, backgrounds, moving)
    engine = SyntheticClips(
        config, material.open(), size=parse_size(size, clips=True), frames=frames, seed=seed
    )
    names = []
    with ProgressLine("make", total=clips, unit="clips", quiet=quiet) as line:
        made = _numbered(engine, clips)
        for name in export_clips(made, output, image_set=image_set, overwrite=overwrite):
            names.append(name)
            line.advance()
    say(f"wrote {len(names)} clips of {frames} frames to {output}", quiet=quiet)
    if json_:
        emit_json({"output": str(output), "sequences": names, "frames": frames, "seed": seed})


def read_options(words: Sequence[str] | None, *, objects: int | None = None) -> "SyntheticConfig":
    """Turn ``name=value`` words into the engine's configuration."""
    from ddeal_core.datasets import SyntheticConfig

    config = SyntheticConfig()
    if objects is not None:
        config = dataclasses.replace(config, max_objects=objects)
    for word in words or ():
        name, sign, text = word.partition("=")
        if not sign:
            raise ConfigError(f"--option is NAME=VALUE, such as max_objects=2, not {word!r}")
        if name.startswith("degradation."):
            inner = name.removeprefix("degradation.")
            degradation = _replaced(config.degradation, inner, text)
            config = dataclasses.replace(config, degradation=degradation)
        else:
            config = _replaced(config, name, text)
    return config


def _replaced(record: Any, name: str, text: str) -> Any:
    known = {f.name: getattr(record, f.name) for f in dataclasses.fields(record)}
    if name not in known or dataclasses.is_dataclass(known[name]):
        raise ConfigError(f"the engine has no switch {name!r}: --options lists them")
    old = known[name]
    try:
        value: Any
        if isinstance(old, tuple):
            value = tuple(float(part) for part in text.split(","))
        else:
            value = type(old)(text)
    except ValueError:
        kind = "two numbers with a comma" if isinstance(old, tuple) else "a number"
        raise ConfigError(f"{name} is {kind}, such as {_text(old)}, not {text!r}") from None
    return dataclasses.replace(record, **{name: value})


def _listed(record: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    for item in dataclasses.fields(record):
        value = getattr(record, item.name)
        if dataclasses.is_dataclass(value):
            yield from _listed(value, f"{prefix}{item.name}.")
        else:
            yield f"{prefix}{item.name}", _text(value)


def _text(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _numbered(engine: "SyntheticClips", count: int) -> "Iterable[tuple[str, Clip]]":
    return ((f"synthetic_{number:05d}", engine.clip(number)) for number in range(count))
