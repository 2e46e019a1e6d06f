"""J of a network on held-out sequences."""

from collections.abc import Sequence as Seq
from pathlib import Path

import numpy as np
from PIL import Image

from ddeal_core.datasets.clip import IGNORE
from ddeal_core.datasets.layouts import Sequence
from ddeal_core.network.ddeal import Ddeal
from ddeal_core.tracking.tracker import Tracker

__all__ = ["mean_jaccard"]


def mean_jaccard(
    network: Ddeal,
    sequences: Seq[Sequence],
    *,
    short_side: int | None,
    max_frames: int | None = None,
) -> dict[str, float]:
    """Track each sequence from its first annotated frame.

    Args:
        network: In evaluation mode.
        sequences: At least one, each with two annotated frames or more.
        short_side: Pixels that the network sees.
        max_frames: Frames a sequence, from the first annotated one; None for all.

    Returns:
        J by sequence: mean over its objects and its annotated frames after the first.
    """
    scores = {}
    for sequence in sequences:
        start = sequence.annotated_indices[0]
        end = None if max_frames is None else start + max_frames
        tracker = Tracker(network, short_side=short_side)
        jaccards: list[float] = []
        ids: list[int] = []
        for path in sequence.frames[start:end]:
            annotation = sequence.annotations.get(path.stem)
            truth = None if annotation is None else _labels(annotation)
            image = np.asarray(Image.open(path).convert("RGB"))
            if not ids:
                assert truth is not None
                ids = [int(i) for i in np.unique(truth) if i not in (0, IGNORE)]
                if not ids:
                    break
                tracker.step(image, np.where(truth == IGNORE, 0, truth))
                continue
            labels = tracker.step(image).labels
            if truth is not None:
                jaccards += [_jaccard(labels == i, truth == i) for i in ids]
        if jaccards:
            scores[sequence.name] = float(np.mean(jaccards))
    return scores


def _labels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path))


def _jaccard(a: np.ndarray, b: np.ndarray) -> float:
    union = np.count_nonzero(a | b)
    return np.count_nonzero(a & b) / union if union else 1.0
