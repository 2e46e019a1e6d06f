"""Scores of objects, sequences and datasets: J and F a frame, and what they sum up to.

The statistics are those of Perazzi et al. (CVPR 2016, section 4.1) as davis2017-evaluation computes
them. That tool keeps the edges of its quarters in 8 bits, so past 256 scored frames they wrap
round and its decay is of the wrong frames (or not a number); here it is of the right ones.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ddeal_core.evaluation.protocols import Rules, rules_of


@dataclass(frozen=True)
class Statistics:
    """What a measure, J or F, comes to over the frames of one object.

    Attributes:
        mean: In [0, 1].
        recall: Share of frames strictly above 0.5.
        decay: Mean over the first quarter minus mean over the last, in [-1, 1]; low is good.
    """

    mean: float
    recall: float
    decay: float


def quarter_edges(count: int) -> tuple[int, int, int, int, int]:
    """Return the frame indices at which quarters begin and end, both inclusive.

    Neighbouring quarters share their edge frame. Halves are rounded as by MATLAB, upwards,
    for which davis2017-evaluation adds 1e-10.
    """
    edges = np.round(np.linspace(1, count, 5) + 1e-10).astype(np.int64) - 1
    a, b, c, d, e = edges.tolist()
    return a, b, c, d, e


def summarize(values: Sequence[float]) -> Statistics:
    """Mean, recall and decay of J or F of the scored frames in their order.

    Raises:
        ValueError: No values.
    """
    if not len(values):
        raise ValueError("there are no frames to summarize")
    array = np.asarray(values, dtype=np.float64)
    edges = quarter_edges(len(array))
    first = array[edges[0] : edges[1] + 1]
    last = array[edges[3] : edges[4] + 1]
    return Statistics(
        mean=float(np.mean(array)),
        recall=float(np.mean(array > 0.5)),
        decay=float(np.mean(first) - np.mean(last)),
    )


@dataclass(frozen=True)
class ObjectScore:
    """J and F of one object over the scored frames of its sequence.

    Attributes:
        sequence: Name of the sequence.
        object_id: In the masks.
        frames: Stems of the scored frames (``"00001"``), in order; never empty.
        j: Region similarity a frame, in [0, 1].
        f: Contour accuracy a frame, in [0, 1].
        category: What it is, where the dataset tells.
        group: Which of the protocol's groups it is in (``"Seen"``); "" without groups.

    Raises:
        ValueError: There are not as many of each, or none.
    """

    sequence: str
    object_id: int
    frames: tuple[str, ...]
    j: tuple[float, ...]
    f: tuple[float, ...]
    category: str = ""
    group: str = ""

    def __post_init__(self) -> None:
        if not self.frames or not len(self.frames) == len(self.j) == len(self.f):
            raise ValueError(
                f"{self.name}: {len(self.frames)} frames, {len(self.j)} J and {len(self.f)} F; "
                "there must be as many of each, and some"
            )

    @property
    def name(self) -> str:
        """The name that the tables of davis2017-evaluation have: ``bear_1``."""
        return f"{self.sequence}_{self.object_id}"

    @cached_property
    def region(self) -> Statistics:
        """Mean, recall and decay of J."""
        return summarize(self.j)

    @cached_property
    def contour(self) -> Statistics:
        """Mean, recall and decay of F."""
        return summarize(self.f)

    @property
    def j_and_f(self) -> float:
        """Mean of the means of J and F."""
        return (self.region.mean + self.contour.mean) / 2


@dataclass(frozen=True)
class SequenceScore:
    """Scores of the objects of one sequence.

    Attributes:
        name: Of the sequence.
        objects: One score an object, by id; never empty.
        unknown_ids: Ids in the results that the ground truth does not have; not scored.
        unscored_ids: Ids in scored frames of the ground truth that the protocol leaves out, as
            those of objects that come later (DAVIS) or are not in ``meta.json``.
    """

    name: str
    objects: tuple[ObjectScore, ...]
    unknown_ids: tuple[int, ...] = ()
    unscored_ids: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if not self.objects:
            raise ValueError(f"sequence {self.name!r} has no object to score")

    @property
    def j_mean(self) -> float:
        """Mean of J over the objects."""
        return float(np.mean([o.region.mean for o in self.objects]))

    @property
    def f_mean(self) -> float:
        """Mean of F over the objects."""
        return float(np.mean([o.contour.mean for o in self.objects]))

    @property
    def j_and_f(self) -> float:
        """Mean of the means of J and F."""
        return (self.j_mean + self.f_mean) / 2


@dataclass(frozen=True)
class DatasetScore:
    """Scores of a dataset. Every object counts the same, however many its sequence has.

    Attributes:
        protocol: Name of the rules that were followed (``"davis2017"``).
        image_set: Name of the list of sequences; ``"all"`` without one.
        sequences: One score a sequence, in the order of the list; never empty.
    """

    protocol: str
    image_set: str
    sequences: tuple[SequenceScore, ...]

    def __post_init__(self) -> None:
        if not self.sequences:
            raise ValueError("there is no sequence to score")

    @property
    def rules(self) -> Rules:
        """Those of the protocol; ConfigError if there is none of the name."""
        return rules_of(self.protocol)

    @property
    def objects(self) -> tuple[ObjectScore, ...]:
        """The objects of all sequences, in order."""
        return tuple(o for s in self.sequences for o in s.objects)

    @cached_property
    def region(self) -> Statistics:
        """Mean, recall and decay of J, each the mean over objects."""
        return _mean_over_objects([o.region for o in self.objects])

    @cached_property
    def contour(self) -> Statistics:
        """Mean, recall and decay of F, each the mean over objects."""
        return _mean_over_objects([o.contour for o in self.objects])

    @property
    def j_and_f(self) -> float:
        """Mean of the means of J and F."""
        return (self.region.mean + self.contour.mean) / 2

    @cached_property
    def by_group(self) -> dict[str, float | None]:
        """G, and what it is the mean of: J and F of each group's objects (``"J-Seen"``), by name.

        None where there is no object of a group; empty where the protocol has no groups.
        """
        parts: dict[str, float | None] = {}
        for group in self.rules.groups:
            of_group = [o for o in self.objects if o.group == group]
            for name, measure in (("J", "region"), ("F", "contour")):
                values = [getattr(o, measure).mean for o in of_group]
                parts[f"{name}-{group}"] = float(np.mean(values)) if values else None
        if not parts:
            return {}
        known = [value for value in parts.values() if value is not None]
        return {"G": float(np.mean(known)) if len(known) == len(parts) else None, **parts}


def _mean_over_objects(statistics: list[Statistics]) -> Statistics:
    rows = [(s.mean, s.recall, s.decay) for s in statistics]
    return Statistics(*(float(np.mean(column)) for column in zip(*rows, strict=True)))
