"""The program that commands are added to, and its help: panels, examples line by line."""

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

_PANELS = {
    "From a video to a cut-out": ("demo", "mask", "annotate", "segment", "verify"),
    "Measure": ("eval", "bench"),
    "Train": ("train", "pack-data", "make-synthetic", "weights", "export"),
    "This machine": ("doctor",),
}
_PANEL_OF = {name: panel for panel, names in _PANELS.items() for name in names}
_ORDER = [*_PANEL_OF, "render", "eval-first-mask"]


class Program(TyperGroup):
    """Commands in panels; those that no panel names come last, in one of Typer's."""

    def get_params(self, ctx: Any) -> Any:
        """Its own options."""
        return _without_bool(super().get_params(ctx))

    def list_commands(self, ctx: Any) -> list[str]:
        """Names in the order of the panels."""
        names = super().list_commands(ctx)
        return sorted(names, key=lambda name: _ORDER.index(name) if name in _ORDER else len(_ORDER))

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Find a command, and give it its panel."""
        command: Any = super().get_command(ctx, cmd_name)
        if command is not None:
            command.rich_help_panel = _PANEL_OF.get(cmd_name)
            _without_bool(command.get_params(ctx))
        return command


def _without_bool(parameters: Any) -> Any:
    """Take the word "bool" off flags: it would read as if they took a value."""
    for parameter in parameters:
        if getattr(parameter, "is_flag", False) and parameter.metavar is None:
            parameter.metavar = ""
    return parameters


def epilog(*examples: str, notes: tuple[str, ...] = ()) -> str:
    """Text beneath a command's options: examples, a line each, and notes behind an empty line.

    Args:
        examples: Whole commands; a test parses them.
        notes: What else is worth knowing.
    """
    head = "Example:" if len(examples) == 1 else "Examples:"
    lines = [head, *(f"  {example}" for example in examples)]
    for note in notes:
        lines += ["", note]
    # Square brackets would be markup.
    return "\n".join(lines).replace("[", r"\[")


app = typer.Typer(
    name="ddeal",
    cls=Program,
    help="Cut an object out of a video, given its mask on the first frame.",
    epilog=epilog(
        "ddeal demo",
        "ddeal segment clip.mp4 --mask first.png -o masks -o cutout.mov",
        "ddeal segment --help",
        notes=(
            "Exit status: 0 done; 1 failed, such as a full disk; 2 the input or the options are "
            "at fault; 130 interrupted. Errors are one line on standard error.",
            "Environment: CUDA_VISIBLE_DEVICES chooses GPUs, OMP_NUM_THREADS the threads on a "
            "CPU, TMPDIR the temporary folder; NO_COLOR switches colours off.",
        ),
    ),
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def options_in(panel: str) -> Callable[..., Any]:
    """Make `typer.Option` for a panel of a command's help."""
    return partial(typer.Option, rich_help_panel=panel)


def show_help(context: typer.Context) -> None:
    """Show a group's help where no command of it is named."""
    if context.invoked_subcommand is None and (text := context.get_help()):
        typer.echo(text)


def _show_version(wanted: bool) -> None:
    if not wanted:
        return
    from ddeal_core.versions import installed_version

    typer.echo(f"ddeal {installed_version('ddeal') or '(not installed)'}")
    raise typer.Exit


@app.callback(invoke_without_command=True)
def _options(
    context: typer.Context,
    _: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Show the version and leave."
        ),
    ] = False,
) -> None:
    show_help(context)
