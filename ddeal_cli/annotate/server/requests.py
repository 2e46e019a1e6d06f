"""What the page sends, read with suspicion."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request

from ddeal_cli.annotate.exporting import EXPORTS, Export
from ddeal_cli.annotate.marks import BoxMark, Click, Mark, Point, Stroke
from ddeal_core.errors import InputError
from ddeal_core.finishing import Finishing
from ddeal_core.runs import OutputOptions
from ddeal_core.settings import read_settings
from ddeal_core.text_files import parse_json

MAX_BODY = 512 << 10
"""Bytes: a stroke of some 20,000 points."""

_FAR = 1 << 20  # beyond it no number is a coordinate


class TooLargeError(InputError):
    """A request has a larger body than any that the page sends."""


async def read_body(request: Request) -> dict[str, Any]:
    """Read a request's body, which is a JSON object; the rest of one too large is not read."""
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > MAX_BODY:
            raise TooLargeError(f"a request has at most {MAX_BODY} bytes")
    return parsed(body)


def parsed(text: bytes | bytearray) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        InputError: It is no JSON object.
    """
    try:
        record = parse_json(text.decode() or "{}")
    except ValueError:
        raise InputError("the request is no JSON") from None
    if not isinstance(record, dict):
        raise InputError("the request is no JSON object")
    return record


def text_of(record: dict[str, Any], name: str) -> str | None:
    """A text of a record, or None where it is left out."""
    value = record.get(name)
    if value is not None and not isinstance(value, str):
        raise InputError(f"{name} is a text")
    return value


def mark_of(record: dict[str, Any]) -> Mark:
    """A mark, as the page says it."""
    kind, object_id = record.get("kind"), whole(record.get("object"), "object")
    if kind == "box":
        box = record.get("box")
        if not isinstance(box, list) or len(box) != 4:
            raise InputError("a box is [x, y, width, height]")
        x, y, width, height = (whole(value, "box") for value in box)
        return BoxMark(object_id, x, y, width, height)
    if kind == "click":
        inside = record.get("inside")
        if not isinstance(inside, bool):
            raise InputError("a click is inside or not")
        return Click(object_id, _point(record.get("point")), inside)
    if kind in ("brush", "eraser", "inside", "outside"):
        points, radius = record.get("points"), record.get("radius")
        if not isinstance(points, list):
            raise InputError("a stroke has points")
        if isinstance(radius, bool) or not isinstance(radius, int | float) or radius > _FAR:
            raise InputError("a stroke has a radius")
        return Stroke(object_id, kind, float(radius), tuple(_point(each) for each in points))
    raise InputError("a mark is a box, a click, or a stroke")


def export_of(record: dict[str, Any]) -> list[Export]:
    """Outputs that are wanted."""
    keys = record.get("outputs")
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise InputError("outputs are a list of names")
    unknown = [key for key in keys if key not in EXPORTS]
    if unknown:
        raise InputError(f"there is no output {unknown[0]!r}: choose {', '.join(EXPORTS)}")
    return [EXPORTS[key] for key in dict.fromkeys(keys)]


def edges_of(record: dict[str, Any]) -> OutputOptions:
    """Whether edges are hard, and how masks are finished, for outputs to be named.

    Raises:
        InputError: A value is of another kind, or out of range, or edges would be hard and soft.
    """
    hard = record.get("hard", False)
    if not isinstance(hard, bool):
        raise InputError("hard is true or false")
    return OutputOptions(
        (), hard=hard, finishing=read_settings(Finishing, record.get("finishing", {}))
    )


def _point(value: Any) -> Point:
    if not isinstance(value, list) or len(value) != 2:
        raise InputError("a point is [x, y]")
    return whole(value[0], "x"), whole(value[1], "y")


def whole(value: Any, name: str) -> int:
    """A whole number of what is called `name`."""
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > _FAR:
        raise InputError(f"{name} is a whole number")
    return value
