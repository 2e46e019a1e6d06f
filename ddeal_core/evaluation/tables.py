"""Scores as files: the two CSV tables of davis2017-evaluation, and a JSON with every frame."""

import csv
import io
import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from ddeal_core.errors import OutputError
from ddeal_core.evaluation.scores import DatasetScore, ObjectScore

__all__ = ["GLOBAL_COLUMNS", "global_row", "global_table", "sequence_table", "write_tables"]

GLOBAL_COLUMNS = (
    "J&F-Mean",
    "J-Mean",
    "J-Recall",
    "J-Decay",
    "F-Mean",
    "F-Recall",
    "F-Decay",
)


def global_row(score: DatasetScore | ObjectScore) -> dict[str, float]:
    """Return the seven numbers of the global table by the names of its columns."""
    region, contour = score.region, score.contour
    values = (
        score.j_and_f,
        region.mean,
        region.recall,
        region.decay,
        contour.mean,
        contour.recall,
        contour.decay,
    )
    return dict(zip(GLOBAL_COLUMNS, values, strict=True))


def global_table(score: DatasetScore) -> str:
    """Return the text of ``global_results-<set>.csv``: one row, three decimals."""
    return _csv([GLOBAL_COLUMNS, [f"{v:.3f}" for v in global_row(score).values()]])


def sequence_table(score: DatasetScore) -> str:
    """Return the text of ``per-sequence_results-<set>.csv``: one row an object."""
    rows = [(o.name, f"{o.region.mean:.3f}", f"{o.contour.mean:.3f}") for o in score.objects]
    return _csv([("Sequence", "J-Mean", "F-Mean"), *rows])


def write_tables(score: DatasetScore, folder: str | Path) -> tuple[Path, Path, Path]:
    """Write the CSV tables and ``results.json`` into a folder, each whole or not at all.

    Returns:
        The paths of the global table, the table by sequence, and the JSON.

    Raises:
        OutputError: They cannot be written.
    """
    target = Path(folder)
    name = Path(score.image_set).name  # "2017/val" is "val", as in the official names
    contents = {
        target / f"global_results-{name}.csv": global_table(score),
        target / f"per-sequence_results-{name}.csv": sequence_table(score),
        target / "results.json": json.dumps(_record(score), indent=1) + "\n",
    }
    try:
        target.mkdir(parents=True, exist_ok=True)
        for path, text in contents.items():
            _write_whole(path, text)
    except OSError as error:
        raise OutputError(f"cannot write results to {target} ({error}); choose -o") from error
    first, second, third = contents
    return first, second, third


def _record(score: DatasetScore) -> dict[str, Any]:
    return {
        "protocol": score.protocol,
        "set": score.image_set,
        "global": global_row(score),
        "sequences": {
            sequence.name: {
                "J-Mean": sequence.j_mean,
                "F-Mean": sequence.f_mean,
                "J&F-Mean": sequence.j_and_f,
                "unknown_ids": list(sequence.unknown_ids),
                "objects": {
                    str(o.object_id): {
                        **global_row(o),
                        "frames": {
                            stem: {"J": j, "F": f}
                            for stem, j, f in zip(o.frames, o.j, o.f, strict=True)
                        },
                    }
                    for o in sequence.objects
                },
            }
            for sequence in score.sequences
        },
    }


def _csv(rows: Iterable[Sequence[str]]) -> str:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def _write_whole(path: Path, text: str) -> None:
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        beside.write_text(text, encoding="utf-8", newline="\n")
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
