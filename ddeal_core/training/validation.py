"""Scores of a network on held-out sequences."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ddeal_core.datasets.layouts import DatasetSequence
from ddeal_core.evaluation import DatasetScore, SequencePlan, plan_sequence
from ddeal_core.evaluation.methods import as_method, run_method

if TYPE_CHECKING:
    from ddeal_core.network.ddeal import Ddeal


@dataclass(frozen=True, slots=True)
class HeldOut:
    """A sequence to validate on, and what of it is scored."""

    sequence: DatasetSequence  # from its first annotated frame on
    plan: SequencePlan  # by the rules of DAVIS 2017

    @classmethod
    def of(cls, sequence: DatasetSequence, *, max_frames: int | None = None) -> "HeldOut":
        """Plan an annotated sequence, or so many frames of it from the first annotated one on.

        Raises:
            DatasetError: Nothing in it can be scored.
        """
        start = sequence.annotated_indices[0] if sequence.annotations else 0
        frames = sequence.frames[start : None if max_frames is None else start + max_frames]
        masks = {
            path.stem: sequence.annotations[path.stem]
            for path in frames
            if path.stem in sequence.annotations
        }
        part = replace(sequence, frames=frames, annotations=masks)
        return cls(part, plan_sequence(part))


def validate(network: "Ddeal", held_out: Iterable[HeldOut]) -> DatasetScore:
    """Track each sequence from its first annotated frame and score it.

    The network is left as it is; frames are scaled as its configuration says.
    """
    from ddeal_core.tracking.segmenter import Segmenter

    method = as_method(Segmenter(network))
    scores = [run_method(method, item.plan, item.sequence).score for item in held_out]
    return DatasetScore("davis2017", "held out", tuple(scores))
