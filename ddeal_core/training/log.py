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


@dataclass(frozen=True, slots=True)
class LogRow:
    """One optimiser step."""

    step: int  # number, from 0
    stage: str  # name of the recipe's stage
    seconds: float  # since the run began, pauses between resumptions left out
    learning_rate: float  # of the step
    loss: float  # of the step, mean over its clips
    jaccard: float  # J of the training clips, mean over frames after the first
    data_share: float  # share of the step's time spent waiting for clips
    # J on the held-out sequences after the step; NaN where it was not measured.
    held_out_j: float = math.nan
    held_out_f: float = math.nan  # F on them

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

    Attributes:
        rows: All so far.
    """

    def __init__(self, folder: Path, *, step: int = 0) -> None:
        self.path = folder / "log.csv"
        self.rows = [row for row in _read(self.path) if row.step < step]
        with written_whole(self.path) as part, part.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, _NAMES)
            writer.writeheader()
            writer.writerows(_as_text(row) for row in self.rows)
        self._file = self.path.open("a", newline="", encoding="utf-8")
        self._writer = csv.DictWriter(self._file, _NAMES)

    @property
    def seconds(self) -> float:
        """Time of the last row."""
        return self.rows[-1].seconds if self.rows else 0.0

    def append(self, row: LogRow) -> None:
        """Add a row; it is on disk when this returns."""
        self.rows.append(row)
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
        figure = Figure(figsize=(9, 7))
        FigureCanvasAgg(figure)
        loss, score, rate = figure.subplots(3, 1, sharex=True, height_ratios=(3, 3, 1))
        # Fixed margins: laying text out by itself takes matplotlib a second.
        figure.subplots_adjust(left=0.09, right=0.98, top=0.98, bottom=0.07, hspace=0.08)
        steps = np.array([row.step for row in self.rows])
        _curve(loss, steps, np.array([row.loss for row in self.rows]), "loss")
        _curve(score, steps, np.array([row.jaccard for row in self.rows]), "J, training")
        held = [row for row in self.rows if row.validated]
        for name, colour in (("j", "tab:red"), ("f", "tab:orange")) if held else ():
            values = [getattr(row, f"held_out_{name}") for row in held]
            label = f"{name.upper()}, held out"
            score.plot([row.step for row in held], values, "o-", color=colour, label=label)
        rates = [row.learning_rate for row in self.rows]
        rate.plot(steps, rates, color="tab:gray", label="learning rate")
        rate.set_xlabel("step")
        for axes, corner in ((loss, "upper right"), (score, "lower right"), (rate, "upper right")):
            axes.legend(loc=corner)
            axes.grid(alpha=0.3)
        with written_whole(path, sync=False) as part:
            figure.savefig(part, dpi=110, format="png")
        return path


def _curve(axes, steps, values, label) -> None:  # type: ignore[no-untyped-def]
    """A noisy series, faint, with its running mean over it."""
    axes.plot(steps, values, color="tab:blue", alpha=0.2, linewidth=0.5)
    width = max(1, len(values) // 50)
    smooth = np.convolve(values, np.ones(width) / width, mode="valid")
    axes.plot(steps[width - 1 :], smooth, color="tab:blue", label=label)


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
