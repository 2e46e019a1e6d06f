"""A memory of frames between the first and the last one, of bounded size."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

__all__ = ["Memory"]

_UNKNOWN = -1e4  # Log-weight where nothing is known of an object: no score comes near it.


@dataclass(frozen=True, slots=True)
class Memory:
    """Keys and log-weights of M remembered frames, side by side, the oldest first.

    Attributes:
        keys: Unit features at stride 8, ``[G, Cd, M*4L]``, 4L = H*W/64.
        weights: Log-weights for them, ``[G, K, 2, M*4L]``.
        frames: M.
        interval: Frames from one that is remembered to the next.
    """

    keys: Tensor
    weights: Tensor
    frames: int
    interval: int

    @classmethod
    def of(cls, keys: Tensor, weights: Tensor, *, interval: int) -> "Memory":
        """Remember a first frame: ``[G, Cd, H/8, W/8]`` and ``[G, K, 2, 4L]``."""
        return cls(keys.flatten(2), weights, 1, interval)

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
            keys=torch.cat([kept.keys, keys.flatten(2)], dim=2),
            weights=torch.cat([kept.weights, weights], dim=3),
            frames=kept.frames + 1,
        )

    def select(self, indices: list[int]) -> "Memory":
        """Keep only some objects, ``indices`` into K."""
        return replace(self, weights=self.weights[:, indices])

    def join(self, objects: int) -> "Memory":
        """Make room for further objects, of which the remembered frames say nothing."""
        groups, _, classes, positions = self.weights.shape
        unknown = self.weights.new_full((groups, objects, classes, positions), _UNKNOWN)
        return replace(self, weights=torch.cat([self.weights, unknown], dim=1))

    def _thinned(self) -> "Memory":
        """Every second frame, counted from the oldest one, which is forgotten."""
        positions = self.keys.shape[2] // self.frames

        def thin(x: Tensor) -> Tensor:
            return x.view(*x.shape[:-1], self.frames, positions)[..., 1::2, :].flatten(-2)

        return Memory(thin(self.keys), thin(self.weights), self.frames // 2, 2 * self.interval)
