"""Results of a run, frame by frame, and which of them still follow from the masks given."""

from __future__ import annotations

import shutil
import tempfile
import threading
from bisect import bisect_right
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from ddeal_cli.annotate.frame_marks import FrameMarks
from ddeal_core.errors import DdealError, MaskError
from ddeal_core.media.masks.label_images import Labels, read_labels
from ddeal_core.media.masks.mask_images import write_mask
from ddeal_core.runs.result_log import ResultLog
from ddeal_core.tracking.doubt import Stretch, stretches
from ddeal_core.tracking.result import Result


class GivenMasks:
    """The masks that are given, as they were at one moment.

    Args:
        marks: By frame, each with at least one object in its mask.
    """

    def __init__(self, marks: Mapping[int, FrameMarks]) -> None:
        self._masks = {index: each.mask for index, each in sorted(marks.items())}
        self._digests = {index: mask.digest for index, mask in self._masks.items()}
        self._frames_of: dict[int, list[int]] = {}  # by object
        for index in self._masks:
            for number in marks[index].given:
                self._frames_of.setdefault(number, []).append(index)

    @property
    def frames(self) -> tuple[int, ...]:
        """Frames with a mask, rising."""
        return tuple(self._masks)

    def nearest_to(self, index: int) -> str:
        """Identify the nearest masks, on both sides of a frame, of all objects given up to it."""
        found = []
        for number, frames in self._frames_of.items():
            place = bisect_right(frames, index)
            if place:
                found += [(number, i, self._digests[i]) for i in frames[place - 1 : place + 1]]
        return repr(found) if found else ""

    def last_restart(self, index: int) -> int:
        """The last frame, up to this one, on which all objects given by then are given again."""
        return max(
            frame
            for frame in self._masks
            if frame <= index
            and all(frame in each for each in self._frames_of.values() if each[0] <= frame)
        )

    def labels(self) -> dict[int, Labels]:
        """Label maps by frame."""
        return {index: mask.labels() for index, mask in self._masks.items()}

    def at(self, index: int) -> Labels | None:
        """The mask of a frame, or None."""
        mask = self._masks.get(index)
        return None if mask is None else mask.labels()


class ResultStore:
    """Results in a temporary folder: soft, for exports, and as label maps in PNG files.

    A frame's result is fresh while the nearest masks of each object, before and after it, are those
    that it was computed with. So a mask that is mended makes stale only what lies between the mask
    before it and the one after it. Threads may share a store.

    Args:
        count: Frames of the video.
        size: (height, width).
    """

    def __init__(self, count: int, size: tuple[int, int]) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="ddeal-annotate-"))
        self._size = size
        self._lock = threading.Lock()
        self._codes: dict[str, int] = {"": 0}  # a small number for each state of the masks
        self._known = np.zeros(count, np.int64)  # 0: no result
        self._doubts: dict[int, float] = {}
        self._soft = ResultLog.at(self._folder / "soft.log")

    @property
    def folder(self) -> Path:
        """Where the files are."""
        return self._folder

    def put(self, index: int, result: Result, given: GivenMasks, doubt: float = 0.0) -> None:
        """Keep a frame's result, and how doubtful it is.

        Raises:
            OutputError: The disk is full.
        """
        write_mask(self._file(index), result.labels)
        with self._lock:
            self._soft.add(index, result)
            self._doubts[index] = doubt
            self._known[index] = self._code(given.nearest_to(index))

    def labels(self, index: int) -> Labels | None:
        """A frame's result, fresh or not; None if there is none."""
        if not self._known[index]:
            return None
        try:
            return read_labels(self._file(index))
        except MaskError as error:
            raise DdealError(f"the result of frame {index} is gone: {error}") from None

    def get(self, index: int, device: torch.device) -> Result | None:
        """A frame's whole result, fresh or not; None if there is none."""
        with self._lock:
            try:
                return self._soft.get(index, self._size, device)
            except ValueError as error:
                raise DdealError(f"the result of frame {index} is gone: {error}") from None

    def doubts(self, given: GivenMasks) -> tuple[Stretch, ...]:
        """Frames with fresh results to look at."""
        fresh = self.fresh(given)
        with self._lock:
            return stretches({i: doubt for i, doubt in self._doubts.items() if fresh[i]})

    def fresh(self, given: GivenMasks) -> NDArray[np.bool_]:
        """One value a frame: whether its result follows from the masks that are given.

        Nothing is to be done before the first of them.
        """
        with self._lock:
            wanted = np.zeros(len(self._known), np.int64)
            for frame in given.frames:
                wanted[frame:] = self._code(given.nearest_to(frame))
            return self._known == wanted if given.frames else np.zeros(len(wanted), np.bool_)

    def there(self) -> NDArray[np.bool_]:
        """One value a frame: whether it has a result, fresh or not."""
        return self._known > 0

    def close(self) -> None:
        """Remove the files."""
        self._soft.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _code(self, state: str) -> int:
        return self._codes.setdefault(state, len(self._codes))

    def _file(self, index: int) -> Path:
        return self._folder / f"{index:06d}.png"
