"""Methods run on a dataset: a network or a baseline, sequence by sequence."""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ddeal_core.datasets.layouts import DavisLayout, Sequence
from ddeal_core.evaluation.baselines import carry_along_flow, copy_first_mask
from ddeal_core.evaluation.davis import Protocol, SequencePlan, score_predictions
from ddeal_core.evaluation.labels import read_foreground, read_labels
from ddeal_core.evaluation.scores import SequenceScore
from ddeal_core.media.image_source import read_image
from ddeal_core.media.masks import write_mask
from ddeal_core.tracking.segmenter import Segmenter

__all__ = ["BASELINES", "Method", "MethodRun", "as_method", "run_method", "sequences_of"]

Method = Callable[[Iterable[NDArray[np.uint8]], NDArray[np.uint8]], Iterator[NDArray[np.uint8]]]
"""From frames ``[H, W, 3]`` and the labels of the first one to labels, one map a frame."""

BASELINES: dict[str, Method] = {
    "copy": copy_first_mask,
    "flow": carry_along_flow,
}
"""What a user gets without learning."""


def as_method(segmenter: Segmenter) -> Method:
    """Wrap a network as a method."""

    def method(
        frames: Iterable[NDArray[np.uint8]], mask: NDArray[np.uint8]
    ) -> Iterator[NDArray[np.uint8]]:
        return (result.labels for result in segmenter.track(frames, mask))

    return method


@dataclass(frozen=True, slots=True)
class MethodRun:
    """A method on one sequence.

    Attributes:
        score: J and F of its objects.
        frames: Frames it was run on, from the first annotated one on.
        seconds: Time it took, reading the frames included, scoring and writing left out.
    """

    score: SequenceScore
    frames: int
    seconds: float


def sequences_of(
    dataset: str | Path, plans: Iterable[SequencePlan], *, resolution: str = "480p"
) -> dict[str, Sequence]:
    """Find the frames of what is scored.

    Raises:
        DatasetError: The layout is not there.
    """
    by_name = {s.name: s for s in DavisLayout(dataset, resolution=resolution).sequences()}
    return {plan.name: by_name[plan.name] for plan in plans}


def run_method(
    method: Method,
    plan: SequencePlan,
    sequence: Sequence,
    *,
    masks: Path | None = None,
    progress: Callable[[], None] | None = None,
) -> MethodRun:
    """Give a method the first mask of a sequence, and score what it makes of the rest.

    Args:
        method: A network (`as_method`) or a baseline (`BASELINES`).
        plan: What is scored.
        sequence: Its frames.
        masks: Folder for the label maps, ``<frame>.png``; None keeps none.
        progress: Called after each frame.

    Raises:
        DdealError: A frame or mask cannot be read, or the label maps cannot be written.
    """
    first = sequence.annotated_indices[0]
    paths = sequence.frames[first:]
    mask = _first_mask(sequence.annotations[paths[0].stem], plan.protocol)
    seconds = 0.0

    def predictions() -> Iterator[tuple[str, NDArray[np.uint8]]]:
        nonlocal seconds
        labels = method((read_image(path) for path in paths), mask)
        for path in paths:
            began = time.perf_counter()
            found = next(labels)
            seconds += time.perf_counter() - began
            if masks is not None:
                masks.mkdir(parents=True, exist_ok=True)
                write_mask(masks / f"{path.stem}.png", found)
            if progress is not None:
                progress()
            yield path.stem, found

    made = predictions()
    score = score_predictions(plan, made)
    for _ in made:  # frames after the last one that is scored
        pass
    return MethodRun(score, len(paths), seconds)


def _first_mask(path: Path, protocol: Protocol) -> NDArray[np.uint8]:
    if protocol == "davis2016":
        return read_foreground(path)
    labels = read_labels(path)
    return np.where(labels == 255, 0, labels).astype(np.uint8)
