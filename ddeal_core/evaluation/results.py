"""A folder of results, ``<sequence>/<frame>.png``, looked over before it is scored."""

import filecmp
import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from ddeal_core.errors import DatasetError
from ddeal_core.whole_files import writing

_LOG = logging.getLogger(__name__)


def locate_results(folder: Path, names: Sequence[str], *, loose: bool = False) -> dict[str, Path]:
    """Return the folder of every sequence's results, there or not.

    With `loose`, a single sequence's masks may lie in `folder` itself.

    Raises:
        DatasetError: `folder` is missing.
    """
    if not folder.is_dir():
        what = "is a file" if folder.exists() else "is missing"
        raise DatasetError(f"results folder {folder} {what}; give the folder of sequences")
    if loose and len(names) == 1 and not (folder / names[0]).is_dir() and any(folder.glob("*.png")):
        return {names[0]: folder}
    return {name: folder / name for name in names}


def check_results(
    folder: Path, folders: Mapping[str, Path], annotations: Mapping[str, Sequence[tuple[str, Path]]]
) -> None:
    """Make sure that every scored frame has a result, and that it is no ground truth.

    Ground truth is told by its place, or by files that are the annotations byte for byte. By
    sequence, `folders` are those of `locate_results`, and `annotations` hold stem and annotation
    file of the scored frames.

    Raises:
        DatasetError: Lists all sequences and frames that are missing.
    """
    for name, scored in annotations.items():
        place = folders[name]
        if place.is_dir() and any(place.samefile(path.parent) for _, path in scored[:1]):
            raise DatasetError(
                f"results folder {folder} is the ground truth itself; give the folder "
                "that holds the predictions"
            )
    find_missing(folder, folders, {n: [stem for stem, _ in s] for n, s in annotations.items()})
    copied = [
        name
        for name, scored in annotations.items()
        if all(
            filecmp.cmp(path, folders[name] / f"{stem}.png", shallow=False) for stem, path in scored
        )
    ]
    if len(copied) == len(annotations):
        raise DatasetError(
            f"results folder {folder} is a copy of the ground truth: every scored file is the "
            "annotation byte for byte; give the folder that holds the predictions"
        )
    if copied:
        _LOG.warning(
            "results of %s are the annotations byte for byte: they may be a copy of the ground "
            "truth",
            ", ".join(copied),
        )


def find_missing(
    folder: Path, folders: Mapping[str, Path], frames: Mapping[str, Sequence[str]]
) -> None:
    """Make sure that every frame, given by stems of each sequence, has a result.

    Raises:
        DatasetError: Lists all sequences and frames that are missing.
    """
    lost: list[str] = []
    holes: list[str] = []
    count = 0
    for name, stems in frames.items():
        if not folders[name].is_dir():
            lost.append(name)
            continue
        present = {path.name for path in folders[name].iterdir()}
        missing = [f"{stem}.png" not in present for stem in stems]
        if any(missing):
            count += sum(missing)
            holes.append(f"{name}/{' '.join(_runs(stems, missing))}")
    parts = []
    if lost:
        parts.append(f"{len(lost)} of {len(frames)} sequences ({', '.join(lost)})")
    if holes:
        parts.append(f"{count} frame{'s' if count > 1 else ''} ({', '.join(holes)})")
    if parts:
        raise DatasetError(
            f"results folder {folder} lacks {' and '.join(parts)}; results are "
            "<sequence>/<frame>.png with the names of the annotations"
        )


def clear_masks(folder: Path) -> None:
    """Remove the masks of an earlier run, ``folder/<sequence>/*.png``.

    A frame or sequence that the next run does not write must not stay behind as its result.

    Raises:
        OutputError: They cannot be removed.
    """
    with writing(folder):
        for path in folder.glob("*/*.png"):
            path.unlink()
        for path in folder.glob("*/"):
            if not any(path.iterdir()):
                path.rmdir()


def _runs(stems: Sequence[str], flags: Sequence[bool]) -> Iterable[str]:
    """Shorten neighbours to ``00003-00010``."""
    start: str | None = None
    previous = ""
    for stem, flag in [*zip(stems, flags, strict=True), ("", False)]:
        if flag and start is None:
            start = stem
        elif not flag and start is not None:
            yield start if start == previous else f"{start}-{previous}"
            start = None
        previous = stem
