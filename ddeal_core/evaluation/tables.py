"""Scores as files: the two CSV tables of davis2017-evaluation, and a JSON with every frame."""

import csv
import io
import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from ddeal_core.evaluation.scores import DatasetScore, ObjectScore
from ddeal_core.whole_files import write_output, writing

_NUMBER = re.compile(r"[-+]?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?|[-+]?(nan|inf)")


def global_row(score: DatasetScore) -> dict[str, float | None]:
    """Return the numbers of the global table by the names of its columns, those of groups first."""
    return {**score.by_group, **object_row(score)}


def object_row(score: DatasetScore | ObjectScore) -> dict[str, float]:
    """Return the seven numbers of davis2017-evaluation by the names of their columns."""
    row = {"J&F-Mean": score.j_and_f}
    for name, measure in (("J", score.region), ("F", score.contour)):
        row |= {f"{name}-Mean": measure.mean, f"{name}-Recall": measure.recall}
        row[f"{name}-Decay"] = measure.decay
    return row


def global_table(score: DatasetScore) -> str:
    """Return the text of ``global_results-<set>.csv``: one row, three decimals, None empty."""
    row = global_row(score)
    return csv_text([tuple(row), ["" if v is None else f"{v:.3f}" for v in row.values()]])


def sequence_table(score: DatasetScore) -> str:
    """Return the text of ``per-sequence_results-<set>.csv``: one row an object."""
    rows = [(o.name, f"{o.region.mean:.3f}", f"{o.contour.mean:.3f}") for o in score.objects]
    return csv_text([("Sequence", "J-Mean", "F-Mean"), *rows])


def write_tables(score: DatasetScore, folder: str | Path) -> None:
    """Write the global table, that by sequence and ``results.json``, each whole or not at all.

    Raises:
        OutputError: They cannot be written.
    """
    target = Path(folder)
    name = Path(score.image_set).name  # "2017/val" is "val", as in the official names
    write_output(target / f"global_results-{name}.csv", global_table(score).encode())
    write_output(target / f"per-sequence_results-{name}.csv", sequence_table(score).encode())
    write_output(target / "results.json", f"{json.dumps(_record(score), indent=1)}\n".encode())


def csv_text(rows: Iterable[Sequence[str]]) -> str:
    """Return rows as CSV, lines ended as the official tools end them on Linux.

    Names come from folders of strangers. One that a spreadsheet would take for a formula gets an
    apostrophe before it; bytes that are no text are shown as escapes.
    """
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows([_cell(c) for c in row] for row in rows)
    return text.getvalue().encode("utf-8", "backslashreplace").decode()


def _cell(value: str) -> str:
    if not value.startswith(("=", "+", "-", "@", "\t", "\r")) or _NUMBER.fullmatch(value):
        return value
    return f"'{value}"


def clear_tables(folder: str | Path, image_set: str) -> None:
    """Remove what an earlier run of the same set left, lest it be taken for the next one's.

    Tables of other image sets stay.

    Raises:
        OutputError: They cannot be removed.
    """
    name = Path(image_set).name
    stale = (
        f"global_results-{name}.csv",
        f"per-sequence_results-{name}.csv",
        "results.json",
        "submission.zip",
        "ablation.csv",
        "ablation.json",
    )
    with writing(Path(folder)):
        for file in stale:
            (Path(folder) / file).unlink(missing_ok=True)


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
                "unscored_ids": list(sequence.unscored_ids),
                "objects": {
                    str(o.object_id): {
                        **({"category": o.category} if o.group else {}),
                        # The last group is told by not being one of the others.
                        **{g.lower(): o.group == g for g in score.rules.groups[:-1]},
                        **object_row(o),
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
