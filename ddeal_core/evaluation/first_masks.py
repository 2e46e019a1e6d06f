"""How good first masks are: J after a box and after each click, and clicks until J is high enough.

The user is simulated as in the field (RITM, SimpleClick): a click goes into the middle of the
largest error. NoC@85 is the number of clicks until J is 0.85, 20 where it never is.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean, median

import numpy as np
from numpy.typing import NDArray

from ddeal_core.choices import HintMethod
from ddeal_core.datasets.clip import IGNORE, shows_objects
from ddeal_core.datasets.layouts import DatasetSequence
from ddeal_core.datasets.object_crops import is_held_out
from ddeal_core.datasets.pictures import read_picture
from ddeal_core.datasets.real import read_annotation
from ddeal_core.datasets.stills import Stills, usable_objects
from ddeal_core.errors import InputError
from ddeal_core.evaluation.measures import jaccard
from ddeal_core.interaction.grabcut import grab_cut
from ddeal_core.interaction.hints import OBJECT, Hints, bounds
from ddeal_core.interaction.simulated_user import next_click

MOST_CLICKS = 20
_AFTER_BOX = 5  # clicks that correct a box

Answer = Callable[[Hints], NDArray[np.bool_]]
"""Hints about the one object of a frame, to its mask."""


@dataclass(frozen=True, eq=False)
class MaskTask:
    """An object to be found in a picture, named for people."""

    name: str
    image: NDArray[np.uint8]  # HxWx3 RGB
    truth: NDArray[np.bool_]  # HxW, the object
    valid: NDArray[np.bool_]  # HxW, where the truth is known


@dataclass(frozen=True, slots=True)
class Trial:
    """What a user saw of one task."""

    name: str
    box: tuple[float, ...]  # J after the box, and after each click that corrected it
    clicks: tuple[float, ...]  # J after each of the clicks alone, until it was high enough
    seconds: tuple[float, ...]  # of each answer

    def clicks_to(self, wanted: float) -> int:
        """Clicks alone until J is as high as wanted, at most `MOST_CLICKS`."""
        reached = (count for count, j in enumerate(self.clicks, 1) if j >= wanted)
        return next(reached, MOST_CLICKS)


@dataclass(frozen=True, slots=True)
class FirstMaskScore:
    """Means over trials, one a task and at least one."""

    trials: tuple[Trial, ...]

    def box(self, clicks: int) -> float:
        """J after the box and so many corrective clicks."""
        return mean(trial.box[min(clicks, len(trial.box) - 1)] for trial in self.trials)

    def clicks(self, count: int) -> float:
        """J after so many clicks alone."""
        return mean(trial.clicks[min(count, len(trial.clicks)) - 1] for trial in self.trials)

    def number_of_clicks(self, wanted: float) -> float:
        """NoC: clicks alone until J is as high as wanted."""
        return mean(trial.clicks_to(wanted) for trial in self.trials)

    @property
    def seconds(self) -> float:
        """Median time of an answer."""
        return median(second for trial in self.trials for second in trial.seconds)

    def to_dict(self) -> dict[str, object]:
        """As plain JSON types."""
        return {
            "objects": len(self.trials),
            "box": [round(self.box(count), 4) for count in range(_AFTER_BOX + 1)],
            "clicks": [round(self.clicks(count), 4) for count in range(1, 6)],
            "noc85": round(self.number_of_clicks(0.85), 3),
            "noc90": round(self.number_of_clicks(0.9), 3),
            "seconds": round(self.seconds, 4),
            "each": {
                trial.name: {"box": trial.box, "clicks": trial.clicks} for trial in self.trials
            },
        }


def first_frames(sequences: Iterable[DatasetSequence]) -> Iterator[MaskTask]:
    """Every object of the first annotated frame of each sequence."""
    for sequence in sequences:
        for number in sequence.annotated_indices[:1]:
            labels = read_annotation(sequence, number)
            if shows_objects(labels):
                image = read_picture(sequence.frames[number], max_side=1 << 16)
                yield from _tasks(sequence.name, image, labels)


def held_out_stills(sources: Iterable[Stills]) -> Iterator[MaskTask]:
    """The largest object of each still that is held out from training."""
    for source in sources:
        for index, file in enumerate(item.image for item in source.items):
            if is_held_out(file):
                still = source[index]
                items = usable_objects(still, whole=False)
                if items:
                    label = max(items, key=lambda item: item.area).label
                    yield from _tasks(file.stem, still.image, still.labels, only=label)


def try_out(answering: Callable[[NDArray[np.uint8]], Answer], task: MaskTask) -> Trial:
    """Let a simulated user find the object: by its box and clicks, then by clicks alone.

    `answering` is the method: it takes the picture, HxWx3 uint8 RGB.
    """
    seconds: list[float] = []
    answer = answering(task.image)
    left, top, right, bottom = bounds(task.truth)
    box = Hints(box=(left, top, right - left, bottom - top))
    after_box = _clicking(answer, task, box, _AFTER_BOX, 2.0, seconds)
    alone = _clicking(answering(task.image), task, Hints(), MOST_CLICKS, 0.9, seconds)
    return Trial(task.name, tuple(after_box), tuple(alone), tuple(seconds))


def answering(
    method: HintMethod, weights: Path | None = None
) -> Callable[[NDArray[np.uint8]], Answer]:
    """Make a method ready to be tried out, with the weights of the package where none are given.

    Raises:
        WeightsError: See `load_first_mask`.
    """
    if method == "grabcut":
        return lambda image: lambda hints: grab_cut(image, {1: hints}) == 1

    from ddeal_core.interaction.first_mask import first_mask
    from ddeal_core.interaction.mask_finder import MaskFinder, Picture

    finder = MaskFinder.bundled() if weights is None else MaskFinder.load(weights)

    def of(image: NDArray[np.uint8]) -> Answer:
        picture = Picture(image, finder)
        return lambda hints: first_mask(picture, {1: hints}) == 1

    return of


def _clicking(
    answer: Answer, task: MaskTask, hints: Hints, most: int, enough: float, seconds: list[float]
) -> list[float]:
    """J after the hints, if there are any, and after each click more."""
    found = np.zeros_like(task.truth)
    scores: list[float] = []
    clicks = 0
    while True:
        if not hints.is_empty:
            begun = time.perf_counter()
            with suppress(InputError):  # nothing was found: it stays as it was
                found = answer(hints)
            seconds.append(time.perf_counter() - begun)
            scores.append(jaccard(task.truth & task.valid, found & task.valid))
        if clicks == most or (scores and scores[-1] >= enough):
            return scores
        click = next_click(found, task.truth, task.valid)
        if click is None:
            return scores or [0.0]
        point, kind = click
        if kind == OBJECT:
            hints = replace(hints, inside=(*hints.inside, point))
        else:
            hints = replace(hints, outside=(*hints.outside, point))
        clicks += 1


def _tasks(
    name: str, image: NDArray[np.uint8], labels: NDArray[np.uint8], *, only: int | None = None
) -> Iterator[MaskTask]:
    ids = [i for i in np.unique(labels).tolist() if i not in (0, IGNORE)]
    for i in ids if only is None else [only]:
        one = name if len(ids) == 1 or only is not None else f"{name} {i}"
        yield MaskTask(one, image, labels == i, labels != IGNORE)
