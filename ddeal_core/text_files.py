"""Text and JSON from anybody: every text file that this project opens is read here."""

import json
import re
import reprlib
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

from ddeal_core.errors import InputError

_MOST_BYTES = 256 << 20
_MAY_OVERFLOW = re.compile(r"[eE]\+?\d{3}|\d{309}")


def read_text(
    path: Path, error: type[InputError] = InputError, *, most_bytes: int = _MOST_BYTES
) -> str:
    """Read a text file in UTF-8, with a byte order mark or without; line ends stay what they are.

    Args:
        path: A regular file.
        error: What to raise.
        most_bytes: Its largest size.

    Raises:
        InputError: In its given form, in one line: the file is missing, too large, no file, or no
            text in UTF-8.
    """
    try:
        status = path.stat()
        if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
            raise error(f"{path} cannot be read: it is no regular file")
        if status.st_size > most_bytes:
            raise error(
                f"{path} cannot be read: it has {status.st_size / 1e6:.0f} MB, "
                f"where {most_bytes / 1e6:.0f} MB are the most"
            )
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as wrong:
        raise error(
            f"{path} cannot be read: byte {wrong.start} is no text in UTF-8; save it as UTF-8"
        ) from None
    except OSError as wrong:
        raise error(f"{path} cannot be read: {wrong.strerror or wrong}") from None
    except MemoryError:
        raise error(f"{path} cannot be read: it is too large for the memory") from None
    except ValueError:  # of `stat`
        raise error(f"{str(path)!r} cannot be read: no file can have this name") from None
    if "\0" in text:
        raise error(f"{path} cannot be read: it holds NUL bytes and is no text; save it as UTF-8")
    return text


def read_json(
    path: Path, error: type[InputError] = InputError, *, most_bytes: int = _MOST_BYTES
) -> Any:
    """Read a JSON file: see `read_text` and `parse_json`.

    Raises:
        InputError: In its given form, in one line: the file cannot be read or is no JSON.
    """
    text = read_text(path, error, most_bytes=most_bytes)
    with parsing(path, "JSON", error):
        return parse_json(text)


def parse_json(text: str) -> Any:
    """Parse JSON.

    Raises:
        ValueError: It is no JSON, or nests too deeply, names a value twice, holds a number of
            thousands of digits, or one that is not finite: Python's parser lets most of that pass.
    """
    parse_float = _finite if _MAY_OVERFLOW.search(text) else None
    try:
        return json.loads(
            text, object_pairs_hook=_object, parse_constant=_refuse, parse_float=parse_float
        )
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except MemoryError:
        raise ValueError("it is too large for the memory") from None
    except ValueError as error:
        if "integer string conversion" in str(error):
            raise ValueError("it holds a number of thousands of digits") from None
        raise


@contextmanager
def parsing(
    path: Path, what: str, error: type[InputError] = InputError, *, advice: str = ""
) -> Iterator[None]:
    """Turn whatever code stumbles over in a file's content into one line about the file.

    Args:
        path: The file.
        what: What it should be, such as "a list of objects".
        error: What to raise.
        advice: What to do about it.

    Raises:
        InputError: In its given form, for a missing key, another type, or a bad value.
    """
    try:
        yield
    except KeyError as wrong:
        reason = f"it lacks {reprlib.repr(wrong.args[0])}" if wrong.args else "it lacks a value"
    except (TypeError, AttributeError, IndexError):
        reason = "a value in it is of another kind than it should be"
    except RecursionError:
        reason = "it is nested too deeply"
    except (ValueError, OverflowError, InputError) as wrong:
        lines = str(wrong).splitlines() or ["it is damaged"]
        reason = lines[0]
    else:
        return
    raise error(f"{path} cannot be read as {what}: {reason}" + (advice and f"; {advice}"))


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"it names {reprlib.repr(twice)} twice")
    return record


def _finite(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise ValueError(f"{text[:20]} is larger than any number here")
    return value


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no number in JSON")
