"""Where text goes: people read standard error, machines standard output."""

import json
import logging
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console


# What the command line calls the remedies of the core's errors.
_REMEDIES = {
    "numbered_from": "; say by --numbered-from which number does",
    "convert": ": 'ddeal weights convert' converts the authors' file",
    "max_pixels": ": if you trust it, raise the limit, as with --max-pixels",
    "overwrite": ": name another, or allow --overwrite",
    "resume": ": --resume goes on with it, --overwrite starts afresh",
}

# Controls of terminals, other ends of lines, and what turns the direction of text round.
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")


@cache
def human() -> "Console":
    """The console for people: standard error, shared with the progress bar."""
    from rich.console import Console

    return Console(stderr=True, highlight=False, markup=False, emoji=False)


def one_line(text: object) -> str:
    """Text as one line without control characters, whatever a file's name holds.

    Bytes of a name that are no text are shown as escapes.
    """
    shown = str(text).encode("utf-8", "backslashreplace").decode()
    return _CONTROLS.sub(" ", shown).strip()


def say(text: str, *, quiet: bool = False) -> None:
    """Tell the user something, in one line."""
    if not quiet:
        human().print(one_line(text), soft_wrap=True)


def complain(text: object) -> None:
    """Say what went wrong, in one line."""
    human().print(f"error: {one_line(text)}", soft_wrap=True)


def told(error: object, remedy: str | None = None) -> str:
    """An error of the core, with the option that lifts the refusal."""
    remedy = remedy or getattr(error, "remedy", None)
    return f"{error}{_REMEDIES[remedy]}" if remedy else str(error)


def emit_json(record: dict[str, Any]) -> None:
    """Print one JSON object for machines, the only thing on standard output."""
    sys.stdout.write(json.dumps(record) + "\n")
    sys.stdout.flush()


class _Warnings(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        say(f"warning: {record.getMessage()}")


@contextmanager
def show_warnings() -> Iterator[None]:
    """Show what we warn of as lines that do not break the progress bar."""
    loggers = [logging.getLogger(name) for name in ("ddeal_core", "ddeal_cli")]
    handler = _Warnings(logging.WARNING)
    for logger in loggers:
        logger.addHandler(handler)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeHandler(handler)
