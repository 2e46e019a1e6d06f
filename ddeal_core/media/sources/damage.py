"""What is done about frames that cannot be read, and the record of them."""

import logging
from dataclasses import dataclass, field
from pathlib import Path

from ddeal_core.choices import OnError

_log = logging.getLogger(__name__)

_TOLD = 8


@dataclass
class DamageRecord:
    """Frames of one pass over a source that could not be read.

    Attributes:
        source: For messages.
        on_error: What was done about them.
        ranges: First and last number of each run of lost frames, rising.
        unheld: Lost frames before the first good one, which could not be held and were left out.
        others: What else was wrong, one sentence each: holes in the file, a missing end.
    """

    source: Path
    on_error: OnError
    ranges: list[tuple[int, int]] = field(default_factory=list)
    unheld: int = 0
    others: list[str] = field(default_factory=list)

    @property
    def count(self) -> int:
        """Frames that were lost."""
        return sum(last - first + 1 for first, last in self.ranges)

    def lose(self, index: int, why: str) -> None:
        """Note a frame; the first one is told at once."""
        if not self.ranges:
            _log.warning(
                "%s is damaged at frame %d: %s; it goes on (%s)",
                self.source,
                index,
                why,
                "frames that cannot be read are left out"
                if self.on_error == "skip"
                else "the last good frame stands for those that cannot be read",
            )
        if self.ranges and self.ranges[-1][1] == index - 1:
            self.ranges[-1] = (self.ranges[-1][0], index)
        else:
            self.ranges.append((index, index))

    def note(self, what: str) -> None:
        """Note damage that is not that of a frame whose number is known."""
        self.others.append(what)

    def warn(self) -> None:
        """Warn of all that was lost, in one line; of nothing if all was well."""
        parts = []
        if self.ranges:
            shown = [str(a) if a == b else f"{a}-{b}" for a, b in self.ranges[:_TOLD]]
            shown += ["..."] if len(self.ranges) > _TOLD else []
            done = "left out" if self.on_error == "skip" else "held"
            noun = "frame" if self.count == 1 else "frames"
            early = f"; {self.unheld} before any good one, left out" if self.unheld else ""
            parts.append(f"{self.count} damaged {noun} {done}: {', '.join(shown)}{early}")
        parts += self.others[:_TOLD]
        if parts:
            _log.warning("%s: %s", self.source, "; ".join(parts))
