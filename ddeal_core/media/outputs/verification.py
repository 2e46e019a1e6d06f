"""Holding finished outputs against their manifests, byte by byte."""

from __future__ import annotations

import stat
from dataclasses import dataclass
from pathlib import Path

from ddeal_core.errors import InputError, ManifestError
from ddeal_core.media.identity import sha256_of_file
from ddeal_core.media.outputs.manifest import (
    FILE_ENDING,
    FOLDER_MANIFEST,
    FileRecord,
    read_manifest,
    strangers,
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What `verify` found.

    Attributes:
        path: The output.
        frames: How many it holds, as its manifest says.
        size: Of its files together, in bytes, as its manifest says.
        problems: What is wrong and where, in a line each; none if the output is whole.
    """

    path: Path
    frames: int
    size: int
    problems: tuple[str, ...]

    @property
    def whole(self) -> bool:
        """Whether every file is there with the bytes that were written, and no other image."""
        return not self.problems


def outputs_at(path: Path) -> list[Path]:
    """Find the outputs that a name stands for.

    Args:
        path: An output, a manifest, or a folder with outputs in it, at any depth.

    Returns:
        Outputs by name; `path` itself where nothing has a manifest.

    Raises:
        InputError: Nothing is there.
    """
    if path.name == FOLDER_MANIFEST:
        return [path.absolute().parent]
    if path.name.endswith(FILE_ENDING):
        return [path.with_name(path.name.removesuffix(FILE_ENDING))]
    if not path.is_dir():
        beside = path.with_name(path.name + FILE_ENDING)
        if not path.exists() and not beside.exists():
            raise InputError(f"there is no file or folder {path}")
        return [path]
    if (path / FOLDER_MANIFEST).exists():
        return [path]
    found = [file.parent for file in path.rglob(FOLDER_MANIFEST)]
    found += [
        file.with_name(file.name.removesuffix(FILE_ENDING))
        for file in path.rglob(f"?*{FILE_ENDING}")
    ]
    return sorted(found) or [path]


def verify(path: Path) -> Verdict:
    """Read an output again and say whether it is whole.

    Args:
        path: The folder or file.
    """
    try:
        manifest = read_manifest(path)
    except ManifestError as error:
        if not path.exists():
            return Verdict(path, 0, 0, (f"{path.name} is missing",))
        return Verdict(path, 0, 0, (str(error),))
    base = path if manifest.is_folder else path.parent
    problems = [problem for file in manifest.files if (problem := _problem(base, file))]
    if manifest.is_folder:
        problems += [f"{name} is no part of it" for name in strangers(path, manifest)]
    return Verdict(
        path,
        len(manifest.frames),
        sum(file.size for file in manifest.files),
        tuple(problems),
    )


def _problem(base: Path, file: FileRecord) -> str | None:
    path = base / file.name
    try:
        # A link could lead out of the output, and to what never ends.
        if not path.resolve().is_relative_to(base.resolve()):
            return f"{file.name} is a link to another place"
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            return f"{file.name} is no file"
        if status.st_size != file.size:
            return f"{file.name} has changed: {status.st_size} bytes instead of {file.size}"
        if sha256_of_file(path) != file.sha256:
            return f"{file.name} has changed: its checksum is another"
    except FileNotFoundError:
        return f"{file.name} is missing"
    except (OSError, RuntimeError, ValueError) as error:
        return f"{file.name} cannot be read: {getattr(error, 'strerror', None) or error}"
    return None
