"""Masks and names in a folder, so that work can be continued.

The folder is one that ``ddeal segment --mask`` takes: a PNG for each frame with a mask, named like
the frame's result. ``objects.json`` beside them holds the names.
"""

from __future__ import annotations

import contextlib
import json
import threading
from pathlib import Path

from ddeal_cli.annotate.frame_marks import LabelMap
from ddeal_cli.annotate.history import Annotation, checked_name
from ddeal_core.errors import InputError
from ddeal_core.media.masks.label_images import Labels
from ddeal_core.media.masks.mask_images import MAX_OBJECT_ID, write_mask
from ddeal_core.media.masks.mask_set import mask_files, read_masks
from ddeal_core.media.sources.frame_reader import FrameReader
from ddeal_core.text_files import parsing, read_json
from ddeal_core.whole_files import output_error, write_output

_OBJECTS = "objects.json"


class SessionFolder:
    """Where the masks of a project are kept; made when something is saved."""

    def __init__(self, path: Path) -> None:
        if path.exists() and not path.is_dir():
            raise InputError(f"{path} is a file: name a folder for the session")
        self.path = path
        self._lock = threading.Lock()
        self._files: dict[int, Path] = {}  # of the masks in the folder that are ours, by frame
        self._digests: dict[int, str] = {}  # of those, as far as they are known

    @property
    def is_begun(self) -> bool:
        """Whether there is something to go on with: a session, or masks from elsewhere."""
        return (self.path / _OBJECTS).is_file() or any(self.path.glob("*.png"))

    def load(self, frames: FrameReader) -> tuple[dict[int, Labels], dict[int, str]]:
        """Read what was saved: label maps by frame, and names by id."""
        objects = self.path / _OBJECTS
        names = _names(objects) if objects.exists() else {}
        if not any(self.path.glob("*.png")):
            return {}, names
        masks = read_masks([self.path], source=frames.source)
        files = mask_files([self.path], source=frames.source)
        self._files = {index: files[index] for index in masks}
        return {index: mask.labels for index, mask in masks.items()}, names

    def save(self, annotation: Annotation, frames: FrameReader) -> None:
        """Write what has changed; each file appears whole."""
        with self._lock:
            try:
                self.path.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise output_error(self.path, error) from None
            for index, marks in annotation.given.items():
                self._save_mask(index, self.path / f"{frames.name(index)}.png", marks.mask)
            for index in set(self._files) - set(annotation.given):
                self._remove(index)
            _write_names(
                self.path / _OBJECTS,
                {each.id: each.name for each in annotation.objects},
                video=frames.source.path.name,
            )

    def _save_mask(self, index: int, path: Path, mask: LabelMap) -> None:
        if self._digests.get(index) == mask.digest:
            return
        write_mask(path, mask.labels())
        if self._files.get(index, path) != path:  # it was loaded from a file of another name
            self._remove(index)
        self._files[index], self._digests[index] = path, mask.digest

    def _remove(self, index: int) -> None:
        with contextlib.suppress(OSError):
            self._files[index].unlink()
        del self._files[index]
        self._digests.pop(index, None)


def _names(path: Path) -> dict[int, str]:
    record = read_json(path)
    with parsing(path, "a list of objects", advice="mend it, or choose another --session"):
        names = {int(each["id"]): checked_name(str(each["name"])) for each in record["objects"]}
        if any(not 1 <= i <= MAX_OBJECT_ID for i in names):
            raise ValueError("an id is not 1 to 254")
    return names


def _write_names(path: Path, names: dict[int, str], *, video: str) -> None:
    record = {"video": video, "objects": [{"id": i, "name": n} for i, n in names.items()]}
    write_output(path, (json.dumps(record, indent=1) + "\n").encode())
