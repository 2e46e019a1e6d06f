"""What every writer of results is."""

from __future__ import annotations

import hashlib
import logging
from abc import ABC, abstractmethod
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Self

from ddeal_core.errors import OutputError
from ddeal_core.media.frame import Frame
from ddeal_core.media.identity import Settings, sha256_of_file
from ddeal_core.media.matting.cutout import Cutout
from ddeal_core.media.outputs.manifest import FileRecord, manifest_path
from ddeal_core.whole_files import part_of, publish, sync_files, write_whole, writing

_log = logging.getLogger(__name__)


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

    @property
    def settings(self) -> Settings | None:
        """What determines the bytes besides frames and cut-outs; None: no manifest is wanted."""
        return None

    def files(self) -> list[FileRecord]:
        """Give the files of the finished output, with their checksums.

        Raises:
            OutputError: They cannot be read again.
        """
        with writing(self.path):
            size = self.path.stat().st_size
            return [FileRecord(self.path.name, size, sha256_of_file(self.path))]

    def _remove_manifest(self) -> None:
        """Remove the manifest of an earlier output, which is about to be replaced."""
        manifest_path(self.path).unlink(missing_ok=True)

    def _publish(self, part: Path) -> None:
        """Give the finished file its name."""
        self._remove_manifest()
        publish(part, self.path)

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

    def prepare(self, cutout: Cutout) -> None:  # noqa: B027 - most have nothing to work out
        """Let a cut-out work out, in another thread, what `write` will want of it."""

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

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self.abandon()
            return
        try:
            self.finish()
        except BaseException:
            self.abandon()
            raise


class RecordWriter(ResultWriter):
    """Writes records into one file, which has its name once it is whole."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        if path.is_dir():
            raise OutputError(f"{path} is a folder; a {path.suffix} file cannot have its name")
        self._part = part_of(path)
        self._file: BinaryIO | None = None

    def _put(self, content: bytes, *, head: bytes) -> None:
        """Add to the file, which begins with `head`."""
        with writing(self.path):
            if self._file is None:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self._file = self._part.open("wb")
                self._file.write(head)
            self._file.write(content)

    def _end(self) -> bytes:
        """What the file ends with."""
        return b""

    def finish(self) -> None:
        """Complete the file and give it its name."""
        if self._file is None:
            raise OutputError(f"no frame came, so {self.path} was not written")
        with writing(self.path):
            self._file.write(self._end())
            self._file.close()
            self._publish(self._part)

    def abandon(self) -> None:
        """Remove the unfinished file."""
        with suppress(OSError):  # of what is still to be written, on a full disk
            if self._file is not None:
                self._file.close()
        with suppress(OSError):
            self._part.unlink()


class FolderWriter(ResultWriter):
    """Writes files into a folder; each appears whole and stays when a later frame fails.

    Files of the same name are replaced, others are left, with a warning when the writing is done.
    """

    _pattern = "*.png"

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        if path.exists() and not path.is_dir():
            raise OutputError(f"{path} is a file; a folder cannot have its name")
        self._written: dict[str, FileRecord] = {}

    def files(self) -> list[FileRecord]:
        """Give the pictures by name, with the checksums of what was handed to the disk."""
        return [self._written[name] for name in sorted(self._written)]

    def _put(self, name: str, content: bytes) -> None:
        """Write a file into the folder; `name` is relative to it, with "/"."""
        path = self.path / name
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            if not self._written:
                self._remove_manifest()
            write_whole(path, content, sync=False)
        self._written[name] = FileRecord(name, len(content), hashlib.sha256(content).hexdigest())

    def finish(self) -> None:
        """Wait until all pictures are on the disk.

        Raises:
            OutputError: No frame came, or a picture is gone.
        """
        if not self._written:
            raise OutputError(f"no frame came, so {self.path} was not written")
        with writing(self.path):
            sync_files(self.path / name for name in self._written)
        there = {file.relative_to(self.path).as_posix() for file in self.path.glob(self._pattern)}
        others = there - self._written.keys()
        if others:
            _log.warning(
                "%s also holds %d %s files of another run, such as %s",
                self.path,
                len(others),
                self._pattern.rpartition(".")[2].upper(),
                min(others),
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
