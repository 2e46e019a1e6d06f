"""What lies beside every output: the frames and settings it was made of, and its checksums.

`verify` holds an output against it, byte by byte.

A folder holds its ``manifest.json``; the manifest of ``cut.mov`` is ``cut.mov.manifest.json``
beside it. It is written last, so that an output with a manifest once was whole. It holds no time
and no place: the same input gives the same bytes.
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from ddeal_core.errors import InputError, ManifestError
from ddeal_core.media.file_kinds import IMAGE_ENDINGS
from ddeal_core.media.identity import Settings, sha256_of_file
from ddeal_core.text_files import parse_json, read_text
from ddeal_core.whole_files import write_whole

_FOLDER_MANIFEST = "manifest.json"
_FILE_ENDING = ".manifest.json"
_FORMAT = "ddeal-manifest-1"


@dataclass(frozen=True, slots=True)
class FrameRecord:
    """A frame that an output holds: number in the whole video, name of its file, time stamp."""

    index: int
    name: str
    pts: int | None


@dataclass(frozen=True, slots=True)
class FileRecord:
    """A file of an output.

    Attributes:
        name: Relative to the output's folder, with "/"; of a file output, its own name.
        size: In bytes.
        sha256: In hexadecimal.
    """

    name: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """An output, described.

    Attributes:
        is_folder: Whether the output is a folder.
        settings: Input, masks, network and output, as far as they determine the bytes.
        versions: Of the program and of the libraries that took part.
        time_base: Seconds per unit of the frames' time stamps, such as "1/24", or None.
        frames: In order.
        files: By name.
    """

    is_folder: bool
    settings: Settings
    versions: Mapping[str, str]
    time_base: str | None
    frames: tuple[FrameRecord, ...]
    files: tuple[FileRecord, ...]

    def to_text(self) -> str:
        """JSON in ASCII, a line a frame and a line a file; the same manifest, the same text."""
        frames = [[frame.index, frame.name, frame.pts] for frame in self.frames]
        files = [[file.name, file.size, file.sha256] for file in self.files]
        parts = {
            "format": _compact(_FORMAT),
            "complete": "true",
            "is_folder": _compact(self.is_folder),
            "versions": json.dumps(dict(self.versions), indent=1, sort_keys=True),
            "settings": json.dumps(dict(self.settings), indent=1, sort_keys=True),
            "time_base": _compact(self.time_base),
            "count": _compact(len(frames)),
            "frames": _lines(frames),
            "files": _lines(files),
        }
        return "{\n" + ",\n".join(f'"{name}": {text}' for name, text in parts.items()) + "\n}\n"

    @classmethod
    def from_text(cls, text: str) -> Manifest:
        """Read what `to_text` gave, trusting nothing in it.

        Raises:
            ManifestError: It is no whole manifest, or names files that are not inside the output.
        """
        try:
            record = parse_json(text)
            if not isinstance(record, dict):
                raise ValueError("it is no JSON object")
            if record.get("format") != _FORMAT:
                raise ValueError(f"its format is {record.get('format')!r}, not {_FORMAT}")
            if record["complete"] is not True:
                raise ValueError("it does not say that the output is complete")
            frames = tuple(
                FrameRecord(_whole(index), _kind(name, str), None if pts is None else _int(pts))
                for index, name, pts in _kind(record["frames"], list)
            )
            files = tuple(
                FileRecord(_inside(name), _whole(size), _checksum(sha256))
                for name, size, sha256 in _kind(record["files"], list)
            )
            if record["count"] != len(frames) or not files:
                raise ValueError("it lists another number of frames than it counts")
            if len({file.name for file in files}) < len(files):
                raise ValueError("it lists a file twice")
            versions = _kind(record["versions"], dict)
            time_base = record["time_base"]
            return cls(
                is_folder=_kind(record["is_folder"], bool),
                settings=_kind(record["settings"], dict),
                versions={name: _kind(version, str) for name, version in versions.items()},
                time_base=None if time_base is None else _kind(time_base, str),
                frames=frames,
                files=files,
            )
        except KeyError as error:
            raise ManifestError(f"it lacks {error.args[0]!r}") from None
        except (ValueError, TypeError, RecursionError) as error:
            raise ManifestError(str(error).splitlines()[0] or "it is damaged") from None


def manifest_path(output: Path) -> Path:
    """Where an output's manifest is; what is no folder yet is taken for a file."""
    if output.is_dir():
        return output / _FOLDER_MANIFEST
    return output.with_name(output.name + _FILE_ENDING)


def write_manifest(output: Path, manifest: Manifest) -> None:
    """Write an output's manifest, by one rename.

    Raises:
        OSError: It cannot be written.
    """
    write_whole(manifest_path(output), manifest.to_text().encode("ascii"))


