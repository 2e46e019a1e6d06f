"""A folder of results, ``<sequence>/<frame>.png``, looked over before it is scored."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from ddeal_core.errors import DatasetError

__all__ = ["check_results"]


def check_results(folder: Path, annotations: Mapping[str, Sequence[tuple[str, Path]]]) -> None:
    """Make sure that every scored frame has a result, and that it is no ground truth.

    Args:
        folder: Folder of the results.
        annotations: Stem and annotation file of the scored frames, by sequence.

    Raises:
        DatasetError: Lists all sequences and frames that are missing.
    """
    if not folder.is_dir():
        raise DatasetError(f"results folder {folder} is missing; give the folder of sequences")
    lost: list[str] = []
    holes: list[str] = []
    frames = 0
    for name, scored in annotations.items():
        if not (folder / name).is_dir():
            lost.append(name)
            continue
        if any((folder / name).samefile(path.parent) for _, path in scored[:1]):
            raise DatasetError(
                f"results folder {folder} is the ground truth itself; give the folder "
                "that holds the predictions"
            )
        present = {path.name for path in (folder / name).iterdir()}
        missing = [f"{stem}.png" not in present for stem, _ in scored]
        if any(missing):
            frames += sum(missing)
            stems = [stem for stem, _ in scored]
            holes.append(f"{name}/{' '.join(_runs(stems, missing))}")
    parts = []
    if lost:
        parts.append(f"{len(lost)} of {len(annotations)} sequences ({', '.join(lost)})")
    if holes:
        parts.append(f"{frames} frame{'s' if frames > 1 else ''} ({', '.join(holes)})")
    if parts:
        raise DatasetError(
            f"results folder {folder} lacks {' and '.join(parts)}; results are "
            "<sequence>/<frame>.png with the names of the annotations"
        )


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
