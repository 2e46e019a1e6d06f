"""``data.json``: what a folder of packed data holds, written when all of it is there."""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

from ddeal_core.errors import DatasetError
from ddeal_core.settings import Range, read_settings
from ddeal_core.text_files import parsing, read_json
from ddeal_core.whole_files import write_whole

INDEX = "data.json"
_FORMAT = "ddeal packed data 1"
Quantity = Annotated[int, Range(0, 1e15)]


@dataclass(frozen=True)
class PackedPart:
    """One thing that was named, packed."""

    kind: str  # dataset, held-out, stills, cutouts or backgrounds
    name: str  # its name before, without its folder, such as ``DAVIS:train``
    path: str  # folder or file within the packed data, with slashes
    items: Quantity  # sequences, stills, cut-outs, photographs or videos
    files: Quantity = 0  # files
    bytes: Quantity = 0  # their size


@dataclass(frozen=True)
class PackedIndex:
    """What a folder of packed data holds."""

    parts: tuple[PackedPart, ...]  # everything, in the order in which it was named
    choice: dict[str, Any]  # how a run names it, with paths relative to the folder
    settings: dict[str, Any]  # sizes and qualities

    @property
    def files(self) -> int:
        """Files, without the index."""
        return sum(part.files for part in self.parts)

    @property
    def bytes(self) -> int:
        """Their size."""
        return sum(part.bytes for part in self.parts)

    @property
    def digest(self) -> str:
        """Changes with what is packed, not with where it lies."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()

    def to_json(self) -> str:
        """The text of the file."""
        record = {
            "format": _FORMAT,
            "files": self.files,
            "bytes": self.bytes,
            "settings": self.settings,
            "choice": self.choice,
            "parts": [asdict(part) for part in self.parts],
        }
        return json.dumps(record, indent=1) + "\n"


def write_index(index: PackedIndex, root: Path) -> None:
    """Write ``data.json`` into the folder; OSError where the disk does not take it."""
    write_whole(root / INDEX, index.to_json().encode())


def read_index(root: Path) -> PackedIndex:
    """Read ``data.json``, and see whether all files it speaks of are there.

    Raises:
        DatasetError: It is missing or damaged, or files are.
    """
    path = root / INDEX
    if not path.is_file():
        raise DatasetError(
            f"{root} holds no whole packed data: {INDEX}, which is written last, is missing; "
            "pack again, or copy all of it"
        )
    record = read_json(path, DatasetError)
    with parsing(path, "the index of packed data", DatasetError, advice="pack again"):
        if record["format"] != _FORMAT:
            raise ValueError(f"its format is {record['format']!r}, not {_FORMAT!r}")
        index = PackedIndex(
            parts=tuple(read_settings(PackedPart, part) for part in record["parts"]),
            choice=dict(record["choice"]),
            settings=dict(record["settings"]),
        )
        files, size = index.files, index.bytes
    there = [p.stat().st_size for p in root.rglob("*") if p.is_file() and p != path]
    # More may lie there, such as what a file browser leaves.
    if len(there) < files or sum(there) < size:
        raise DatasetError(
            f"{root} is not whole: {len(there)} files of {sum(there)} bytes where {path.name} "
            f"tells of {files} of {size}; copy it again"
        )
    return index
