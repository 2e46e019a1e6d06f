"""The curves of a run: a CSV, and a picture of it."""

import csv
import io
import math
import os
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np

from ddeal_core.text_files import read_text
from ddeal_core.whole_files import written_whole

__all__ = ["LogRow", "TrainingLog"]


@dataclass(frozen=True, slots=True)
class LogRow:
    """One optimiser step.

    Attributes:
        step: Number, from 0.
        stage: Name of the recipe's stage.
        seconds: Since the run began, pauses between resumptions left out.
        learning_rate: Of the step.
        loss: Of the step, mean over its clips.
        jaccard: J of the training clips, mean over frames after the first.
        data_share: Share of the step's time spent waiting for clips.
        held_out_j: J on the held-out sequences after the step; NaN where it was not measured.
        held_out_f: F on them.
    """

    step: int
    stage: str
    seconds: float
    learning_rate: float
    loss: float
    jaccard: float
    data_share: float
    held_out_j: float = math.nan
    held_out_f: float = math.nan

    @property
    def validated(self) -> bool:
        """Whether the held-out sequences were scored after this step."""
        return not math.isnan(self.held_out_j)


_NAMES = tuple(field.name for field in fields(LogRow))


class TrainingLog:
    """Appends rows to ``log.csv`` and draws ``log.png`` beside it.

    Args:
        folder: Of the run.
        step: First step to come; rows from there on, left by a killed run, are dropped.
    """

    def __init__(self, folder: Path, *, step: int = 0) -> None:
        self.path = folder / "log.csv"
        self._rows = [row for row in _read(self.path) if row.step < step]
        with written_whole(self.path) as part, part.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, _NAMES)
            writer.writeheader()
            writer.writerows(_as_text(row) for row in self._rows)
        self._file = self.path.open("a", newline="", encoding="utf-8")
        self._writer = csv.DictWriter(self._file, _NAMES)

    @property
    def rows(self) -> tuple[LogRow, ...]:
        """All rows so far."""
        return tuple(self._rows)

    @property
    def seconds(self) -> float:
        """Time of the last row."""
        return self._rows[-1].seconds if self._rows else 0.0

    def append(self, row: LogRow) -> None:
        """Add a row; it is on disk when this returns."""
        self._rows.append(row)
        self._writer.writerow(_as_text(row))
        self._file.flush()

    def flush(self) -> None:
        """Make sure that the rows outlive the machine, not just the process."""
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """No more rows."""
        self._file.close()

    def draw(self) -> Path:
        """Draw loss, J and learning rate over the steps."""
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        path = self.path.with_suffix(".png")
        figure = Figure(figsize=(9, 7), layout="constrained")
        FigureCanvasAgg(figure)
        loss, score, rate = figure.subplots(3, 1, sharex=True, height_ratios=(3, 3, 1))
        steps = np.array([row.step for row in self._rows])
        _curve(loss, steps, np.array([row.loss for row in self._rows]), "loss", "tab:blue")
        _curve(
            score, steps, np.array([row.jaccard for row in self._rows]), "J, training", "tab:blue"
        )
        held = [row for row in self._rows if row.validated]
        for name, colour in (("j", "tab:red"), ("f", "tab:orange")) if held else ():
            values = [getattr(row, f"held_out_{name}") for row in held]
            label = f"{name.upper()}, held out"
            score.plot([row.step for row in held], values, "o-", color=colour, label=label)
        rate.plot(steps, [row.learning_rate for row in self._rows], color="tab:gray")
        rate.set_ylabel("learning rate")
        rate.set_xlabel("step")
        for axes in (loss, score):
            axes.legend(loc="best")
            axes.grid(alpha=0.3)
        with written_whole(path, sync=False) as part:
            figure.savefig(part, dpi=110, format="png")
        return path


def _curve(axes, steps, values, label, colour) -> None:  # type: ignore[no-untyped-def]
    """A noisy series, faint, with its running mean over it."""
    axes.plot(steps, values, color=colour, alpha=0.2, linewidth=0.5)
    width = max(1, len(values) // 50)
    if len(values) >= width:
        smooth = np.convolve(values, np.ones(width) / width, mode="valid")
        axes.plot(steps[width - 1 :], smooth, color=colour, label=label)


def _as_text(row: LogRow) -> dict[str, str]:
    # repr keeps every digit of a float: two runs can be compared exactly.
    return {name: str(value) for name, value in asdict(row).items()}


def _read(path: Path) -> list[LogRow]:
    if not path.is_file():
        return []
    rows = []
    for values in csv.DictReader(io.StringIO(read_text(path), newline="")):
        try:
            rows.append(
                LogRow(
                    step=int(values["step"]),
                    stage=values["stage"],
                    **{name: float(values[name]) for name in _NAMES[2:]},
                )
            )
        except (KeyError, TypeError, ValueError):
            break  # the line in which the process was killed
    return rows
