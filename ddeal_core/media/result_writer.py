"""What every writer of results is."""

from __future__ import annotations

import errno
from abc import ABC, abstractmethod
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from ddeal_core.errors import OutputError
from ddeal_core.media.frame import Frame

__all__ = ["ResultWriter", "output_error"]


def output_error(path: Path, error: Exception) -> OutputError:
    """Say in one line why `path` cannot be written."""
    code = getattr(error, "errno", None)
    if code == errno.ENOSPC:
        return OutputError(f"cannot write {path}: the disk is full; free some space and try again")
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return OutputError(f"cannot write {path}: {reason}")


class ResultWriter(ABC):
    """Takes frames with their cut-outs, in order; use it with `with`.

    Leaving without an exception publishes the finished output by one rename; leaving with one
    leaves nothing behind (a folder of masks keeps the whole masks written so far).

    Attributes:
        path: Where the output will be.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @abstractmethod
    def write(self, frame: Frame, labels: NDArray[np.uint8], alpha: NDArray[np.uint8]) -> None:
        """Add one frame.

        Args:
            frame: The frame as it came from its source.
            labels: HxW uint8, 0 background, else the object's id (1..254).
            alpha: HxW uint8, probability of any object, 0 to 255.

        Raises:
            OutputError: It cannot be written.
            ValueError: Shapes do not fit the frame.
        """

    @abstractmethod
    def finish(self) -> None:
        """Complete the output and give it its name."""

    @abstractmethod
    def abandon(self) -> None:
        """Remove what is not complete."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is not None:
            self.abandon()
            return
        try:
            self.finish()
        except BaseException:
            self.abandon()
            raise


def check_planes(frame: Frame, labels: NDArray[np.uint8], alpha: NDArray[np.uint8]) -> None:
    """Raise ValueError unless both planes are uint8 of the frame's size."""
    for name, plane in (("labels", labels), ("alpha", alpha)):
        if plane.shape != frame.size or plane.dtype != np.uint8:
            raise ValueError(
                f"{name} of frame {frame.index} must be {frame.size} uint8, "
                f"not {plane.shape} {plane.dtype}"
            )
