"""``ddeal eval-first-mask``: how good first masks are, after a box and after each click."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ddeal_cli.app import app, epilog
from ddeal_cli.console import emit_json, say
from ddeal_cli.material import folder_name, read_folder
from ddeal_cli.options import Json, Quiet
from ddeal_cli.progress import ProgressLine
from ddeal_cli.tables import show_table
from ddeal_core.choices import HintMethod
from ddeal_core.errors import DatasetError, InputError

if TYPE_CHECKING:
    from ddeal_core.evaluation.first_masks import FirstMaskScore, MaskTask


@app.command(
    "eval-first-mask",
    epilog=epilog(
        "ddeal eval-first-mask DAVIS:val",
        "ddeal eval-first-mask --stills photos --method network --most 50",
        notes=(
            "The user is simulated: each click goes into the middle of the largest error. "
            "NoC is the number of clicks alone until J is 85 or 90, 20 where it never is.",
        ),
    ),
)
def evaluate_first_mask(
    datasets: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="DIR[:SET]",
            help="Video with masks, in the layout of DAVIS or YouTube-VOS: every object of the "
            "first annotated frame of each sequence.",
        ),
    ] = None,
    stills: Annotated[
        list[Path] | None,
        typer.Option(
            "--stills",
            metavar="DIR",
            help="Images with masks: the largest object of each in the tenth that training leaves "
            "out. Repeatable.",
        ),
    ] = None,
    method: Annotated[
        Literal["network", "grabcut", "both"],
        typer.Option(help="What makes the masks; both are measured one after the other."),
    ] = "both",
    weights: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Of the network. Default: those of the package."),
    ] = None,
    most: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Objects a set, evenly spread.")
    ] = None,
    each: Annotated[
        bool, typer.Option("--each", help="A row for every object before that of their mean.")
    ] = False,
    quiet: Quiet = False,
    json_: Json = False,
) -> None:
    """Measure first masks: J after a box and after clicks, and the clicks that are needed."""
    from ddeal_core.evaluation.first_masks import FirstMaskScore, answering, try_out

    if not datasets and not stills:
        raise InputError("name what to measure on: a folder of video with masks, or --stills")
    sets = dict(_sets(datasets or [], stills or [], most))
    chosen: tuple[HintMethod, ...] = ("network", "grabcut") if method == "both" else (method,)
    scores: dict[str, dict[str, FirstMaskScore]] = {}
    total = sum(len(tasks) for tasks in sets.values()) * len(chosen)
    with ProgressLine("measure", total=total, unit="objects", quiet=quiet) as line:
        for name, tasks in sets.items():
            for kind in chosen:
                answer = answering(kind, weights)
                trials = []
                for task in tasks:
                    trials.append(try_out(answer, task))
                    line.advance(note=f"{name}, {kind}")
                scores.setdefault(name, {})[kind] = FirstMaskScore(tuple(trials))
    if json_:
        emit_json({name: {k: s.to_dict() for k, s in of.items()} for name, of in scores.items()})
    show_table(_HEADER, list(_rows(scores, each=each)), stderr=json_)
    say("J and its mean over objects in percent; seconds are the median of an answer", quiet=quiet)


_HEADER = ["objects", "by", "box", *(f"+{i}" for i in range(1, 6))]
_HEADER += [*(f"click {i}" for i in range(1, 6)), "NoC 85", "NoC 90", "s"]


def _sets(
    datasets: list[str], stills: list[Path], most: int | None
) -> "Iterator[tuple[str, list[MaskTask]]]":
    from ddeal_core.datasets import Sources
    from ddeal_core.datasets.layouts import list_sequences
    from ddeal_core.evaluation.first_masks import first_frames, held_out_stills

    found: list[tuple[str, list[MaskTask]]] = []
    for text in datasets:
        folder = read_folder(text)
        found.append((folder_name(folder), list(first_frames(list_sequences(*folder)))))
    for path in stills:
        sources = Sources.from_paths(stills=[path]).stills
        found.append((path.name, list(held_out_stills(sources))))
    for name, tasks in found:
        if not tasks:
            raise DatasetError(f"{name} shows no object to measure on")
        count = min(most or len(tasks), len(tasks))
        yield name, [tasks[i * len(tasks) // count] for i in range(count)]


def _rows(scores: "dict[str, dict[str, FirstMaskScore]]", *, each: bool) -> Iterator[list[str]]:
    for name, of in scores.items():
        for kind, score in of.items():
            if each:
                for trial in score.trials:
                    yield [trial.name, kind, *_figures(replace(score, trials=(trial,)))]
            yield [f"{name} ({len(score.trials)})", kind, *_figures(score)]


def _figures(score: "FirstMaskScore") -> list[str]:
    return [
        *(f"{100 * score.box(count):.1f}" for count in range(6)),
        *(f"{100 * score.clicks(count):.1f}" for count in range(1, 6)),
        f"{score.number_of_clicks(0.85):.2f}",
        f"{score.number_of_clicks(0.9):.2f}",
        f"{score.seconds:.2f}",
    ]
