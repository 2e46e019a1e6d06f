"""How help looks: commands in the order in which they are used, examples line by line."""

from typing import Any

from typer.core import TyperGroup

__all__ = ["Program", "epilog"]

_PANELS = {
    "From a video to a cut-out": ("demo", "mask", "annotate", "segment", "verify"),
    "Measure": ("eval", "bench"),
    "Train": ("train", "pack-data", "make-synthetic", "weights", "export"),
    "This machine": ("doctor",),
}
_PANEL_OF = {name: panel for panel, names in _PANELS.items() for name in names}
_ORDER = list(_PANEL_OF)


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


def _without_bool(parameters: Any) -> Any:
    """Take the word "bool" off flags: it would read as if they took a value."""
    for parameter in parameters:
        if getattr(parameter, "is_flag", False) and parameter.metavar is None:
            parameter.metavar = ""
    return parameters