def read_manifest(output: Path) -> Manifest:
    """Read the manifest of an output.

    Args:
        output: The folder or file that it describes.

    Raises:
        ManifestError: There is none, it is damaged, of another output, or names files outside.
    """
    path = manifest_path(output)
    if not path.is_file():
        raise ManifestError(f"{output} has no manifest: nothing says what it should hold")
    text = read_text(path, ManifestError)
    try:
        manifest = Manifest.from_text(text)
    except ManifestError as error:
        raise ManifestError(f"{path} is no manifest to be trusted: {error}") from None
    names = [file.name for file in manifest.files]
    if manifest.is_folder != output.is_dir() or (not manifest.is_folder and len(names) != 1):
        raise ManifestError(f"{path} is no manifest of {output}")
    if not manifest.is_folder and names != [output.name]:
        raise ManifestError(f"{path} is the manifest of {names[0]!r}, not of {output.name}")
    return manifest


def is_manifest(path: Path) -> bool:
    """Whether a file is a manifest, of whatever output; a new one may take its place."""
    try:
        Manifest.from_text(read_text(path, ManifestError))
    except ManifestError:
        return False
    return True


def is_complete(output: Path, settings: Settings) -> bool:
    """Whether an output is there that was made with these settings, going by names and sizes.

    Quick: no result is read. `verify` also compares the bytes. The versions of program and
    libraries may be others than today's.

    Args:
        output: The folder or file.
        settings: All of them: see `ddeal_core.runs.run_settings`.
    """
    if not output.exists():
        return False
    try:
        manifest = read_manifest(output)
    except ManifestError:
        return False
    if manifest.settings != _as_json(settings):
        return False
    base = output if manifest.is_folder else output.parent
    try:
        if any((base / file.name).stat().st_size != file.size for file in manifest.files):
            return False
    except OSError:
        return False
    return not manifest.is_folder or not unlisted_images(output, manifest)


def unlisted_images(folder: Path, manifest: Manifest) -> list[str]:
    """Image files in an output's folder that its manifest does not know, by name.

    They would be taken for frames of it. Hidden files, and files that are no images, are not.
    """
    known = {file.name for file in manifest.files}
    found = (
        path.relative_to(folder)
        for path in folder.rglob("*")
        if path.suffix.lower() in IMAGE_ENDINGS and not path.is_dir()
    )
    shown = (path.as_posix() for path in found if not any(p.startswith(".") for p in path.parts))
    return sorted(set(shown) - known)


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
    if path.name == _FOLDER_MANIFEST:
        return [path.absolute().parent]
    if path.name.endswith(_FILE_ENDING):
        return [path.with_name(path.name.removesuffix(_FILE_ENDING))]
    if not path.is_dir():
        beside = path.with_name(path.name + _FILE_ENDING)
        if not path.exists() and not beside.exists():
            raise InputError(f"there is no file or folder {path}")
        return [path]
    if (path / _FOLDER_MANIFEST).exists():
        return [path]
    found = [file.parent for file in path.rglob(_FOLDER_MANIFEST)]
    found += [
        file.with_name(file.name.removesuffix(_FILE_ENDING))
        for file in path.rglob(f"?*{_FILE_ENDING}")
    ]
    return sorted(found) or [path]


def verify(path: Path) -> Verdict:
    """Read an output, a folder or a file, again and say whether it is whole."""
    try:
        manifest = read_manifest(path)
    except ManifestError as error:
        if not path.exists():
            return Verdict(path, 0, 0, (f"{path.name} is missing",))
        return Verdict(path, 0, 0, (str(error),))
    base = path if manifest.is_folder else path.parent
    problems = [problem for file in manifest.files if (problem := _problem(base, file))]
    if manifest.is_folder:
        problems += [f"{name} is no part of it" for name in unlisted_images(path, manifest)]
    return Verdict(
        path, len(manifest.frames), sum(file.size for file in manifest.files), tuple(problems)
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


def _as_json(settings: Settings) -> dict[str, Any]:
    """What the settings are once they have been written and read."""
    return cast("dict[str, Any]", json.loads(json.dumps(dict(settings))))


def _compact(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


def _lines(records: Sequence[object]) -> str:
    return "[\n" + ",\n".join(_compact(record) for record in records) + "\n]"


def _kind(value: Any, kind: type[Any]) -> Any:
    if not isinstance(value, kind):
        raise ValueError(f"it holds {_brief(value)} where {kind.__name__} is expected")
    return value


def _int(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"it holds {_brief(value)} where a whole number is expected")
    return value


def _whole(value: Any) -> int:
    if _int(value) < 0:
        raise ValueError(f"it holds {value} where a number of 0 or more is expected")
    return cast("int", value)


def _checksum(value: Any) -> str:
    if not isinstance(value, str) or not re.fullmatch("[0-9a-f]{64}", value):
        raise ValueError(f"it holds {_brief(value)} where a SHA-256 is expected")
    return value


def _inside(name: Any) -> str:
    """Check that a name stays inside its folder."""
    parts = _kind(name, str).split("/")
    # Windows: a name with a colon may start at another drive.
    foreign = "\0" in name or (os.name == "nt" and re.search(r"[\\:]", name))
    if foreign or any(part in ("", ".", "..") for part in parts):
        raise ValueError(f"it names {_brief(name)}, which is not inside the output")
    return cast("str", name)


def _brief(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
