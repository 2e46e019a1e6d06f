"""From data on disk to batches of clips, the same for any number of workers and processes."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from ddeal_core.datasets.clip import IGNORE, Clip
from ddeal_core.datasets.layouts import DatasetSequence
from ddeal_core.datasets.sources import Sources
from ddeal_core.datasets.synthetic_config import SyntheticConfig
from ddeal_core.errors import DdealError, InputError
from ddeal_core.training.clip_pass import ClipBatch


@dataclass(frozen=True)
class TrainingData:
    """What a run learns from."""

    sequences: tuple[DatasetSequence, ...] = ()  # real video with masks
    sources: Sources | None = None  # material for synthetic clips; None is without them
    # Sequences for validation, each annotated on three frames or more; without any, nothing is
    # validated and the last weights are the best.
    held_out: tuple[DatasetSequence, ...] = ()
    synthetic: SyntheticConfig | None = None  # switches of the synthetic clips
    description: tuple[str, ...] = ()  # names of all this, for the provenance of the weights

    def __post_init__(self) -> None:
        if not self.sequences and self.sources is None:
            raise InputError("nothing to train on: name sequences, or switch synthetic clips on")


class ClipSource(Protocol):
    """An endless list of clips; clip ``index`` depends on nothing but its number."""

    def clip(self, index: int) -> Clip:
        """Make a clip."""
        ...


@dataclass(frozen=True)
class Mixture:
    """Real and synthetic clips, drawn by number; `real_share` counts where both are there."""

    synthetic: ClipSource | None
    real: ClipSource | None
    real_share: float
    seed: int

    def clip(self, index: int) -> Clip:
        """Make clip ``index``."""
        if self.real is None or self.synthetic is None:
            source = self.real or self.synthetic
            assert source is not None
            return source.clip(index)
        drawn = np.random.default_rng([self.seed, index, 1]).random()
        return (self.real if drawn < self.real_share else self.synthetic).clip(index)


@dataclass(frozen=True)
class _Steps(Dataset[ClipBatch | DdealError]):
    """The clips of each step that fall to one process; what went wrong takes a batch's place.

    Raised in a worker, it would arrive with that process's traceback in its message.
    """

    source: ClipSource
    steps: range
    clips: int
    part: slice
    objects: int
    seed: int

    def __len__(self) -> int:
        return len(self.steps)

    def __getitem__(self, item: int) -> ClipBatch | DdealError:
        try:
            return self._batch(item)
        except DdealError as error:
            return error

    def _batch(self, item: int) -> ClipBatch:
        first = self.steps[item] * self.clips
        chosen = []
        for number in range(first, first + self.clips)[self.part]:
            rng = np.random.default_rng([self.seed, number, 2])
            chosen.append(_with_objects(self.source.clip(number), self.objects, rng))
        images, masks, valid = (np.stack(x, axis=1) for x in zip(*chosen, strict=True))
        # [T, B, H, W, 3] -> [T, B, 3, H, W]
        return ClipBatch(
            torch.from_numpy(images).permute(0, 1, 4, 2, 3),
            torch.from_numpy(masks),
            torch.from_numpy(valid),
        )


def _with_objects(
    clip: Clip, objects: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Choose objects of the first frame; empty masks fill up where it has too few."""
    ids = [int(i) for i in np.unique(clip.labels[0]) if i not in (0, IGNORE)]
    rng.shuffle(ids)
    ids = (ids + [0] * objects)[:objects]
    masks = np.stack([(clip.labels == i) if i else clip.labels != clip.labels for i in ids], axis=1)
    valid = clip.labels[:, None] != IGNORE
    return clip.images, masks.astype(np.uint8), valid.astype(np.uint8)


def _start_worker(_: int) -> None:
    # One thread each: the cores belong to the training step and to the other workers.
    cv2.setNumThreads(0)
    torch.set_num_threads(1)


def batches(
    source: ClipSource,
    *,
    steps: range,
    clips: int,
    part: slice,
    objects: int,
    seed: int,
    workers: int,
) -> Iterator[ClipBatch]:
    """Batches of consecutive steps; step s holds clips ``s * clips`` to ``(s + 1) * clips - 1``.

    Args:
        source: Where the clips come from.
        steps: Numbers of the steps.
        clips: Clips a step, over all processes.
        part: Those of them that fall to this process.
        objects: Objects a clip.
        seed: Decides which objects.
        workers: Processes that make clips; 0 makes them here.

    Raises:
        DdealError: What the source raises when a clip cannot be made.
    """
    if not len(steps):
        return
    dataset = _Steps(source, steps, clips, part, objects, seed)
    loader: DataLoader[ClipBatch | DdealError] = DataLoader(
        dataset,
        batch_size=None,
        num_workers=workers,
        prefetch_factor=4 if workers else None,
        worker_init_fn=_start_worker,
        # Spawned, not forked: the parent holds threads and perhaps a CUDA context.
        multiprocessing_context="spawn" if workers else None,
        pin_memory=torch.cuda.is_available(),
    )
    for batch in loader:
        if isinstance(batch, DdealError):
            raise batch
        yield batch
