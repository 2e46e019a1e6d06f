"""What ``ddeal eval`` scores on: a dataset, or a pair of folders."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ddeal_core.choices import Protocol
from ddeal_core.errors import InputError

if TYPE_CHECKING:
    from ddeal_core.datasets import DatasetSequence
    from ddeal_core.evaluation import SequencePlan


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
    return EvaluationTarget(name, dataset, image_set or "all", found, plans)
