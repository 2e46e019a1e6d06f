"""How far it is: a bar on a terminal, a line now and then in a file, nothing when quiet."""

import time
from typing import TYPE_CHECKING, Self

from ddeal_cli.console import human, say

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

_SECONDS_BETWEEN_LINES = 5.0
_AT_LEAST = 1.0


class ProgressLine:
    """Shows a count, its rate and the time that is left; use it with `with`.

    Args:
        what: What is being done, in a word or two.
        total: Where the count ends, or None where nobody knows.
        unit: What is counted.
        quiet: Show nothing.
        begun: Count that was there before.
    """

    def __init__(
        self,
        what: str,
        *,
        total: int | None,
        unit: str = "frames",
        quiet: bool = False,
        begun: int = 0,
    ) -> None:
        self._what, self._total, self._unit = what, total, unit
        self._quiet = quiet
        self._begun = self._done = begun
        self._began = self._told = time.monotonic()
        self._told_share = 0
        self._bar: Progress | None = None
        self._task: TaskID | None = None

    @property
    def seconds(self) -> float:
        """Since the beginning."""
        return time.monotonic() - self._began

    @property
    def rate(self) -> float:
        """Counted a second so far."""
        return (self._done - self._begun) / max(self.seconds, 1e-9)

    def __enter__(self) -> Self:
        self._began = self._told = time.monotonic()
        if not self._quiet and human().is_terminal:
            from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

            self._bar = Progress(
                TextColumn("{task.description}", markup=False),
                BarColumn(),
                TextColumn("{task.fields[counts]}", markup=False),
                TimeRemainingColumn(compact=True),
                TextColumn("{task.fields[note]}", markup=False),
                console=human(),
                transient=True,
            )
            self._bar.start()
            self._task = self._bar.add_task(
                self._what, total=self._total, completed=self._begun, counts="", note=""
            )
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def expect(self, more: int) -> None:
        """Move the end of the count further off, if there is one."""
        if self._total is None:
            return
        self._total += more
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, total=self._total)

    def advance(self, *, note: str = "") -> None:
        """Count one more, with a note behind the count."""
        self._done += 1
        if self._quiet:
            return
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=self._done, counts=self._counts(), note=note)
            return
        now = time.monotonic()
        share = 0 if not self._total else self._done * 10 // self._total
        pause = now - self._told
        late = pause >= _SECONDS_BETWEEN_LINES
        further = share > self._told_share and pause >= _AT_LEAST
        if late or further:
            self._told, self._told_share = now, share
            parts = [f"{self._what}: {self._counts()}", *self._left(), note]
            say(", ".join(part for part in parts if part))

    def _counts(self) -> str:
        of = "" if self._total is None else f"/{self._total}"
        return f"{self._done}{of} {self._unit}, {self.rate:.3g} {self._unit}/s"

    def _left(self) -> list[str]:
        if self._total is None or self._done == self._begun:
            return []
        return [time_left((self._total - self._done) / self.rate)]


def time_left(seconds: float) -> str:
    """A time as hours, minutes and seconds."""
    minutes, rest = divmod(max(0, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d} left"
