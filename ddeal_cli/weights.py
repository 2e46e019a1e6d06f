"""``ddeal weights``: look into weights, and convert the authors'."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ddeal_cli.app import Program, app, epilog, show_help
from ddeal_cli.console import emit_json, one_line, say
from ddeal_cli.options import Json, Overwrite
from ddeal_core.errors import InputError

if TYPE_CHECKING:
    from ddeal_core.weights import Checkpoint

group = typer.Typer(
    cls=Program, help="Look into weights, and convert the authors'.", no_args_is_help=False
)
group.callback(invoke_without_command=True)(show_help)
app.add_typer(group, name="weights")


@group.command(epilog=epilog("ddeal weights convert resnet101s16.pth.tar -o authors.safetensors"))
def convert(
    checkpoint: Annotated[
        Path, typer.Argument(help="The authors' checkpoint, *.pth.tar.", metavar="AUTHORS.pth.tar")
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE.safetensors",
            help="File to write.",
            rich_help_panel="Output",
        ),
    ],
    half: Annotated[
        bool,
        typer.Option(
            "--half", help="Store half precision: half the size.", rich_help_panel="Output"
        ),
    ] = False,
    overwrite: Overwrite = False,
    json_: Json = False,
) -> None:
    """Convert the authors' checkpoint; no code in the file is ever run."""
    from ddeal_core.weights.bundled import weights_file

    if output.suffix != ".safetensors":
        raise InputError(f"weights files end in .safetensors, not {output.name}")
    if output.exists() and not overwrite:
        raise InputError(f"{output} exists", remedy="overwrite")
    weights_file(checkpoint)

    from ddeal_core.weights import Checkpoint, read_released, save_checkpoint

    config, state = read_released(checkpoint)
    converted = Checkpoint(config, state, {"converted_from": checkpoint.name})
    save_checkpoint(converted, output, half=half)
    say(f"wrote {output}: {config.preset}, {output.stat().st_size / 1e6:.1f} MB")
    if json_:
        emit_json(_record(output, converted))


@group.command(epilog=epilog("ddeal weights info", "ddeal weights info best.safetensors --json"))
def info(
    file: Annotated[
        Path | None, typer.Argument(help="Weights; the bundled ones if left out.", metavar="FILE")
    ] = None,
    json_: Json = False,
) -> None:
    """Show what a weights file holds: network, origin, parameters, size."""
    from ddeal_core.weights.bundled import weights_file

    path = weights_file(file)

    from ddeal_core.weights import load_checkpoint

    record = _record(path, load_checkpoint(path))
    if json_:
        emit_json(record)
        return
    typer.echo(f"file         {one_line(record['file'])}")
    typer.echo(f"size         {record['bytes'] / 1e6:.1f} MB")
    typer.echo(f"parameters   {record['parameters'] / 1e6:.2f} million")
    for title in ("config", "provenance"):
        typer.echo(title)
        for name, value in record[title].items():
            typer.echo(f"  {one_line(name)}: {one_line(_short(value))}")


def _record(path: Path, checkpoint: "Checkpoint") -> dict[str, Any]:
    floats = (t.numel() for t in checkpoint.state.values() if t.is_floating_point())
    return {
        "file": str(path),
        "bytes": path.stat().st_size,
        "parameters": sum(floats),
        "config": checkpoint.config.to_dict(),
        "provenance": checkpoint.provenance,
    }


def _short(value: object, depth: int = 6) -> str:
    if isinstance(value, dict | list | tuple) and not depth:
        return "..."
    if isinstance(value, dict):
        return ", ".join(f"{name}={_short(inner, depth - 1)}" for name, inner in value.items())
    if isinstance(value, list | tuple):
        return " ".join(_short(inner, depth - 1) for inner in value)
    return str(value)
