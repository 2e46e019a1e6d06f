"""One thing that was looked at."""

import getpass
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

State = Literal["fine", "absent", "broken"]
_MARKS: dict[State, str] = {"fine": " ", "absent": "-", "broken": "!"}


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found, in one line, and what to do about it: always said where it is broken.

    "absent" is no fault: nobody needs it.
    """

    name: str
    value: str
    state: State = "fine"
    advice: str = ""

    def __post_init__(self) -> None:
        if self.state == "broken" and not self.advice:
            raise ValueError(f"{self.name} is broken, but nothing says what to do")

    def to_text(self) -> str:
        """One line that can be pasted; ``!`` marks what is broken, ``-`` what is absent."""
        return f"{_MARKS[self.state]} {self.name:<23}{self.value}"

    def to_dict(self) -> dict[str, str]:
        """As plain JSON types, without the name."""
        advice = {"advice": self.advice} if self.advice else {}
        return {"value": self.value, "state": self.state, **advice}


def without_personal_names(text: object) -> str:
    """One line of text with ~ for the home folder, and USER for its owner's name in paths."""
    line = " ".join(str(text).split())
    with suppress(RuntimeError, OSError):
        home = str(Path.home())
        if len(home) > 1:
            line = re.sub(rf"(?<![\w./\\-]){re.escape(home)}(?![\w.-])", "~", line)
    with suppress(Exception):  # a user without a name: whatever the system raises
        line = re.sub(rf"(?<=[/\\]){re.escape(getpass.getuser())}(?![\w.-])", "USER", line)
    return line
