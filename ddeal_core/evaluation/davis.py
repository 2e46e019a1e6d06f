"""Scoring by the semi-supervised rules of DAVIS.

====================  ======================================  ==========================
rule                  ``davis2017``                           ``davis2016``
====================  ======================================  ==========================
objects               1 .. highest id of the first annotated  one: whatever is not zero
                      frame, gaps included
255                   background                              foreground
scored frames         annotated ones, but for the first annotated one and the last of the video
an id too high        left out and warned about               (there are no ids)
an object not found   J and F against an empty mask
summing up            mean over objects (not sequences) of means over frames
====================  ======================================  ==========================

Two deviations from davis2017-evaluation, which stops at both: an id that the ground truth does
not have is left out with a warning, and sequences with annotations for some frames only are
scored at those.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ddeal_core.datasets.layouts import DavisLayout
from ddeal_core.datasets.layouts import Sequence as DatasetSequence
from ddeal_core.errors import ConfigError, DatasetError, MaskError
from ddeal_core.evaluation.boundary import boundary_radius, f_from_counts
from ddeal_core.evaluation.labels import read_foreground, read_labels
from ddeal_core.evaluation.packed import PackedPair
from ddeal_core.evaluation.region import jaccard_from_counts
from ddeal_core.evaluation.results import check_results
from ddeal_core.evaluation.scores import DatasetScore, ObjectScore, SequenceScore
from ddeal_core.evaluation.workers import map_processes

__all__ = [
    "Protocol",
    "SequencePlan",
    "plan_dataset",
    "plan_sequence",
    "score_predictions",
    "score_results",
]

Protocol = Literal["davis2016", "davis2017"]

_IGNORE = 255
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class SequencePlan:
    """What is scored in one sequence; small enough to hand to another process.

    Attributes:
        name: Name of the sequence.
        protocol: Rules to follow.
        object_ids: Ids of the scored objects.
        annotations: Stem and mask file of every scored frame, in order; never empty.
    """

    name: str
    protocol: Protocol
    object_ids: tuple[int, ...]
    annotations: tuple[tuple[str, Path], ...]

    def __post_init__(self) -> None:
        if not self.annotations:
            raise DatasetError(
                f"sequence {self.name!r} has nothing to score: the first annotated frame and the "
                "last frame do not count, and no other has an annotation"
            )


def plan_dataset(
    dataset: str | Path,
    *,
    protocol: Protocol = "davis2017",
    image_set: str | None = None,
    sequences: Sequence[str] | None = None,
    resolution: str = "480p",
) -> tuple[SequencePlan, ...]:
    """Decide which objects and frames of a dataset in the layout of DAVIS are scored.

    Args:
        dataset: The folder that holds ``JPEGImages`` and ``Annotations``.
        protocol: ``"davis2017"`` or ``"davis2016"``.
        image_set: Name of a list in ``ImageSets``, that of the protocol's year where years
            differ; None takes all sequences.
        sequences: Only these, in this order.
        resolution: Folder below ``JPEGImages``.

    Raises:
        ConfigError: An unknown protocol.
        DatasetError: The layout is not there, or a sequence has nothing to score.
        MaskError: A first annotation cannot be read.
    """
    if protocol not in ("davis2016", "davis2017"):
        raise ConfigError(f"unknown protocol {protocol!r}; choose davis2016 or davis2017")
    found = DavisLayout(dataset, resolution=resolution).sequences(
        _list_of_year(Path(dataset), image_set, protocol)
    )
    if sequences is not None:
        by_name = {sequence.name: sequence for sequence in found}
        missing = [name for name in sequences if name not in by_name]
        if missing:
            raise DatasetError(
                f"{dataset} has no sequence {', '.join(missing)}"
                + (f" in image set {image_set!r}" if image_set else "")
                + f"; it has {', '.join(by_name)}"
            )
        found = tuple(by_name[name] for name in dict.fromkeys(sequences))
    bare = [sequence.name for sequence in found if not sequence.annotations]
    if bare:
        raise DatasetError(
            f"{dataset} has no annotations for {len(bare)} of {len(found)} sequences "
            f"({', '.join(bare)}); choose others, or an image set whose masks are public"
        )
    return tuple(plan_sequence(sequence, protocol=protocol) for sequence in found)


def plan_sequence(sequence: DatasetSequence, *, protocol: Protocol = "davis2017") -> SequencePlan:
    """Decide which objects and frames of a sequence are scored; reads its first annotation.

    Raises:
        DatasetError: No annotation, no object in the first one, or no frame to score.
        MaskError: The first annotation cannot be read.
    """
    annotated = sorted(sequence.annotations.items())
    if not annotated:
        raise DatasetError(f"sequence {sequence.name!r} has no annotations")
    first = annotated[0][1]
    object_ids: tuple[int, ...] = (1,)
    if protocol == "davis2017":
        labels = read_labels(first)
        highest = int(np.max(labels, where=labels != _IGNORE, initial=0))
        if not highest:
            hint = "; score 0/255 masks by davis2016" if (labels == _IGNORE).any() else ""
            raise DatasetError(f"{first} holds no object (ids are 1..254){hint}")
        object_ids = tuple(range(1, highest + 1))
    last_of_video = sequence.frames[-1].stem
    scored = tuple((stem, path) for stem, path in annotated[1:] if stem != last_of_video)
    return SequencePlan(sequence.name, protocol, object_ids, scored)


def score_results(
    dataset: str | Path,
    results: str | Path,
    *,
    protocol: Protocol = "davis2017",
    image_set: str | None = None,
    sequences: Sequence[str] | None = None,
    resolution: str = "480p",
    workers: int = 1,
    progress: Callable[[SequenceScore, int, int], None] | None = None,
) -> DatasetScore:
    """Score a folder of results, ``results/<sequence>/<frame>.png``.

    All that is missing is told before anything is scored. One frame at a time is in memory.

    Args:
        dataset: The folder that holds ``JPEGImages`` and ``Annotations``.
        results: Folder of the results.
        protocol: ``"davis2017"`` or ``"davis2016"``.
        image_set: Name of a list in ``ImageSets``; None takes all sequences.
        sequences: Only these, in this order.
        resolution: Folder below ``JPEGImages``.
        workers: Processes, which share the sequences.
        progress: Called with each sequence's score as it ends, how many ended, and of how many.

    Raises:
        ConfigError: An unknown protocol or a worker count below 1.
        DatasetError: The layout is not there, results are missing, or they are the ground truth.
        MaskError: A mask cannot be read, has the wrong size, or colours where ids are wanted.
        DdealError: A worker process died.
    """
    if workers < 1:
        raise ConfigError(f"workers must be at least 1, not {workers}")
    plans = plan_dataset(
        dataset,
        protocol=protocol,
        image_set=image_set,
        sequences=sequences,
        resolution=resolution,
    )
    folder = Path(results)
    check_results(folder, {plan.name: plan.annotations for plan in plans})
    jobs = [(plan, folder / plan.name) for plan in plans]
    scores: dict[int, SequenceScore] = {}
    for index, score in map_processes(_score_folder, jobs, workers=workers):
        scores[index] = score
        if score.unknown_ids:
            _LOG.warning(
                "results of %s hold ids that the ground truth does not have (%s); left out",
                score.name,
                ", ".join(map(str, score.unknown_ids)),
            )
        if progress is not None:
            progress(score, len(scores), len(jobs))
    return DatasetScore(
        protocol=protocol,
        image_set=image_set or "all",
        sequences=tuple(scores[index] for index in range(len(jobs))),
    )


def score_predictions(
    plan: SequencePlan, predictions: Iterable[tuple[str, NDArray[np.uint8]]]
) -> SequenceScore:
    """Score label maps as they come, without files between.

    Args:
        plan: What to score.
        predictions: Frame stem and ``[H, W]`` uint8 labels, in the order of the frames;
            frames that are not scored may be among them.

    Raises:
        DatasetError: A scored frame is missing.
        MaskError: A map has the wrong size.
    """
    wanted = {stem for stem, _ in plan.annotations}
    scored = ((stem, labels, stem) for stem, labels in predictions if stem in wanted)
    return _score(plan, scored)


def _list_of_year(dataset: Path, image_set: str | None, protocol: Protocol) -> str | None:
    """Say which ``val`` is meant: a DAVIS 2017 download has lists of 2016 too."""
    year = protocol.removeprefix("davis")
    if image_set and (dataset / "ImageSets" / year / f"{image_set}.txt").is_file():
        return f"{year}/{image_set}"
    return image_set


def _score_folder(job: tuple[SequencePlan, Path]) -> SequenceScore:
    plan, folder = job
    return _score(plan, _read_predictions(plan, folder))


def _read_predictions(
    plan: SequencePlan, folder: Path
) -> Iterator[tuple[str, NDArray[np.uint8], str]]:
    for stem, _ in plan.annotations:
        path = folder / f"{stem}.png"
        if plan.protocol == "davis2016":
            yield stem, read_foreground(path), str(path)
        else:
            yield stem, read_labels(path, highest=plan.object_ids[-1]), str(path)


def _score(
    plan: SequencePlan, predictions: Iterable[tuple[str, NDArray[np.uint8], str]]
) -> SequenceScore:
    """Score predictions of (stem, labels, what to call them in an error)."""
    binary = plan.protocol == "davis2016"
    j: dict[int, list[float]] = {i: [] for i in plan.object_ids}
    f: dict[int, list[float]] = {i: [] for i in plan.object_ids}
    unknown: set[int] = set()
    pair: PackedPair | None = None
    source = iter(predictions)
    for stem, path in plan.annotations:
        given, labels, origin = next(source, (None, None, ""))
        if labels is None or given != stem:
            raise DatasetError(f"sequence {plan.name!r}: there is no prediction of frame {stem}")
        truth = read_foreground(path) if binary else read_labels(path)
        if labels.shape != truth.shape:
            raise MaskError(
                f"prediction {origin} of {plan.name} is {_size(labels)} but its annotation "
                f"{path} is {_size(truth)}; save masks at the size of the frames"
            )
        if binary:
            labels = (labels != 0).view(np.uint8)
        elif labels.max() > plan.object_ids[-1]:
            unknown.update(int(i) for i in np.unique(labels) if i > plan.object_ids[-1])
        height, width = truth.shape
        if pair is None or (pair.height, pair.width) != (height, width):
            pair = PackedPair(height, width, radius=boundary_radius(height, width))
        for i in plan.object_ids:
            counts = pair.count(truth, labels, object_id=i)
            j[i].append(jaccard_from_counts(intersection=counts.intersection, union=counts.union))
            f[i].append(f_from_counts(counts))
    frames = tuple(stem for stem, _ in plan.annotations)
    return SequenceScore(
        plan.name,
        tuple(ObjectScore(plan.name, i, frames, tuple(j[i]), tuple(f[i])) for i in plan.object_ids),
        tuple(sorted(unknown)),
    )


def _size(labels: NDArray[np.uint8]) -> str:
    return "x".join(str(n) for n in labels.shape[::-1])
