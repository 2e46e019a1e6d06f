"""``ddeal doctor``: is everything there, and does it work?"""

from typing import TYPE_CHECKING, Annotated

import typer

from ddeal_cli.app import app, epilog
from ddeal_cli.console import emit_json, say
from ddeal_cli.options import Json

if TYPE_CHECKING:
    from ddeal_cli.doctor.finding import Finding


@app.command(
    "doctor",
    epilog=epilog(
        "ddeal doctor",
        "ddeal doctor --json",
        notes=(
            "Exit status: 0 all fine, 1 something is broken; its last lines say what to do.",
            "The report holds no names: the home folder is shown as ~.",
        ),
    ),
)
def doctor(
    no_test: Annotated[
        bool, typer.Option("--no-test", help="Look only: leave the self-test out.")
    ] = False,
    json_: Json = False,
) -> None:
    """Check that all that ddeal needs is there and works; for bug reports."""
    from ddeal_cli.doctor.examination import CHECKS, broken, examine, to_json, to_text

    sections: dict[str, list[Finding]] = {}
    for title, check in CHECKS.items():
        if title == "self-test" and no_test:
            continue
        sections[title] = []
        if not json_:
            typer.echo(title)
        for finding in examine(check, title=title):
            sections[title].append(finding)
            if not json_:
                typer.echo(to_text(finding))
        if not json_:
            typer.echo("")
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
