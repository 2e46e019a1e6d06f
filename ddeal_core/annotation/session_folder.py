"""Masks and names in a folder, so that work can be continued.

The folder is one that ``ddeal segment --mask`` takes: a PNG for each frame with a mask, named like
the frame's result. ``objects.json`` beside them holds the names.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ddeal_core.annotation.history import Statement
from ddeal_core.annotation.object_list import checked_name
from ddeal_core.errors import InputError
from ddeal_core.media.frame_reader import FrameReader
from ddeal_core.media.mask_set import read_masks
from ddeal_core.media.masks import write_mask
from ddeal_core.media.result_writer import output_error
from ddeal_core.tracking.tracker import MAX_OBJECT_ID

__all__ = ["SessionFolder"]

Labels = NDArray[np.uint8]

_OBJECTS = "objects.json"


class SessionFolder:
    """Where the masks of a project are kept.

    Args:
        path: Made when something is saved.
    """

    def __init__(self, path: Path) -> None:
        if path.exists() and not path.is_dir():
            raise InputError(f"{path} is a file: name a folder for the session")
        self.path = path
        self._lock = threading.Lock()
        self._saved: dict[str, str] = {}  # digests of the masks in the folder that are ours

    @property
    def is_begun(self) -> bool:
        """Whether something was saved there before."""
        return (self.path / _OBJECTS).is_file()

    def load(self, frames: FrameReader) -> tuple[dict[int, Labels], dict[int, str]]:
        """Read what was saved.

        Returns:
            Label maps by frame, and names by id.

        Raises:
            InputError: The folder holds other things, or masks that do not fit the video.
        """
        names = _names(self.path / _OBJECTS)
        if not any(self.path.glob("*.png")):
            return {}, names
        masks = read_masks([self.path], source=frames.source)
        self._saved = {f"{frames.name(i)}.png": "" for i in masks if i < len(frames)}
        return {index: mask.labels for index, mask in masks.items()}, names

    def save(self, statement: Statement, frames: FrameReader) -> None:
        """Write what has changed; each file appears whole.

        Raises:
            OutputError: The folder cannot be written to.
        """
        with self._lock:
            wanted = {
                f"{frames.name(index)}.png": marks for index, marks in statement.given.items()
            }
            try:
                self.path.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise output_error(self.path, error) from None
            for name, marks in wanted.items():
                digest = marks.mask.digest
                if self._saved.get(name) != digest:
                    write_mask(self.path / name, marks.mask.labels())
                    self._saved[name] = digest
            for name in set(self._saved) - set(wanted):
                with contextlib.suppress(OSError):
                    (self.path / name).unlink()
                del self._saved[name]
            _write_names(
                self.path / _OBJECTS,
                {each.id: each.name for each in statement.objects},
                video=frames.source.path.name,
            )


def _names(path: Path) -> dict[int, str]:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        names = {int(each["id"]): checked_name(str(each["name"])) for each in record["objects"]}
        if any(not 1 <= i <= MAX_OBJECT_ID for i in names):
            raise ValueError("an id is not 1 to 254")
    except (OSError, ValueError, KeyError, TypeError, RecursionError, InputError) as error:
        raise InputError(
            f"{path} cannot be read ({error}): mend it, or name another folder with --session"
        ) from None
    return names


def _write_names(path: Path, names: dict[int, str], *, video: str) -> None:
    record = {"video": video, "objects": [{"id": i, "name": n} for i, n in names.items()]}
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        partial.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            partial.unlink()
        raise output_error(path, error) from None
