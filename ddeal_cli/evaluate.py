"""``ddeal eval``: score results, weights and baselines."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ddeal_cli.console import emit_json, say
from ddeal_cli.options import (
    DeviceOption,
    Json,
    Overwrite,
    PrecisionOption,
    Quiet,
    ResolutionOption,
    WeightsOption,
    WithoutOption,
    ablation_of,
    parse_resolution,
)
from ddeal_cli.progress import ProgressLine
from ddeal_cli.tables import show_table

if TYPE_CHECKING:
    from ddeal_core.datasets import Sequence as DatasetSequence
    from ddeal_core.evaluation import DatasetScore, SequencePlan
    from ddeal_core.evaluation.methods import Method

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        "eval",
        epilog="Example: ddeal eval DAVIS --set val --baselines -o davis_eval",
    )(evaluate)


def evaluate(
    dataset: Annotated[
        Path,
        typer.Argument(
            metavar="DATASET", help="Folder in the layout of DAVIS: JPEGImages, Annotations."
        ),
    ],
    protocol: Annotated[
        Literal["davis2016", "davis2017"],
        typer.Option(help="davis2016: one object, all that is not 0. davis2017: by object id."),
    ] = "davis2017",
    image_set: Annotated[
        str | None,
        typer.Option("--set", metavar="NAME", help="List below ImageSets; all sequences without."),
    ] = None,
    sequences: Annotated[
        str | None, typer.Option(metavar="A,B", help="Only these sequences.")
    ] = None,
    results: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Score these masks, <sequence>/<frame>.png.",
            rich_help_panel="What is scored (the bundled weights if nothing is named)",
        ),
    ] = None,
    baseline: Annotated[
        Literal["copy", "flow"] | None,
        typer.Option(
            help="Score copying the first mask, or carrying it along optical flow.",
            rich_help_panel="What is scored (the bundled weights if nothing is named)",
        ),
    ] = None,
    baselines: Annotated[
        bool,
        typer.Option(
            "--baselines",
            help="Score both baselines and the weights, in one table.",
            rich_help_panel="What is scored (the bundled weights if nothing is named)",
        ),
    ] = False,
    weights: WeightsOption = None,
    device: DeviceOption = "auto",
    resolution: ResolutionOption = None,
    precision: PrecisionOption = "float32",
    without: WithoutOption = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FOLDER",
            help="For the tables, results.json and the masks of what is run. Default: "
            "<what is scored>_eval here.",
            rich_help_panel="Output",
        ),
    ] = None,
    overwrite: Overwrite = False,
    workers: Annotated[
        int, typer.Option(min=1, metavar="N", help="Processes that score --results.")
    ] = 1,
    quiet: Quiet = False,
    json_: Json = False,
) -> None:
    """Score results, weights or a baseline: J, F and J&F, as DAVIS counts them."""
    from ddeal_core.errors import InputError

    _one_subject(results, weights, baseline, baselines)
    names = None if sequences is None else [name for name in sequences.split(",") if name]
    if names is not None and not names:
        raise InputError("--sequences names no sequence: give names with commas between")
    report = Report(quiet=quiet, json=json_)
    if results is not None:
        _score_folder(
            dataset,
            results,
            protocol=protocol,
            image_set=image_set,
            sequences=names,
            workers=workers,
            folder=output or Path(f"{results.resolve().name}_eval"),
            report=report,
        )
        report.show()
        return
    from ddeal_core.evaluation import plan_dataset
    from ddeal_core.evaluation.methods import BASELINES, as_method, sequences_of
    from ddeal_core.tracking import Segmenter

    plans = plan_dataset(dataset, protocol=protocol, image_set=image_set, sequences=names)
    found = sequences_of(dataset, plans)
    methods: dict[str, Method] = {}
    if baseline is not None:
        methods[baseline] = BASELINES[baseline]
    if baselines:
        methods.update(BASELINES)
    segmenter: Segmenter | None = None
    if baseline is None:
        segmenter = Segmenter.load(
            weights,
            device=device,
            resolution=parse_resolution(resolution),
            precision=precision,
            ablation=ablation_of(without),
        )
        methods["model"] = as_method(segmenter)
    folder = output or Path(f"{_subject(dataset, weights, baseline, baselines)}_eval")
    for name, method in methods.items():
        target = folder / name if baselines else folder
        _run(
            name,
            method,
            plans,
            found,
            folder=target,
            image_set=image_set or "all",
            overwrite=overwrite,
            report=report,
        )
    if segmenter is not None:
        report.device = str(segmenter.device)
    report.show()


class Report:
    """Gathers scores by method, and shows them in the end.

    Args:
        quiet: Show nothing but what was asked for.
        json: Whether standard output is for machines.
    """

    def __init__(self, *, quiet: bool, json: bool) -> None:
        self.quiet, self.json = quiet, json
        self.device: str | None = None
        self._scores: dict[str, DatasetScore] = {}
        self._rates: dict[str, float] = {}
        self._folders: dict[str, Path] = {}

    def add(
        self, name: str, score: "DatasetScore", folder: Path, *, rate: float | None = None
    ) -> None:
        """Add a method; its tables are written now."""
        from ddeal_core.evaluation import write_tables

        write_tables(score, folder)
        self._scores[name] = score
        self._folders[name] = folder
        if rate is not None:
            self._rates[name] = rate

    def show(self) -> None:
        """Print the table, where the files are, and the JSON."""
        if not (self.quiet and self.json):
            self._show_table()
        for folder in self._folders.values():
            say(f"wrote {folder}", quiet=self.quiet)
        if self.json:
            emit_json(
                {"device": self.device, "methods": {n: self._record(n) for n in self._scores}}
            )

    def _show_table(self) -> None:
        alone = len(self._scores) == 1
        header = ["sequence"]
        for name in self._scores:
            header += [title if alone else f"{name} {title}" for title in ("J", "F", "J&F")]
        scores = list(self._scores.values())
        rows: list[list[str]] = []
        for several in zip(*(score.sequences for score in scores), strict=True):
            values = [v for s in several for v in (s.j_mean, s.f_mean, s.j_and_f)]
            rows.append([several[0].name, *_digits(values)])
        rows.append([])
        totals = [v for s in scores for v in (s.region.mean, s.contour.mean, s.j_and_f)]
        rows.append(["all objects", *_digits(totals)])
        if self._rates:
            rates = [f"{self._rates[name]:.1f}" for name in self._scores]
            rows.append(["frames/s", *(cell for rate in rates for cell in ("", "", rate))])
        show_table(header, rows, stderr=self.json)

    def _record(self, name: str) -> dict[str, Any]:
        from ddeal_core.evaluation.tables import global_row

        score = self._scores[name]
        return {
            "output": str(self._folders[name]),
            "frames_per_second": self._rates.get(name),
            "global": global_row(score),
            "sequences": {
                s.name: {"J-Mean": s.j_mean, "F-Mean": s.f_mean, "J&F-Mean": s.j_and_f}
                for s in score.sequences
            },
        }


def _score_folder(
    dataset: Path,
    results: Path,
    *,
    protocol: Literal["davis2016", "davis2017"],
    image_set: str | None,
    sequences: Sequence[str] | None,
    workers: int,
    folder: Path,
    report: Report,
) -> None:
    from ddeal_core.evaluation import SequenceScore, score_results

    with ProgressLine("score", total=None, unit="sequences", quiet=report.quiet) as line:

        def tell(score: SequenceScore, done: int, total: int) -> None:
            line.advance(note=f"{done} of {total}: {score.name} {score.j_and_f:.3f}")

        score = score_results(
            dataset,
            results,
            protocol=protocol,
            image_set=image_set,
            sequences=sequences,
            workers=workers,
            progress=tell,
        )
    report.add("results", score, folder)


def _run(
    name: str,
    method: "Method",
    plans: "Sequence[SequencePlan]",
    sequences: "dict[str, DatasetSequence]",
    *,
    folder: Path,
    image_set: str,
    overwrite: bool,
    report: Report,
) -> None:
    from ddeal_core.errors import InputError
    from ddeal_core.evaluation import DatasetScore
    from ddeal_core.evaluation.methods import run_method

    masks = folder / "masks"
    if masks.exists() and any(masks.iterdir()) and not overwrite:
        raise InputError(f"{masks} holds masks of another run: choose -o, or allow --overwrite")
    total = sum(len(s.frames) - s.annotated_indices[0] for s in sequences.values())
    with ProgressLine(name, total=total, quiet=report.quiet) as line:
        runs = [
            run_method(
                method, plan, sequences[plan.name], masks=masks / plan.name, progress=line.advance
            )
            for plan in plans
        ]
    score = DatasetScore(plans[0].protocol, image_set, tuple(run.score for run in runs))
    seconds = sum(run.seconds for run in runs)
    report.add(name, score, folder, rate=sum(run.frames for run in runs) / max(seconds, 1e-9))


def _one_subject(
    results: Path | None, weights: Path | None, baseline: str | None, baselines: bool
) -> None:
    from ddeal_core.errors import InputError

    named = {
        "--results": results is not None,
        "--baseline": baseline is not None,
        "--weights or --baselines": weights is not None or baselines,
    }
    given = [option for option, there in named.items() if there]
    if len(given) > 1:
        raise InputError(f"{' and '.join(given)} exclude each other: score one thing at a time")


def _subject(dataset: Path, weights: Path | None, baseline: str | None, baselines: bool) -> str:
    if baselines:
        return dataset.resolve().name
    return baseline or ("ddeal" if weights is None else weights.stem)


def _digits(values: "Sequence[float]") -> list[str]:
    return [f"{value:.3f}" for value in values]
