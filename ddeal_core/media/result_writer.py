"""What every writer of results is."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
from abc import ABC, abstractmethod
from pathlib import Path
from types import TracebackType
from typing import Self

from ddeal_core.errors import OutputError
from ddeal_core.media.cutout import Cutout
from ddeal_core.media.frame import Frame

__all__ = ["FolderWriter", "ResultWriter", "output_error", "write_whole"]

_log = logging.getLogger(__name__)


def output_error(path: Path, error: Exception) -> OutputError:
    """Say in one line why `path` cannot be written."""
    code = getattr(error, "errno", None)
    if code == errno.ENOSPC:
        return OutputError(f"cannot write {path}: the disk is full; free some space and try again")
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return OutputError(f"cannot write {path}: {reason}")


def write_whole(path: Path, content: bytes) -> None:
    """Write a file that appears whole, by a rename; folders above it are made.

    Raises:
        OutputError: It cannot be written.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(content)
        partial.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            partial.unlink()
        raise output_error(path, error) from None


class ResultWriter(ABC):
    """Takes frames with their cut-outs, in order; use it with `with`.

    Leaving without an exception publishes the finished output by one rename; leaving with one
    leaves nothing behind (a folder keeps the whole pictures written so far). Where the input ends
    too early, `keep_part` publishes what there is under another name.

    Attributes:
        path: Where the output will be.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @abstractmethod
    def write(self, frame: Frame, cutout: Cutout) -> None:
        """Add one frame.

        Args:
            frame: The frame as it came from its source.
            cutout: What was found in it; of the frame's size.

        Raises:
            OutputError: It cannot be written.
            ValueError: The sizes differ.
        """

    @abstractmethod
    def finish(self) -> None:
        """Complete the output and give it its name."""

    def keep_part(self) -> Path:
        """Complete what was written before the input failed, as ``name.incomplete.ending``.

        Returns:
            Where it is. An older file of that name is replaced.

        Raises:
            OutputError: It cannot be completed.
        """
        self.path = self.path.with_name(f"{self.path.stem}.incomplete{self.path.suffix}")
        self.finish()
        return self.path

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


class FolderWriter(ResultWriter):
    """Writes files into a folder; each appears whole and stays when a later frame fails.

    Files of the same name are replaced, others are left, with a warning when the writing is done.

    Attributes:
        written: Names of the files so far, relative to the folder, with "/".
    """

    _pattern = "*.png"

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        if path.exists() and not path.is_dir():
            raise OutputError(f"{path} is a file; a folder cannot have its name")
        self.written: set[str] = set()

    def finish(self) -> None:
        """Check that there was something to write."""
        if not self.written:
            raise OutputError(f"no frame came, so {self.path} was not written")
        there = {file.relative_to(self.path).as_posix() for file in self.path.glob(self._pattern)}
        strangers = there - self.written
        if strangers:
            _log.warning(
                "%s also holds %d %s files of another run, such as %s",
                self.path,
                len(strangers),
                self._pattern.rpartition(".")[2].upper(),
                min(strangers),
            )

    def keep_part(self) -> Path:
        """Keep the pictures: each is whole."""
        return self.path

    def abandon(self) -> None:
        """Keep the pictures: each is whole."""


def check_size(frame: Frame, cutout: Cutout) -> None:
    """Raise ValueError unless both have one size."""
    if cutout.labels.shape != frame.size:
        raise ValueError(f"frame {frame.index} is {frame.size}, its cut-out {cutout.labels.shape}")
