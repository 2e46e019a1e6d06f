"""Results on disk: what was found going backwards waits there until its turn has come."""

from __future__ import annotations

import tempfile
import zlib
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ddeal_core.errors import OutputError
from ddeal_core.tracking.result import Result

__all__ = ["Spool"]

_STEPS = 4095
"""Probabilities are kept as multiples of one over this: a thirtieth of a step of 8-bit alpha."""
_LEVEL = 1  # of zlib: others take longer than they save


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a frame's result lies in the file.

    Attributes:
        object_ids: In the order of the maps.
        offset: Of the first byte.
        lengths: Bytes of the labels, then of each object's map.
        boxes: x, y, width and height in which each map is not 0.
        size: (height, width) of the frame.
    """

    object_ids: tuple[int, ...]
    offset: int
    lengths: tuple[int, ...]
    boxes: tuple[tuple[int, int, int, int], ...]
    size: tuple[int, int]


class Spool:
    """Keeps results in a temporary file; use it with `with`, which removes the file.

    Labels come back as they were; objects' probabilities rounded to multiples of 1/4095, and the
    background's as what is left of 1. Memory does not grow but for some numbers a frame. One
    thread at a time may use it; what `get` returned may be used anywhere.
    """

    def __init__(self) -> None:
        self._places: dict[int, _Place] = {}
        try:
            # without a name where the system allows it: nothing stays even after a kill
            self._file = tempfile.TemporaryFile(prefix="ddeal-")  # noqa: SIM115
        except OSError as error:
            raise _full(error) from None

    def add(self, index: int, result: Result, object_ids: tuple[int, ...] | None = None) -> None:
        """Keep a result.

        Args:
            index: Of its frame, in the whole video.
            result: Its probabilities are computed.
            object_ids: Objects of it to keep; all if None. Others fall to the background.

        Raises:
            OutputError: There is no room on the disk.
        """
        kept = result.object_ids if object_ids is None else object_ids
        labels = result.labels
        if kept != result.object_ids:
            labels = np.where(np.isin(labels, kept), labels, 0).astype(np.uint8)
        parts = [zlib.compress(labels.tobytes(), _LEVEL)]
        boxes = []
        for number in kept:
            probability = result.probabilities[1 + result.object_ids.index(number)]
            steps = np.rint(probability * np.float32(_STEPS)).astype(np.uint16)
            x, y, width, height = cv2.boundingRect((steps > 0).view(np.uint8))
            boxes.append((x, y, width, height))
            inner = steps[y : y + height, x : x + width]
            parts.append(zlib.compress(inner.tobytes(), _LEVEL))
        try:
            offset = self._file.seek(0, 2)
            for part in parts:
                self._file.write(part)
            self._file.flush()
        except OSError as error:
            raise _full(error) from None
        size = (labels.shape[0], labels.shape[1])
        lengths = tuple(len(part) for part in parts)
        self._places[index] = _Place(kept, offset, lengths, tuple(boxes), size)

    def get(self, index: int) -> Result | None:
        """Read the result of a frame, or None if there is none."""
        place = self._places.get(index)
        if place is None:
            return None
        self._file.seek(place.offset)
        labels, *maps = [self._file.read(length) for length in place.lengths]

        def enlarge(count: int | None) -> Tensor:
            return torch.from_numpy(_probabilities(place, maps))[:count]

        return Result(
            index=index,
            object_ids=place.object_ids,
            labels=np.frombuffer(bytearray(zlib.decompress(labels)), np.uint8).reshape(place.size),
            enlarge=enlarge,
        )

    @property
    def size(self) -> int:
        """Bytes on the disk."""
        return self._file.seek(0, 2)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()


def _probabilities(place: _Place, maps: list[bytes]) -> NDArray[np.float32]:
    """``[1 + K, H, W]``, background first."""
    out = np.zeros((1 + len(maps), *place.size), np.float32)
    for plane, packed, (x, y, width, height) in zip(out[1:], maps, place.boxes, strict=True):
        steps = np.frombuffer(zlib.decompress(packed), np.uint16).reshape(height, width)
        plane[y : y + height, x : x + width] = steps * np.float32(1 / _STEPS)
    np.clip(1 - out[1:].sum(axis=0), 0, 1, out=out[0])
    return out


def _full(error: OSError) -> OutputError:
    return OutputError(
        "results of the way back do not fit into the temporary folder "
        f"{tempfile.gettempdir()} ({error.strerror or error}): free some space, or name another "
        "folder by the environment variable TMPDIR"
    )
