"""One thing that was looked at."""

import getpass
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

__all__ = ["Finding", "State", "without_personal_names"]

State = Literal["fine", "absent", "broken"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found.

    Attributes:
        name: Of the thing.
        value: What it is, in one line.
        state: "absent" is no fault: nobody needs it.
        advice: What to do about it, in one line; always there when it is broken.
    """

    name: str
    value: str
    state: State = "fine"
    advice: str = ""

    def __post_init__(self) -> None:
        if self.state == "broken" and not self.advice:
            raise ValueError(f"{self.name} is broken, but nothing says what to do")


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
