"""How far many videos are: a bar each and one of all on a terminal, lines in a file."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

from ddeal_cli.console import human, one_line, say
from ddeal_cli.progress import time_left

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from ddeal_core.batch import Job, Outcome, Position

_SECONDS_BETWEEN_LINES = 10.0


class ManyProgress:
    """Shows the videos that are under way, how many are done, and the time that is left."""

    def __init__(self, total: int, *, quiet: bool = False) -> None:
        self._total, self._quiet = total, quiet
        self._ended = self._idle = 0
        self._frames = 0
        self._under_way: dict[Job, Position] = {}
        self._began = self._told = time.monotonic()
        self._bars: Progress | None = None
        self._all: TaskID | None = None
        self._rows: dict[Job, TaskID] = {}

    def __enter__(self) -> Self:
        self._began = self._told = time.monotonic()
        if not self._quiet and human().is_terminal:
            from rich.progress import BarColumn, Progress, TextColumn

            self._bars = Progress(
                TextColumn("{task.description}", markup=False),
                BarColumn(),
                TextColumn("{task.fields[counts]}", markup=False),
                console=human(),
                transient=True,
            )
            self._bars.start()
            self._all = self._bars.add_task("all", total=self._total, counts=self._counts())
        return self

    def __exit__(self, *_: object) -> None:
        if self._bars is not None:
            self._bars.stop()

    def moved(self, position: "Position") -> None:
        """A video is further than before."""
        self._under_way[position.job] = position
        if self._bars is not None:
            row = self._rows.get(position.job)
            if row is None:
                name = one_line(Path(position.job.video).name)
                row = self._rows[position.job] = self._bars.add_task(name, counts="")
            of = "" if position.total is None else f"/{position.total}"
            self._bars.update(
                row,
                total=position.total,
                completed=position.done,
                counts=f"{position.done}{of} frames",
            )
        self._tell_all()

    def ended(self, outcome: "Outcome") -> None:
        """A video is done, or has failed."""
        self._under_way.pop(outcome.job, None)
        self._ended += 1
        self._idle += not outcome.frames  # takes no time, so it says nothing of the rest
        self._frames += outcome.frames
        if self._bars is not None:
            row = self._rows.pop(outcome.job, None)
            if row is not None:
                self._bars.remove_task(row)
        elif outcome.error is None:
            what = "complete before"
            if outcome.status == "done":
                what = f"{outcome.frames} frames, {outcome.frame_rate:.1f} frames/s"
            say(f"{self._ended}/{self._total} {outcome.job.video}: {what}", quiet=self._quiet)
        self._tell_all()

    def _tell_all(self) -> None:
        if self._bars is not None and self._all is not None:
            self._bars.update(self._all, completed=self._done(), counts=self._counts())
            return
        now = time.monotonic()
        if now - self._told >= _SECONDS_BETWEEN_LINES:
            self._told = now
            say(f"segment: {self._counts()}", quiet=self._quiet)

    def _done(self) -> float:
        """Videos that are done, and the parts of those under way whose length is known."""
        parts = (min(p.done / p.total, 1.0) for p in self._under_way.values() if p.total)
        return self._ended + sum(parts)

    def _counts(self) -> str:
        seconds = max(time.monotonic() - self._began, 1e-9)
        frames = self._frames + sum(position.done for position in self._under_way.values())
        text = f"{self._ended}/{self._total} videos"
        if not frames:
            return text
        text = f"{text}, {frames} frames, {frames / seconds:.3g} frames/s"
        worked = self._done() - self._idle
        if worked <= 0:
            return text
        return f"{text}, {time_left(seconds * (self._total - self._done()) / worked)}"
