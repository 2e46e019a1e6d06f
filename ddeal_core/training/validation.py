"""Scores of a network on held-out sequences."""

import copy
from collections.abc import Sequence as Sequences
from dataclasses import replace

from ddeal_core.datasets.layouts import Sequence
from ddeal_core.evaluation import DatasetScore, plan_sequence
from ddeal_core.evaluation.methods import as_method, run_method
from ddeal_core.network.ddeal import Ddeal
from ddeal_core.tracking.segmenter import Segmenter

__all__ = ["validate"]


def validate(
    network: Ddeal, sequences: Sequences[Sequence], *, max_frames: int | None = None
) -> DatasetScore:
    """Track each sequence from its first annotated frame and score it by DAVIS 2017's rules.

    Args:
        network: Left as it is; frames are scaled as its configuration says.
        sequences: Annotated on three frames or more.
        max_frames: Frames a sequence, from the first annotated one; None for all.

    Raises:
        DatasetError: A sequence has nothing to score.
    """
    # A segmenter takes its network over; training goes on with the original.
    method = as_method(Segmenter(copy.deepcopy(network)))
    scores = []
    for sequence in sequences:
        part = sequence if max_frames is None else _beginning(sequence, max_frames)
        scores.append(run_method(method, plan_sequence(part), part).score)
    return DatasetScore("davis2017", "held out", tuple(scores))


def _beginning(sequence: Sequence, count: int) -> Sequence:
    start = sequence.annotated_indices[0]
    frames = sequence.frames[start : start + count]
    stems = {path.stem for path in frames}
    masks = {stem: path for stem, path in sequence.annotations.items() if stem in stems}
    return replace(sequence, frames=frames, annotations=masks)
