"""``ddeal eval``: score results, weights and baselines."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

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
from ddeal_cli.score_report import ScoreReport

if TYPE_CHECKING:
    from ddeal_core.datasets import Sequence as DatasetSequence
    from ddeal_core.evaluation import SequencePlan
    from ddeal_core.evaluation.methods import Method

__all__ = ["register"]

ProtocolName = Literal["davis2016", "davis2017", "ytvos", "vos-benchmark", "every-frame"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        "eval",
        epilog="Example: ddeal eval DAVIS --set val --baselines -o davis_eval",
    )(evaluate)


def evaluate(
    dataset: Annotated[
        Path | None,
        typer.Argument(
            metavar="DATASET",
            help="Folder in the layout of DAVIS: JPEGImages, Annotations; by ytvos a split of "
            "YouTube-VOS. Not with --annotations.",
        ),
    ] = None,
    protocol: Annotated[
        ProtocolName | None,
        typer.Option(
            help="davis2016: one object, all that is not 0. davis2017: ids of the first frame. "
            "ytvos: objects that come later, G. vos-benchmark: all ids of the ground truth. "
            "every-frame: the same, first and last frame too. Default: davis2017, and "
            "vos-benchmark with --annotations.",
            show_default=False,
        ),
    ] = None,
    image_set: Annotated[
        str | None,
        typer.Option("--set", metavar="NAME", help="List below ImageSets; all sequences without."),
    ] = None,
    sequences: Annotated[
        str | None, typer.Option(metavar="A,B", help="Only these sequences.")
    ] = None,
    images: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Frames, <sequence>/<frame>.jpg or those of one sequence, instead of DATASET.",
        ),
    ] = None,
    annotations: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="Their ground truth, <frame>.png; the same names, or fewer."
        ),
    ] = None,
    seen: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Seen categories for ytvos, one a line, or a training set's meta.json. "
            "Default: the 65 of YouTube-VOS.",
        ),
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
    page: Annotated[
        Path | None,
        typer.Option(
            "--report",
            metavar="FILE.html",
            help="A page to look at: tables, J and F over time, worst frames, speed.",
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
    """Score results, weights or a baseline: J, F, J&F and G, as DAVIS and YouTube-VOS do."""
    from ddeal_core.errors import InputError

    _one_subject(results, weights, baseline, baselines)
    names = None if sequences is None else [name for name in sequences.split(",") if name]
    if names is not None and not names:
        raise InputError("--sequences names no sequence: give names with commas between")
    subject = _find(
        dataset,
        images,
        annotations,
        protocol=protocol,
        image_set=image_set,
        names=names,
        seen=seen,
        runs=results is None,
    )
    if page is not None and subject.plans is None:
        raise InputError("--report needs scores, but the annotations hold first masks only")
    report = ScoreReport(quiet=quiet, json=json_, page=page, several=baselines)
    if results is not None:
        folder = output or Path(f"{results.resolve().name}_eval")
        if subject.plans is None:
            _submit(subject, results, folder, "results", report)
        else:
            _score_folder(subject, results, workers=workers, folder=folder, report=report)
        report.show()
        return
    from ddeal_core.evaluation.methods import BASELINES, as_method
    from ddeal_core.tracking import Segmenter

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
    folder = output or Path(f"{_subject(subject.name, weights, baseline, baselines)}_eval")
    for name, method in methods.items():
        target = folder / name if baselines else folder
        _run(name, method, subject, folder=target, overwrite=overwrite, report=report)
    if segmenter is not None:
        report.device = str(segmenter.device)
    report.show()


@dataclass(frozen=True)
class Subject:
    """What is scored, or tracked for a server.

    Attributes:
        name: Name of the dataset's folder.
        root: That folder; None for a pair of folders.
        image_set: Name that the tables get.
        sequences: With at least the objects' first masks.
        plans: What of them is scored; None where there are first masks only.
    """

    name: str
    root: Path | None
    image_set: str
    sequences: "tuple[DatasetSequence, ...]"
    plans: "tuple[SequencePlan, ...] | None"


def _find(
    dataset: Path | None,
    images: Path | None,
    annotations: Path | None,
    *,
    protocol: ProtocolName | None,
    image_set: str | None,
    names: list[str] | None,
    seen: Path | None,
    runs: bool,
) -> Subject:
    from ddeal_core.errors import InputError
    from ddeal_core.evaluation import (
        find_sequences,
        only_first_masks,
        pair_sequences,
        plan_all,
        read_seen,
    )
    from ddeal_core.evaluation.categories import SEEN_CATEGORIES

    if seen is not None and protocol != "ytvos":
        raise InputError("--seen goes with --protocol ytvos only")
    categories = SEEN_CATEGORIES if seen is None else read_seen(seen)
    if dataset is not None:
        if images is not None or annotations is not None:
            raise InputError("give a DATASET or --images and --annotations, not both")
        rules = protocol or "davis2017"
        found = find_sequences(dataset, protocol=rules, image_set=image_set, sequences=names)
        name = dataset.resolve().name
    else:
        if annotations is None:
            raise InputError("there is nothing to score: give a DATASET, or --annotations")
        if images is None and runs:
            raise InputError("a method runs on frames: give --images too, or --results")
        if image_set is not None:
            raise InputError("--set names a list of a DATASET: choose --sequences here")
        rules = protocol or "vos-benchmark"
        if rules == "ytvos":
            raise InputError(
                "ytvos needs a DATASET with meta.json: choose --protocol vos-benchmark here"
            )
        found = pair_sequences(images, annotations, sequences=names)
        name = annotations.resolve().name
    if rules == "ytvos" and only_first_masks(found):
        plans = None
    else:
        plans = plan_all(found, protocol=rules, seen=categories)
    return Subject(name, dataset, image_set or "all", found, plans)


def _score_folder(
    subject: Subject, results: Path, *, workers: int, folder: Path, report: ScoreReport
) -> None:
    from ddeal_core.evaluation import SequenceScore, score_plans
    from ddeal_core.evaluation.tables import clear_tables

    assert subject.plans is not None
    clear_tables(folder, subject.image_set)
    with ProgressLine(
        "score", total=len(subject.plans), unit="sequences", quiet=report.quiet
    ) as line:

        def tell(score: SequenceScore, *_: int) -> None:
            line.advance(note=f"{score.name} {score.j_and_f:.3f}")

        score = score_plans(
            subject.plans,
            results,
            image_set=subject.image_set,
            loose=subject.root is None,
            workers=workers,
            progress=tell,
        )
    report.add("results", score, folder, sequences=subject.sequences, masks=results)


def _run(
    name: str,
    method: "Method",
    subject: Subject,
    *,
    folder: Path,
    overwrite: bool,
    report: ScoreReport,
) -> None:
    from ddeal_core.errors import InputError
    from ddeal_core.evaluation import DatasetScore
    from ddeal_core.evaluation.methods import run_method, track_sequence
    from ddeal_core.evaluation.results import clear_masks
    from ddeal_core.evaluation.tables import clear_tables

    masks = folder / "masks"
    if masks.exists() and any(masks.iterdir()) and not overwrite:
        raise InputError(f"{masks} holds masks of another run: choose -o, or allow --overwrite")
    clear_masks(masks)
    clear_tables(folder, subject.image_set)
    total = sum(len(s.frames) - s.annotated_indices[0] for s in subject.sequences)
    by_name = {s.name: s for s in subject.sequences}
    with ProgressLine(name, total=total, quiet=report.quiet) as line:
        if subject.plans is None:
            for s in subject.sequences:
                for _ in track_sequence(method, s, masks=masks / s.name, progress=line.advance):
                    pass
            runs = []
        else:
            runs = [
                run_method(
                    method,
                    plan,
                    by_name[plan.name],
                    masks=masks / plan.name,
                    progress=line.advance,
                )
                for plan in subject.plans
            ]
    if subject.plans is None:
        _submit(subject, masks, folder, name, report)
        return
    score = DatasetScore(
        subject.plans[0].protocol, subject.image_set, tuple(run.score for run in runs)
    )
    seconds = sum(run.seconds for run in runs)
    rate = sum(run.frames for run in runs) / max(seconds, 1e-9)
    report.add(name, score, folder, sequences=subject.sequences, masks=masks, rate=rate)


def _submit(subject: Subject, masks: Path, folder: Path, name: str, report: ScoreReport) -> None:
    from ddeal_core.evaluation import submission_frames, write_submission
    from ddeal_core.evaluation.tables import clear_tables

    clear_tables(folder, subject.image_set)
    assert subject.root is not None
    frames = submission_frames(subject.root, subject.sequences)
    path = write_submission(masks, folder / "submission.zip", subject.sequences, frames)
    report.submitted(name, path)


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


def _subject(dataset: str, weights: Path | None, baseline: str | None, baselines: bool) -> str:
    if baselines:
        return dataset
    return baseline or ("ddeal" if weights is None else weights.stem)
