"""``ddeal doctor``: is everything there, and does it work?"""

from typing import Annotated

import typer

from ddeal_cli.console import emit_json, say
from ddeal_cli.help_pages import epilog
from ddeal_cli.options import Json

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        "doctor",
        epilog=epilog(
            "ddeal doctor",
            "ddeal doctor --json",
            notes=(
                "Exit status: 0 all fine, 1 something is broken; its last lines say what to do.",
                "The report holds no names: the home folder is shown as ~.",
            ),
        ),
    )(doctor)


def doctor(
    no_test: Annotated[
        bool, typer.Option("--no-test", help="Look only: leave the self-test out.")
    ] = False,
    json_: Json = False,
) -> None:
    """Check that all that ddeal needs is there and works; for bug reports."""
    from ddeal_cli.doctor.examination import CHECKS, examine
    from ddeal_cli.doctor.report import broken, to_json, to_text

    checks = {name: check for name, check in CHECKS.items() if name != "self-test" or not no_test}
    sections = {}
    for title, found in examine(checks):
        sections[title] = found
        if not json_:
            typer.echo(to_text(title, found) + "\n")
    faults = broken(sections)
    if json_:
        emit_json(to_json(sections))
    elif not faults:
        typer.echo("all fine")
    for fault in faults:
        line = f"broken: {fault.name}: {fault.advice}"
        if json_:
            say(line)
        else:
            typer.echo(line)
    if faults:
        raise typer.Exit(1)
