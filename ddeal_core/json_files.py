"""Reading JSON files that may come from anybody."""

import json
from pathlib import Path
from typing import Any, NoReturn

__all__ = ["read_json"]


def read_json(path: Path) -> Any:
    """Read a JSON file in UTF-8, with a byte order mark or without.

    Raises:
        OSError: It cannot be read.
        ValueError: It is no JSON; or it nests too deeply, holds NaN or infinity, which are no JSON
            but pass for it in Python, or a whole number of thousands of digits.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"), parse_constant=_refuse)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except UnicodeDecodeError:
        raise ValueError("it is no text in UTF-8") from None
    except MemoryError:
        raise ValueError("it is too large for the memory") from None
    except ValueError as error:
        if "integer string conversion" in str(error):
            raise ValueError("it holds a number of thousands of digits") from None
        raise


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no number in JSON")
