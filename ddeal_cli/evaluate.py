"""``ddeal eval``: score results, weights and baselines."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ddeal_cli import options
from ddeal_cli.app import app, epilog, options_in
from ddeal_cli.progress import ProgressLine
from ddeal_cli.score_report import LINES, Comparison, ScoreReport, line_of
from ddeal_core.choices import Protocol
from ddeal_core.errors import InputError

if TYPE_CHECKING:
    from ddeal_core.datasets import DatasetSequence
    from ddeal_core.evaluation import SequencePlan
    from ddeal_core.evaluation.methods import Method


@dataclass(frozen=True)
class EvaluationTarget:
    """What is scored, or tracked for a server.

    `name` and `root` are those of the dataset (no root for a pair of folders), `image_set` is what
    tables are called after. There are no `plans` where there are first masks only.
    """

    name: str
    root: Path | None
    image_set: str
    sequences: "tuple[DatasetSequence, ...]"
    plans: "tuple[SequencePlan, ...] | None"


def find_target(
    dataset: Path | None,
    images: Path | None,
    annotations: Path | None,
    *,
    protocol: Protocol | None,
    image_set: str | None,
    names: list[str] | None,
    seen: Path | None,
    runs: bool,
) -> EvaluationTarget:
    """Find what the words of the command name, and plan what of it is scored.

    A `protocol` of None is that which fits the input; frames may be missing unless a method `runs`.
    """
    from ddeal_core.evaluation import (
        find_sequences,
        only_first_masks,
        pair_sequences,
        plan_all,
        read_seen,
    )
    from ddeal_core.evaluation.categories import SEEN_CATEGORIES
    from ddeal_core.evaluation.protocols import rules_of

    chosen = protocol or ("davis2017" if dataset is not None else "vos-benchmark")
    rules = rules_of(chosen)
    if seen is not None and "Seen" not in rules.groups:
        raise InputError("--seen goes with --protocol ytvos only")
    categories = SEEN_CATEGORIES if seen is None else read_seen(seen)
    if dataset is not None:
        if images is not None or annotations is not None:
            raise InputError("give a DATASET or --images and --annotations, not both")
        found = find_sequences(dataset, protocol=chosen, image_set=image_set, sequences=names)
        name = dataset.resolve().name
    else:
        if annotations is None:
            raise InputError("there is nothing to score: give a DATASET, or --annotations")
        if images is None and runs:
            raise InputError("a method runs on frames: give --images too, or --results")
        if image_set is not None:
            raise InputError("--set names a list of a DATASET: choose --sequences here")
        if rules.layout == "youtube-vos":
            raise InputError(
                f"{chosen} needs a DATASET with meta.json: choose --protocol vos-benchmark here"
            )
        found = pair_sequences(images, annotations, sequences=names)
        name = annotations.resolve().name
    bare = rules.layout == "youtube-vos" and only_first_masks(*found)
    plans = None if bare else plan_all(found, protocol=chosen, seen=categories)
    return EvaluationTarget(name, dataset, image_set or "all", found, plans)


_scored = options_in("What is scored (the bundled weights if nothing is named)")


@app.command(
    "eval",
    epilog=epilog(
        "ddeal eval DAVIS --set val",
        "ddeal eval DAVIS --set val --protocol davis2016 -o eval2016",
        "ddeal eval DAVIS --set val --results my-method/ --report scores.html",
        "ddeal eval DAVIS --set val --baselines",
        "ddeal eval DAVIS --set val --ablation",
        "ddeal eval --images frames/ --annotations masks/ --weights mine.safetensors",
        notes=(
            "Writes global_results-*.csv, per-sequence_results-*.csv and results.json; on "
            "YouTube-VOS's public validation set, the zip for the server.",
        ),
    ),
)
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
        Protocol | None,
        typer.Option(
            metavar="RULES",
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
        Path | None, _scored(metavar="FOLDER", help="Score these masks, <sequence>/<frame>.png.")
    ] = None,
    baseline: Annotated[
        Literal["copy", "flow"] | None,
        _scored(help="Score copying the first mask, or carrying it along optical flow."),
    ] = None,
    baselines: Annotated[
        bool, _scored("--baselines", help="Score both baselines and the weights, in one table.")
    ] = False,
    ablation: Annotated[
        bool,
        _scored(
            "--ablation",
            help="Score the five lines of the paper's Table V: the weights with cues switched off.",
        ),
    ] = False,
    weights: options.WeightsOption = None,
    device: options.DeviceOption = "auto",
    resolution: options.ResolutionOption = None,
    precision: options.PrecisionOption = "float32",
    without: options.WithoutOption = None,
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
    overwrite: options.Overwrite = False,
    workers: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Processes that score --results. Default: one a core, as far as it pays.",
            show_default=False,
        ),
    ] = None,
    quiet: options.Quiet = False,
    json_: options.Json = False,
) -> None:
    """Score results, weights or a baseline: J, F, J&F and G, as DAVIS and YouTube-VOS do."""
    from ddeal_core.media.outputs.opening import check_writable

    _one_subject(results, weights, baseline, baselines, ablation)
    if ablation and without:
        raise InputError("--ablation switches cues itself: leave --without out")
    names = None if sequences is None else [name for name in sequences.split(",") if name]
    if names is not None and not names:
        raise InputError("--sequences names no sequence: give names with commas between")
    subject = find_target(
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
    if page is not None and (page.suffix.lower() not in (".html", ".htm") or page.is_dir()):
        raise InputError(f"a report is a file that ends in .html, not {page}")
    kind: Comparison = "ablation" if ablation else "methods" if baselines else "none"
    report = ScoreReport(quiet=quiet, json=json_, page=page, compares=kind)
    run = baseline or ("ddeal" if weights is None else weights.stem)
    by_kind = {"none": run, "ablation": f"{run}_ablation", "methods": subject.name}
    scored = by_kind[kind] if results is None else results.resolve().name
    folder = output or Path(f"{scored}_eval")
    for place in (folder / "results.json", *([] if page is None else [page])):
        check_writable(place)
    if results is not None:
        if subject.plans is None:
            _submit(subject, results, folder, "results", report)
        else:
            _score_folder(subject, results, folder, report, workers)
        report.show(folder)
        return
    from ddeal_core.evaluation.methods import BASELINES, Method, as_method
    from ddeal_core.network import Ablation
    from ddeal_core.tracking import Segmenter

    def make(name: str) -> Method:
        if name in BASELINES:
            return BASELINES[name]
        segmenter = Segmenter.load(
            weights,
            device=device,
            resolution=options.parse_resolution(resolution),
            precision=precision,
            ablation=Ablation.table_v(line_of(name)) if ablation else options.ablation_of(without),
        )
        report.device = str(segmenter.device)
        return as_method(segmenter)

    several = {"ablation": LINES, "methods": (*BASELINES, "model"), "none": ()}[kind]
    folders = {name: folder / name for name in several} or {baseline or "model": folder}
    # Weights that cannot be read are told before anything is cleared or run.
    ready = {name: make(name) for name in (LINES[:1] if ablation else folders)}
    _clear(folder, folders.values(), subject, overwrite=overwrite)
    for name, place in folders.items():
        method = ready.pop(name, None) or make(name)
        _run(name, method, subject, place, report)
    report.show(folder)


def _score_folder(
    subject: EvaluationTarget, results: Path, folder: Path, report: ScoreReport, workers: int | None
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


def _clear(
    folder: Path, folders: Iterable[Path], subject: EvaluationTarget, *, overwrite: bool
) -> None:
    """Take away what earlier runs left, all of it before the first method runs."""
    from ddeal_core.evaluation.results import clear_masks
    from ddeal_core.evaluation.tables import clear_tables

    old = [place / "masks" for place in folders]
    files = (f for s in subject.sequences for f in (*s.frames, *s.annotations.values()))
    own = {folder.resolve() for folder in {file.parent for file in files}}
    for masks in old:
        if own & {each.resolve() for each in (masks, *masks.glob("*/"))}:
            raise InputError(f"{masks} belongs to what is scored: choose another -o")
        if masks.exists() and any(masks.iterdir()) and not overwrite:
            raise InputError(f"{masks} holds masks of another run: choose -o, or allow --overwrite")
    for masks in old:
        clear_masks(masks)
        clear_tables(masks.parent, subject.image_set)
    clear_tables(folder, subject.image_set)


def _run(
    name: str, method: "Method", subject: EvaluationTarget, folder: Path, report: ScoreReport
) -> None:
    from ddeal_core.evaluation import DatasetScore
    from ddeal_core.evaluation.methods import run_method, track_sequence

    masks = folder / "masks"
    total = sum(len(s.frames) - s.annotated_indices[0] for s in subject.sequences)
    by_name = {s.name: s for s in subject.sequences}
    with ProgressLine(name, total=total, quiet=report.quiet) as line:
        if subject.plans is None:
            for s in subject.sequences:
                for _ in track_sequence(method, s, masks=masks / s.name, progress=line.advance):
                    pass
            _submit(subject, masks, folder, name, report)
            return
        runs = [
            run_method(
                *(method, plan, by_name[plan.name]), masks=masks / plan.name, progress=line.advance
            )
            for plan in subject.plans
        ]
    score = DatasetScore(
        subject.plans[0].protocol, subject.image_set, tuple(run.score for run in runs)
    )
    seconds = sum(run.seconds for run in runs)
    rate = sum(run.frames for run in runs) / max(seconds, 1e-9)
    report.add(name, score, folder, sequences=subject.sequences, masks=masks, rate=rate)


def _submit(
    subject: EvaluationTarget, masks: Path, folder: Path, name: str, report: ScoreReport
) -> None:
    from ddeal_core.evaluation import submission_frames, write_submission
    from ddeal_core.evaluation.tables import clear_tables

    clear_tables(folder, subject.image_set)
    assert subject.root is not None
    frames = submission_frames(subject.root, subject.sequences)
    path = folder / "submission.zip"
    report.submit(name, write_submission(masks, path, subject.sequences, frames))


def _one_subject(
    results: Path | None,
    weights: Path | None,
    baseline: str | None,
    baselines: bool,
    ablation: bool,
) -> None:
    named = {
        "--results": results is not None,
        "--baseline": baseline is not None,
        "--baselines": baselines,
        "--ablation": ablation,
        "--weights": weights is not None and not (baselines or ablation),
    }
    given = [option for option, there in named.items() if there]
    if len(given) > 1:
        raise InputError(f"{' and '.join(given)} exclude each other: score one thing at a time")
