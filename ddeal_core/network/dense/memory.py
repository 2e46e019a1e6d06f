"""A memory of frames between the first and the last one, of bounded size."""

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["UNKNOWN", "Memory", "fill_up"]

UNKNOWN = -1e4
"""Log-weight where nothing is known of an object: no score comes near it."""

_STEP = 2048


@dataclass(frozen=True, slots=True)
class Memory:
    """Keys and log-weights of the remembered frames, side by side, the oldest first.

    Attributes:
        keys: Unit features at stride 8, ``[G, Cd, N]``.
        weights: Log-weights for them, ``[G, K, 2, N]``.
        positions: How many of the N each frame has; all H*W/64 of it, or those that were new.
        interval: Frames from one that is remembered to the next.
    """

    keys: Tensor
    weights: Tensor
    positions: tuple[int, ...]
    interval: int

    def __post_init__(self) -> None:
        if not sum(self.positions) == self.keys.shape[2] == self.weights.shape[3]:
            raise ValueError(f"positions {self.positions} do not add up to {self.keys.shape[2]}")

    @classmethod
    def of(cls, keys: Tensor, weights: Tensor, *, interval: int) -> "Memory":
        """Remember a first frame: ``[G, Cd, P]`` and ``[G, K, 2, P]``."""
        return cls(keys, weights, (keys.shape[2],), interval)

    @property
    def frames(self) -> int:
        """Remembered frames."""
        return len(self.positions)

    @property
    def is_empty(self) -> bool:
        """Whether no position is remembered: nothing was new on any of the frames."""
        return not any(self.positions)

    def add(self, keys: Tensor, weights: Tensor, *, age: int, most: int) -> "Memory":
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
            weights=torch.cat([kept.weights, weights], dim=3),
            positions=(*kept.positions, keys.shape[2]),
        )

    def select(self, indices: list[int]) -> "Memory":
        """Keep only some objects, ``indices`` into K."""
        return replace(self, weights=self.weights[:, indices])

    def join(self, objects: int) -> "Memory":
        """Make room for further objects, of which the remembered frames say nothing."""
        groups, _, classes, positions = self.weights.shape
        unknown = self.weights.new_full((groups, objects, classes, positions), UNKNOWN)
        return replace(self, weights=torch.cat([self.weights, unknown], dim=1))

    def filled_up(self) -> "Memory":
        """The same to match with, of one of few sizes: see `fill_up`.

        Frames are no longer told apart, and nothing can be added.
        """
        keys, weights = fill_up(self.keys, self.weights)
        return Memory(keys, weights, (keys.shape[2],), interval=0)

    def _thinned(self) -> "Memory":
        """Every second frame, counted from the oldest one, which is forgotten."""

        def thin(x: Tensor) -> Tensor:
            frames = torch.split(x, list(self.positions), dim=-1)
            return torch.cat([x[..., :0], *frames[1::2]], dim=-1)

        return Memory(thin(self.keys), thin(self.weights), self.positions[1::2], 2 * self.interval)


def fill_up(keys: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """Bring kernels to one of few numbers, by some that are unknown of every object: none wins.

    Args:
        keys: ``[G, Cd, N]``.
        weights: Log-weights, ``[G, K, 2, N]``.

    Returns:
        The same, with at most a quarter more of them above 8,192, and up to 2,048 below.
    """
    count = keys.shape[2]
    missing = -count % max(_STEP, 1 << max(0, count.bit_length() - 3))
    return F.pad(keys, (0, missing)), F.pad(weights, (0, missing), value=UNKNOWN)
