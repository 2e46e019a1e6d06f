"""The paper's ablation study, Table V, on any dataset: lines of scores beside the printed ones."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ddeal_core.evaluation.paper_tables import TABLE_V
from ddeal_core.evaluation.protocols import rules_of
from ddeal_core.evaluation.scores import DatasetScore
from ddeal_core.evaluation.tables import csv_text, global_row
from ddeal_core.network.config import Ablation
from ddeal_core.whole_files import write_output

_PRINTED = {(): "DAVIS 2017", ("Seen", "Unseen"): "YouTube-VOS"}
"""Datasets of Table V, by the groups of their protocols."""


@dataclass(frozen=True, slots=True)
class AblationLine:
    """One line of Table V, measured and printed."""

    line: int  # 1 to 5
    ablation: Ablation  # its switches
    # Scores by name, in [0, 1]: ``J-Mean``, ``F-Mean``, ``J&F-Mean``; where the protocol has groups
    # J and F of each (``J-Seen``, ...) and ``G``. None where the dataset has no object of the kind.
    measured: Mapping[str, float | None]
    # The same of the paper (DAVIS 2017 val, or YouTube-VOS), in [0, 1]; None where the print is
    # damaged, and for other groups.
    paper: Mapping[str, float | None]
    # How far the last of `measured` is below that of line 1; None where one is missing.
    drop: float | None
    paper_drop: float | None  # the same of the paper


def ablation_lines(scores: Mapping[int, DatasetScore]) -> tuple[AblationLine, ...]:
    """Put scores of one protocol, by line (1 to 5), beside the paper's; drops are from line 1.

    Raises:
        ConfigError: Table V has no such line.
        ValueError: Line 1 is missing.
    """
    if 1 not in scores:
        raise ValueError("drops are measured from line 1, which is missing")
    switches = {line: Ablation.table_v(line) for line in scores}
    measured = {line: _measured(score) for line, score in scores.items()}
    printed = TABLE_V if scores[1].rules.groups in _PRINTED else {line: {} for line in TABLE_V}
    paper = {
        line: {n: round(printed[line][n] / 100, 3) if n in printed[line] else None for n in names}
        for line, names in measured.items()
    }
    return tuple(
        AblationLine(
            line,
            switches[line],
            measured[line],
            paper[line],
            _drop(measured[1], measured[line]),
            _drop(paper[1], paper[line]),
        )
        for line in scores
    )


def write_ablation(scores: Mapping[int, DatasetScore], folder: str | Path) -> None:
    """Write ``ablation.csv`` (three decimals) and ``ablation.json`` into a folder.

    Raises:
        OutputError: They cannot be written.
    """
    lines = ablation_lines(scores)
    rows = [_row(line) for line in lines]
    first = next(iter(scores.values()))
    whole = {
        "protocol": first.protocol,
        "set": first.image_set,
        "paper": paper_setting(first.protocol),
        "lines": [ablation_record(line) for line in lines],
    }
    table = csv_text([tuple(rows[0]), *(tuple(row.values()) for row in rows)])
    write_output(Path(folder, "ablation.csv"), table.encode())
    write_output(Path(folder, "ablation.json"), f"{json.dumps(whole, indent=1)}\n".encode())


def paper_setting(protocol: str) -> str:
    """Say in words what the paper's numbers beside scores of this protocol are."""
    dataset = _PRINTED.get(rules_of(protocol).groups)
    return f"Table V: ResNet-101 on {dataset} val" if dataset else "Table V has other groups"


def ablation_record(line: AblationLine) -> dict[str, Any]:
    """Return a line as plain JSON types."""
    return {
        "line": line.line,
        "matching": line.ablation.matching,
        "base": line.ablation.base,
        "supplementary": line.ablation.supplementary,
        **line.measured,
        "drop": line.drop,
        "paper": {**line.paper, "drop": line.paper_drop},
    }


def _measured(score: DatasetScore) -> dict[str, float | None]:
    row = global_row(score)
    total, *parts = score.by_group or ("J&F-Mean", "J-Mean", "F-Mean")
    return {name: row[name] for name in (*parts, total)}


def _drop(whole: Mapping[str, float | None], ablated: Mapping[str, float | None]) -> float | None:
    before, after = tuple(whole.values())[-1], tuple(ablated.values())[-1]
    # Rounded, because the paper's are sums of three decimals that would not look like it.
    return None if before is None or after is None else round(before - after, 12)


def _row(line: AblationLine) -> dict[str, str]:
    def text(value: float | None) -> str:
        return "" if value is None else f"{value:.3f}"

    switches = (line.ablation.matching, line.ablation.base, line.ablation.supplementary)
    return {
        "Line": str(line.line),
        **{n: str(int(on)) for n, on in zip(("GDMM", "BC", "SC"), switches, strict=True)},
        **{name: text(value) for name, value in line.measured.items()},
        "Drop": text(line.drop),
        **{f"Paper-{name}": text(value) for name, value in line.paper.items()},
        "Paper-Drop": text(line.paper_drop),
    }
