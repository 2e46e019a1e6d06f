"""``ddeal verify``: are results whole, and as they were written?"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ddeal_cli.app import app
from ddeal_cli.console import emit_json, one_line, say
from ddeal_cli.options import Json, Quiet
from ddeal_cli.progress import ProgressLine

if TYPE_CHECKING:
    from ddeal_core.media import Verdict

_PROBLEMS_TOLD = 8


@app.command("verify", epilog="Example: ddeal verify clip_masks cutout.mov")
def verify(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="PATH...",
            help="Outputs: folders and files that ddeal wrote, or folders with such in them.",
        ),
    ],
    quiet: Quiet = False,
    json_: Json = False,
) -> None:
    """Read results again and say whether they are whole.

    Each is held against the manifest beside it: missing files, changed ones, and images that do
    not belong there. Exit code 1 if one is not whole.
    """
    from ddeal_core.media import outputs_at
    from ddeal_core.media import verify as check

    outputs = list(dict.fromkeys(output for path in paths for output in outputs_at(path)))
    verdicts = []
    with ProgressLine("verify", total=len(outputs), unit="outputs", quiet=quiet) as line:
        for output in outputs:
            verdicts.append(check(output))
            line.advance()
    if json_:
        emit_json({"whole": all(v.whole for v in verdicts), "outputs": [*map(_record, verdicts)]})
    else:
        for verdict in verdicts:
            _tell(verdict, quiet=quiet)
    if not all(verdict.whole for verdict in verdicts):
        raise typer.Exit(1)


def _tell(verdict: "Verdict", *, quiet: bool) -> None:
    name = one_line(verdict.path)
    if verdict.whole:
        if not quiet:
            typer.echo(f"{name}: whole, {verdict.frames} frames, {verdict.size / 1e6:.1f} MB")
        return
    told = [one_line(problem) for problem in verdict.problems[:_PROBLEMS_TOLD]]
    more = len(verdict.problems) - len(told)
    typer.echo(f"{name}: NOT WHOLE: " + "; ".join(told) + (f"; and {more} more" if more else ""))
    say(f"{name} is not whole: make it again with --overwrite", quiet=quiet)


def _record(verdict: "Verdict") -> dict[str, object]:
    return {
        "path": str(verdict.path),
        "whole": verdict.whole,
        "frames": verdict.frames,
        "bytes": verdict.size,
        "problems": list(verdict.problems),
    }
