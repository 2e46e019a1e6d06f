"""Label maps that can be kept by the hundred."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

Labels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class LabelMap:
    """A label map of (height, width), compressed row by row; equal where all pixels are."""

    size: tuple[int, int]
    packed: bytes

    @classmethod
    def of(cls, labels: Labels) -> LabelMap:
        """Compress HxW uint8."""
        if labels.ndim != 2 or labels.dtype != np.uint8:
            raise ValueError(f"labels are HxW uint8, not {labels.shape} {labels.dtype}")
        packed = zlib.compress(np.ascontiguousarray(labels).tobytes(), 1)
        return cls((labels.shape[0], labels.shape[1]), packed)

    def labels(self) -> Labels:
        """HxW uint8, a new array."""
        return np.frombuffer(bytearray(zlib.decompress(self.packed)), np.uint8).reshape(self.size)

    @property
    def digest(self) -> str:
        """Stands for the pixels: other pixels have another one."""
        return sha256(repr(self.size).encode() + self.packed).hexdigest()
