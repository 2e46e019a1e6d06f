"""Table V on a screen: the measured lines beside the paper's, in percent as there."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ddeal_cli.tables import show_table

if TYPE_CHECKING:
    from ddeal_core.evaluation import DatasetScore

__all__ = ["show_ablation"]


def show_ablation(
    scores: "Mapping[int, DatasetScore]", rates: Mapping[int, float], *, stderr: bool
) -> None:
    """Print the lines of Table V, and what the paper's numbers are of.

    Args:
        scores: By line.
        rates: Frames a second by line.
        stderr: Print to standard error.
    """
    from ddeal_core.evaluation.ablation import ablation_lines

    lines = ablation_lines(scores)
    names = [name.removesuffix("-Mean").replace("-", " ") for name in lines[0].measured]
    whole = names[-1]
    header = ["line", "GDMM", "BC", "SC", *names, "drop", "frames/s"]
    header += [f"paper {name}" for name in (whole, "drop")]
    rows = []
    for line in lines:
        switches = (line.ablation.matching, line.ablation.base, line.ablation.supplementary)
        paper = tuple(line.paper.values())[-1]
        rows.append(
            [
                str(line.line),
                *("x" if on else "-" for on in switches),
                *map(_percent, line.measured.values()),
                _percent(line.drop),
                f"{rates[line.line]:.1f}",
                _percent(paper),
                _percent(line.paper_drop),
            ]
        )
    show_table(header, rows, stderr=stderr)


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:z.1f}"
