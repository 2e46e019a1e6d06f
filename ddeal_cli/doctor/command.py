"""``ddeal doctor``: is everything there, and does it work?"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from ddeal_cli.app import app, epilog
from ddeal_cli.console import emit_json, say
from ddeal_cli.options import Json

if TYPE_CHECKING:
    from ddeal_cli.doctor.checks import Finding


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
    from ddeal_cli.doctor.checks import check_codecs, check_machine, check_packages, check_places
    from ddeal_cli.doctor.self_test import check_by_running

    checks: dict[str, Callable[[], Iterable[Finding]]] = {
        "versions": check_packages,
        "machine": check_machine,
        "codecs": check_codecs,
        "files": check_places,
    }
    if not no_test:
        checks["self-test"] = check_by_running

    def tell(line: str) -> None:
        if not json_:
            typer.echo(line)

    sections: dict[str, dict[str, dict[str, str]]] = {}
    faults: list[Finding] = []
    for title, check in checks.items():
        sections[title] = {}
        tell(title)
        for finding in examine(check, title=title):
            sections[title][finding.name] = finding.to_dict()
            tell(finding.to_text())
            if finding.state == "broken":
                faults.append(finding)
        tell("")
    if json_:
        emit_json({"ok": not faults, **sections})
    elif not faults:
        tell("all fine")
    for fault in faults:
        line = f"broken: {fault.name}: {fault.advice}"
        tell(line)
        if json_:
            say(line)
    if faults:
        raise typer.Exit(1)


def examine(check: "Callable[[], Iterable[Finding]]", *, title: str) -> "Iterator[Finding]":
    """Run a check.

    Yields:
        What is found, as it is found, without personal names. A check that fails in a way it did
        not foresee is a finding, too.
    """
    from ddeal_cli.doctor.checks import Finding, without_personal_names

    try:
        for one in check():
            value, advice = without_personal_names(one.value), without_personal_names(one.advice)
            yield replace(one, value=value, advice=advice)
    except Exception as error:  # whatever is wrong shall be reported, not raised
        value = without_personal_names(f"{type(error).__name__}: {error}")
        yield Finding(title, value, "broken", "report this with all lines above")
