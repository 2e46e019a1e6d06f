"""Files that appear under their name only when they are whole, and stay when the power goes."""

from __future__ import annotations

import contextlib
import errno
import glob
import os
import re
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ddeal_core.errors import OutputError

_AT_ONCE = 16  # a disk joins what waits for it: many files take little longer than one


def part_of(path: Path) -> Path:
    """Name what is being written before it is whole: hidden, beside it, this process' own."""
    return path.with_name(f".{path.name}.{os.getpid()}.part")


def journal_folder(output: Path) -> Path:
    """Name the folder in which a run keeps what it has found: hidden, beside its first output."""
    return output.with_name(f".{output.name}.unfinished")


def publish(part: Path, path: Path) -> None:
    """Give a finished file its name, once its bytes are on the disk.

    Raises:
        OSError: The disk does not take it.
    """
    _sync(part)
    part.replace(path)
    _sync_folder(path.parent)


@contextlib.contextmanager
def written_whole(path: Path, *, sync: bool = True) -> Iterator[Path]:
    """Give a name to write to; the file takes its own when the block has ended well.

    Args:
        path: What is replaced, or appears.
        sync: Wait for the disk. Leave it out for many small files, and call `sync_files` on all
            of them before anything says that they are there.

    Yields:
        Where to write. Whatever goes wrong, it is not left behind.

    Raises:
        OSError: The disk does not take it.
    """
    part = part_of(path)
    try:
        yield part
        if sync:
            publish(part, path)
        else:
            part.replace(path)
    finally:
        with contextlib.suppress(OSError):
            part.unlink()


def write_whole(path: Path, content: bytes, *, sync: bool = True) -> None:
    """Write a file that is there whole or not at all: see `written_whole`.

    Raises:
        OSError: The disk does not take it.
    """
    with written_whole(path, sync=sync) as part:
        part.write_bytes(content)


def remove_leftovers(output: Path) -> None:
    """Remove what dead processes left half-written for an output, a file or a folder."""
    parts = list(output.parent.glob(f".{glob.escape(output.name)}.*.part"))
    if output.is_dir():
        parts += output.rglob(".*.part")
    for part in parts:
        match = re.fullmatch(r"\..+\.([0-9]+)\.part", part.name)
        if match is not None and not _runs(int(match[1])):
            with contextlib.suppress(OSError):
                part.unlink()


def _runs(process: int) -> bool:
    """Whether there is such a process besides this one; where unknown, open files protect it."""
    if process == os.getpid() or os.name == "nt":  # there, asking would end it
        return False
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        pass
    return True


def sync_files(paths: Iterable[Path]) -> None:
    """Wait until files and their names are on the disk.

    Raises:
        OSError: One of them is gone, or the disk fails.
    """
    files = list(paths)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        list(pool.map(_sync, files))
    for folder in sorted({file.parent for file in files}):
        _sync_folder(folder)


def _sync(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":  # folders cannot be opened there
        return
    number = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # some network file systems refuse
            os.fsync(number)
    finally:
        os.close(number)


def output_error(path: Path, error: Exception) -> OutputError:
    """Say in one line why `path` cannot be written."""
    code = getattr(error, "errno", None)
    if code == errno.ENOSPC:
        return OutputError(f"cannot write {path}: the disk is full; free some space and try again")
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return OutputError(f"cannot write {path}: {reason}")


@contextlib.contextmanager
def writing(path: Path, *others: type[Exception]) -> Iterator[None]:
    """Turn what the disk refuses, and other errors of these kinds, into one about `path`.

    Raises:
        OutputError: The block failed so.
    """
    caught: tuple[type[Exception], ...] = (OSError, *others)
    try:
        yield
    except caught as error:
        raise output_error(path, error) from None


def write_output(path: Path, content: bytes) -> None:
    """Write a file that is there whole or not at all; folders above it are made.

    Raises:
        OutputError: It cannot be written.
    """
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, content)
