"""All outputs of one pass, as a user names them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import get_args

from ddeal_core.choices import OutputKind
from ddeal_core.errors import InputError, OutputError
from ddeal_core.media.outputs.look import OutputLook
from ddeal_core.media.outputs.manifest import is_manifest, manifest_path
from ddeal_core.media.outputs.result_writer import ResultWriter
from ddeal_core.media.outputs.video_writer import VideoWriter
from ddeal_core.media.outputs.writers import fits, is_input, same_place, writer_of
from ddeal_core.media.sources.frame_source import FrameSource
from ddeal_core.whole_files import output_error, part_of


def open_outputs(
    words: Sequence[str | os.PathLike[str]],
    *,
    source: FrameSource,
    kind: OutputKind | None = None,
    overwrite: bool = False,
    keep: Iterable[Path] = (),
    look: OutputLook | None = None,
) -> list[ResultWriter]:
    """Open one writer for each output; nothing is written yet.

    Args:
        words: Files and folders, each with its kind before it if wanted: ``matte=key.mp4``.
        source: The video.
        kind: Of those outputs that do not say and whose name fits it; by their ending if None.
        overwrite: Whether results may be replaced.
        keep: Files that must not be written over, whatever `overwrite` says.
        look: How they look; at least one output must show a background that it names.

    Raises:
        InputError: An output's name, kind or place is not fit to be written to.
    """
    look = look or OutputLook()
    named = [_parted(word) for word in words]
    if not named:
        raise InputError("no output is named: give a file or a folder")
    if kind is not None and not any(own is None and fits(kind, path) for own, path in named):
        # No output fits the kind: opening the first as that kind says why.
        first = named[0][1]
        if fits(kind, Path("folder")):
            raise InputError(
                f"{first} is named like a file, but {kind} go to a folder: write {kind}={first} "
                "for a folder of this name"
            )
        named = [(own or kind, path) for own, path in named[:1]] + named[1:]
    kept = list(keep)
    writers: list[ResultWriter] = []
    try:
        for own, path in named:
            _check_taken(path, [other.path for other in writers])
            _check_kept(path, kept)
            chosen = own or (kind if kind is not None and fits(kind, path) else None)
            writers.append(writer_of(path, source, chosen, look))
            if not overwrite:
                check_free([path])
            check_writable(path)
        shown = any(isinstance(w, VideoWriter) and w.kind == "background" for w in writers)
        if look.background is not None and not shown:
            raise InputError(
                "no output shows the background: add one such as composite.mp4, or write "
                f"background={named[0][1].with_suffix('.mov').name}"
            )
    except OutputError as error:  # nothing was begun: the name is at fault
        abandon_all(writers)
        raise InputError(error) from None
    except BaseException:
        abandon_all(writers)
        raise
    return writers


def check_place(
    path: Path,
    *,
    source: FrameSource,
    taken: Iterable[Path] = (),
    keep: Iterable[Path] = (),
    overwrite: bool = False,
) -> None:
    """Raise InputError unless an output that `open_writer` does not open may be written at `path`.

    `taken` are the places of other outputs; all else is as in `open_outputs`.
    """
    _check_taken(path, taken)
    if is_input(path, source):
        raise InputError(f"{path} is the input's own place: write the output somewhere else")
    _check_kept(path, keep)
    if not overwrite:
        check_free([path])
    check_writable(path)


def _check_taken(path: Path, taken: Iterable[Path]) -> None:
    if any(_collide(path, other) for other in taken):
        raise InputError(f"{path} is named twice as an output: give each its own name")


def _check_kept(path: Path, keep: Iterable[Path]) -> None:
    for file in keep:
        if same_place(path, file) or (path.is_dir() and same_place(path, file.parent)):
            raise InputError(f"{path} holds the mask {file}: write the output somewhere else")


def abandon_all(writers: Iterable[ResultWriter]) -> None:
    """Let go of outputs that were opened and are not wanted after all."""
    for writer in writers:
        writer.abandon()


def _parted(word: str | os.PathLike[str]) -> tuple[OutputKind | None, Path]:
    text = os.fspath(word)
    if not text:
        raise InputError("an output has no name: give a file or a folder")
    front, sign, rest = text.partition("=")
    for kind in get_args(OutputKind):
        if sign and front == kind and rest:
            return kind, _nameable(rest)
    meant = get_close_matches(front.lower(), get_args(OutputKind), n=1, cutoff=0.7) if sign else []
    if meant:
        raise InputError(
            f"there is no kind {front!r}: write {meant[0]}={rest}, or ./{text} if that is the "
            "output's name"
        )
    return None, _nameable(text)


def _nameable(text: str) -> Path:
    """A path that ends with a name, also for ``.`` and ``..``: things are put beside it."""
    path = Path(text)
    if path.name in ("", ".."):
        path = path.resolve()
        if not path.name:
            raise InputError(f"{text} is the root of all folders: name one inside it")
    return path


def check_free(paths: Iterable[Path]) -> None:
    """Check that nothing would be replaced.

    Raises:
        InputError: A file is there, or a folder that is not empty.
    """
    for path in paths:
        if path.is_dir():
            if any(not entry.name.startswith(".") for entry in path.iterdir()):
                raise InputError(f"the folder {path} is not empty", remedy="overwrite")
            continue
        if path.exists() or path.is_symlink():
            raise InputError(f"{path} exists", remedy="overwrite")
        beside = manifest_path(path)
        if beside.exists() and not is_manifest(beside):
            raise InputError(f"{beside} exists", remedy="overwrite")


def check_writable(path: Path) -> None:
    """Try whether an output can be made, before any work is done for it; nothing is left behind.

    Folders that are missing are tried inside one of this call's own: another process may be about
    to make them, and to write there.

    Raises:
        InputError: Its folder cannot be made, or takes no file.
    """
    whole = path.absolute()
    folder = whole if path.is_dir() else whole.parent
    above = next(each for each in (folder, *folder.parents) if each.exists())
    try:
        if above == folder:
            trial = part_of(folder / path.name)
            trial.touch()
            trial.unlink()
        else:
            with TemporaryDirectory(prefix=".ddeal-", dir=above) as made:
                trial = part_of(Path(made, whole.relative_to(above)))
                trial.parent.mkdir(parents=True)
                trial.touch()
    except OSError as error:
        raise InputError(str(output_error(path, error))) from None


def _collide(first: Path, second: Path) -> bool:
    """Whether two outputs, with their manifests, would meet."""
    return (
        same_place(first, second)
        or same_place(manifest_path(first), second)
        or same_place(first, manifest_path(second))
    )
