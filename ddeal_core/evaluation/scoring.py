"""Results scored as planned: folders of masks, or label maps as they come."""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ddeal_core.errors import DatasetError, MaskError
from ddeal_core.evaluation.measures import PairCounts, count_pair
from ddeal_core.evaluation.plan import SequencePlan
from ddeal_core.evaluation.results import check_results, locate_results
from ddeal_core.evaluation.scores import DatasetScore, ObjectScore, SequenceScore
from ddeal_core.media.masks.label_images import ids_in, read_foreground, read_labels
from ddeal_core.settings import Count, check_value
from ddeal_core.workers import cores, map_processes

_LOG = logging.getLogger(__name__)

_FRAMES_A_WORKER = 200
"""About as many are scored in the time that a process takes to start."""

Labels = NDArray[np.uint8]


def score_plans(
    plans: Sequence[SequencePlan],
    results: str | Path,
    *,
    image_set: str = "all",
    loose: bool = False,
    workers: int | None = 1,
    progress: Callable[[SequenceScore, int, int], None] | None = None,
) -> DatasetScore:
    """Score a folder of results for what is planned.

    All that is missing is told before anything is scored. One frame at a time is in memory.

    Args:
        plans: One a sequence, of one protocol.
        results: Folder of the results, ``<sequence>/<frame>.png``.
        image_set: Name that the tables get.
        loose: Whether a single sequence's masks may lie in `results` itself.
        workers: Processes, which share the sequences; None takes one a core, as far as it pays.
        progress: Called with each sequence's score as it ends, how many ended, and of how many.

    Raises:
        ConfigError: A worker count below 1.
        DatasetError: Results are missing, or they are the ground truth.
        MaskError: A mask cannot be read, has the wrong size, or colours where ids are wanted.
        DdealError: A worker process died.
    """
    if workers is None:
        workers = max(1, min(cores(), sum(len(p.annotations) for p in plans) // _FRAMES_A_WORKER))
    check_value("workers", workers, Count)
    folders = locate_results(Path(results), [plan.name for plan in plans], loose=loose)
    check_results(Path(results), folders, {plan.name: plan.annotations for plan in plans})
    jobs = [(plan, folders[plan.name]) for plan in plans]
    scores: dict[int, SequenceScore] = {}
    for index, score in map_processes(_score_folder, jobs, workers=workers):
        scores[index] = score
        if score.unknown_ids:
            _LOG.warning(
                "results of %s hold ids that the ground truth does not have (%s); left out",
                score.name,
                ", ".join(map(str, score.unknown_ids)),
            )
        if score.unscored_ids:
            _LOG.warning(
                "annotations of %s hold objects that %s does not score (%s): they are not in the "
                "first annotation or not in meta.json; vos-benchmark scores them",
                score.name,
                plans[index].protocol,
                ", ".join(map(str, score.unscored_ids)),
            )
        if progress is not None:
            progress(score, len(scores), len(jobs))
    in_order = tuple(scores[index] for index in range(len(jobs)))
    total = DatasetScore(plans[0].protocol, image_set, in_order)
    if all(value == 1 for o in total.objects for value in o.j):
        _LOG.warning(
            "results in %s equal the ground truth in every pixel that is scored: they may be a "
            "copy of it",
            results,
        )
    return total


def score_predictions(
    plan: SequencePlan, predictions: Iterable[tuple[str, Labels]]
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
    return _score(plan, ((stem, labels, stem) for stem, labels in predictions if stem in wanted))


def _score_folder(job: tuple[SequencePlan, Path]) -> SequenceScore:
    plan, folder = job
    ids = partial(read_labels, highest=max(plan.known_ids))
    read: Callable[[Path], Labels] = read_foreground if plan.is_binary else ids
    paths = ((stem, folder / f"{stem}.png") for stem, _ in plan.annotations)
    return _score(plan, ((stem, read(path), str(path)) for stem, path in paths))


def _score(plan: SequencePlan, predictions: Iterator[tuple[str, Labels, str]]) -> SequenceScore:
    """Score predictions of (stem, labels, what to call them in an error)."""
    by_presence = plan.rules.objects == "present"
    scored: dict[int, list[tuple[str, PairCounts]]] = {i: [] for i in plan.object_ids}
    strange = np.ones(256, np.uint8)
    strange[[0, *plan.known_ids]] = 0
    left_out = strange.copy()
    left_out[255] = 0  # "ignore"
    unknown: set[int] = set()
    unscored: set[int] = set()
    for index, (stem, path) in enumerate(plan.annotations):
        given, labels, origin = next(predictions, (None, None, ""))
        if labels is None or given != stem:
            raise DatasetError(f"sequence {plan.name!r}: there is no prediction of frame {stem}")
        truth = read_foreground(path) if plan.is_binary else read_labels(path)
        if labels.shape != truth.shape:
            raise MaskError(
                f"prediction {origin} of {plan.name} is {_size(labels)} but its annotation "
                f"{path} is {_size(truth)}; save masks at the size of the frames"
            )
        if plan.is_binary:
            labels = (labels != 0).view(np.uint8)
        else:
            unknown.update(_among(strange, labels))
            unscored.update(_among(left_out, truth))
        for i, of_object in scored.items():
            if index < plan.begins.get(i, 0):
                continue
            counts = count_pair(truth, labels, object_id=i)
            if by_presence and not of_object and not counts.union:
                continue  # it was in neither so far
            of_object.append((stem, counts))
    scores = tuple(
        ObjectScore(
            plan.name,
            i,
            tuple(stem for stem, _ in of_object),
            tuple(counts.j for _, counts in of_object),
            tuple(counts.f for _, counts in of_object),
            plan.categories.get(i, ""),
            plan.groups.get(i, ""),
        )
        for i, of_object in scored.items()
    )
    return SequenceScore(plan.name, scores, tuple(sorted(unknown)), tuple(sorted(unscored)))


def _among(marked: Labels, labels: Labels) -> Iterator[int]:
    """Yield the ids of a label map that are marked; quick where there is none."""
    if marked[: int(labels.max()) + 1].any() and cv2.LUT(labels, marked).any():
        yield from (i for i in ids_in(labels) if marked[i])


def _size(labels: Labels) -> str:
    return "x".join(str(n) for n in labels.shape[::-1])
