"""A memory of frames between the first and the last one, of bounded size."""

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

UNKNOWN = -1e4
"""Log-mask where nothing is known of an object: no score comes near it."""

_STEP = 2048


@dataclass(frozen=True, slots=True)
class Memory:
    """Keys and log-masks of the remembered frames, side by side, the oldest first.

    Attributes:
        keys: Unit features at stride 8, ``[G, Cd, N]``.
        log_masks: Log-masks for them, ``[G, K, 2, N]``.
        positions: How many of the N each frame has; all H*W/64 of it, or those that were new.
        interval: Frames from one that is remembered to the next.
    """

    keys: Tensor
    log_masks: Tensor
    positions: tuple[int, ...]
    interval: int

    def __post_init__(self) -> None:
        if not sum(self.positions) == self.keys.shape[2] == self.log_masks.shape[3]:
            raise ValueError(f"positions {self.positions} do not add up to {self.keys.shape[2]}")

    @classmethod
    def of(cls, keys: Tensor, log_masks: Tensor, *, interval: int) -> "Memory":
        """Remember a first frame: ``[G, Cd, P]`` and ``[G, K, 2, P]``."""
        return cls(keys, log_masks, (keys.shape[2],), interval)

    @property
    def frames(self) -> int:
        """Remembered frames."""
        return len(self.positions)

    @property
    def is_empty(self) -> bool:
        """Whether no position is remembered: nothing was new on any of the frames."""
        return not any(self.positions)

    def add(self, keys: Tensor, log_masks: Tensor, *, age: int, most: int) -> "Memory":
        """Remember one more frame, ``age`` frames after the first of the video.

        A full memory first forgets every second frame that it has, and the new one too if it
        falls between those that stay: they are spread evenly over the video, whatever its length.
        """
        kept = self
        if self.frames >= most:
            kept = self._thinned()
            if age % kept.interval:
                return kept
        return replace(
            kept,
            keys=torch.cat([kept.keys, keys], dim=2),
            log_masks=torch.cat([kept.log_masks, log_masks], dim=3),
            positions=(*kept.positions, keys.shape[2]),
        )

    def select(self, indices: list[int]) -> "Memory":
        """Keep only some objects, ``indices`` into K."""
        return replace(self, log_masks=self.log_masks[:, indices])

    def with_unknown_objects(self, objects: int) -> "Memory":
        """Make room for further objects, of which the remembered frames say nothing."""
        groups, _, classes, positions = self.log_masks.shape
        unknown = self.log_masks.new_full((groups, objects, classes, positions), UNKNOWN)
        return replace(self, log_masks=torch.cat([self.log_masks, unknown], dim=1))

    def padded_to_bucket(self) -> "Memory":
        """The same memory padded to one of few sizes, to match with: see `pad_to_bucket`.

        Frames are no longer told apart, and nothing can be added.
        """
        keys, log_masks = pad_to_bucket(self.keys, self.log_masks)
        return Memory(keys, log_masks, (keys.shape[2],), interval=0)

    def _thinned(self) -> "Memory":
        """Every second frame, counted from the oldest one, which is forgotten."""

        def thin(x: Tensor) -> Tensor:
            frames = torch.split(x, list(self.positions), dim=-1)
            return torch.cat([x[..., :0], *frames[1::2]], dim=-1)

        return Memory(
            thin(self.keys), thin(self.log_masks), self.positions[1::2], 2 * self.interval
        )


def pad_to_bucket(keys: Tensor, log_masks: Tensor) -> tuple[Tensor, Tensor]:
    """Pad kernels to one of few numbers with some of which nothing is known: none wins a match.

    Args:
        keys: ``[G, Cd, N]``.
        log_masks: Log-masks, ``[G, K, 2, N]``.

    Returns:
        Both padded: by at most a quarter above 8,192 kernels, by up to 2,048 below.
    """
    count = keys.shape[2]
    missing = -count % max(_STEP, 1 << max(0, count.bit_length() - 3))
    return F.pad(keys, (0, missing)), F.pad(log_masks, (0, missing), value=UNKNOWN)
