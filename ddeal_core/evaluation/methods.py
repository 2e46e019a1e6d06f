"""Methods run on a dataset: a network or a baseline, sequence by sequence."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ddeal_core.datasets.layouts import DatasetSequence
from ddeal_core.errors import InputError
from ddeal_core.evaluation.baselines import carry_along_flow, copy_first_mask
from ddeal_core.evaluation.plan import GivenMask, SequencePlan, given_masks
from ddeal_core.evaluation.scores import SequenceScore
from ddeal_core.evaluation.scoring import score_predictions
from ddeal_core.media.masks.label_images import read_foreground, read_labels
from ddeal_core.media.masks.mask_images import write_mask
from ddeal_core.media.sources.image_source import read_image

if TYPE_CHECKING:
    from ddeal_core.tracking.segmenter import Segmenter

Labels = NDArray[np.uint8]

Method = Callable[[Iterable[NDArray[np.uint8]], Labels | Mapping[int, Labels]], Iterator[Labels]]
"""From frames ``[H, W, 3]`` and the labels of the first one (or labels by frame index, the first
at 0, where objects begin later) to labels, one map a frame."""

BASELINES: dict[str, Method] = {"copy": copy_first_mask, "flow": carry_along_flow}
"""What a user gets without learning."""


def as_method(segmenter: "Segmenter") -> Method:
    """Wrap a network as a method."""
    return lambda frames, masks: (result.labels for result in segmenter.track(frames, masks))


@dataclass(frozen=True, slots=True)
class MethodRun:
    """A method on one sequence."""

    score: SequenceScore
    frames: int  # it was run on, from the first annotated one on
    seconds: float  # it took, reading the frames included, scoring and writing left out


def run_method(
    method: Method,
    plan: SequencePlan,
    sequence: DatasetSequence,
    *,
    masks: Path | None = None,
    progress: Callable[[], None] | None = None,
) -> MethodRun:
    """Give a method the masks of a sequence's objects, each on its first frame, and score it.

    Args:
        method: A network (`as_method`) or a baseline (`BASELINES`).
        plan: What is scored.
        sequence: Its frames.
        masks: Folder for the label maps, ``<frame>.png``; None keeps none.
        progress: Called after each frame.

    Raises:
        DdealError: A frame or mask cannot be read, or the label maps cannot be written.
    """
    took: list[float] = []
    made = track_sequence(
        method,
        sequence,
        given=plan.given,
        binary=plan.is_binary,
        masks=masks,
        progress=progress,
        took=took,
    )
    score = score_predictions(plan, made)
    for _ in made:  # frames after the last one that is scored
        pass
    return MethodRun(score, len(took), sum(took))


def track_sequence(
    method: Method,
    sequence: DatasetSequence,
    *,
    given: Sequence[GivenMask] = (),
    binary: bool = False,
    masks: Path | None = None,
    progress: Callable[[], None] | None = None,
    took: list[float] | None = None,
) -> Iterator[tuple[str, Labels]]:
    """As `run_method`, unscored: the annotations hold at least the first masks.

    It starts from the `given` masks, or from the first ones of all objects; where they are
    `binary`, whatever is not zero is object 1. `took` gets the seconds of each frame, reading it
    included.

    Yields:
        Stem and label map of every frame from the first annotated one on.
    """
    given = given or given_masks(sequence)
    index = {path.stem: i for i, path in enumerate(sequence.frames)}
    first = index[given[0].stem]
    paths = sequence.frames[first:]
    starts = {index[mask.stem] - first: _given_labels(mask, binary=binary) for mask in given}
    labels = method((read_image(path) for path in paths), starts[0] if len(starts) == 1 else starts)
    for path in paths:
        began = time.perf_counter()
        try:
            found = next(labels)
        except InputError as error:
            raise type(error)(f"sequence {sequence.name!r}: {error}", remedy=error.remedy) from None
        if took is not None:
            took.append(time.perf_counter() - began)
        if masks is not None:
            masks.mkdir(parents=True, exist_ok=True)
            write_mask(masks / f"{path.stem}.png", found)
        if progress is not None:
            progress()
        yield path.stem, found


def _given_labels(mask: GivenMask, *, binary: bool) -> Labels:
    if binary:
        return read_foreground(mask.path)
    labels = read_labels(mask.path)
    return np.where(np.isin(labels, mask.object_ids), labels, 0).astype(np.uint8)
