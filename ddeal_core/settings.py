"""Settings with ranges: one check for every dataclass whose values people may write.

A field states in its type what it may hold, and `__post_init__` asks for the check:

    @dataclass(frozen=True)
    class Options:
        clips: Annotated[int, Range(1, 64)]
        ema: Annotated[float, Range(0, 1, below=True)] = 0.0  # 0 <= ema < 1

        def __post_init__(self) -> None:
            check_settings(self)

`read_settings` builds such a dataclass from JSON and `check_value` checks a single argument.
"""

import dataclasses
import math
import reprlib
from dataclasses import MISSING, dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from ddeal_core.errors import ConfigError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Range:
    """The numbers that a field may hold.

    Attributes:
        low: The least one.
        high: The greatest one.
        above: Whether `low` itself is excluded.
        below: Whether `high` itself is excluded.
    """

    low: float
    high: float
    above: bool = False
    below: bool = False

    def __contains__(self, value: float) -> bool:
        low = value > self.low if self.above else value >= self.low
        return low and (value < self.high if self.below else value <= self.high)

    def __str__(self) -> str:
        return f"{'(['[not self.above]}{self.low:.10g}, {self.high:.10g}{')]'[not self.below]}"


ASCENDING = object()
"""Annotates a tuple whose numbers must not fall, such as (low, high)."""

PRINTABLE = object()

Name = Annotated[str, PRINTABLE]
"""A text that can be shown in one line, in any encoding of Unicode."""

Share = Annotated[float, Range(0, 1)]
"""A probability, or a part of a whole."""

Count = Annotated[int, Range(1, 1_000_000_000)]
"""How many of something there are, one at least."""

Seed = Annotated[int, Range(0, 2**63 - 1)]
"""What decides all chance."""


def check_settings(record: Any) -> None:
    """Hold every field of a dataclass against its type and range.

    Raises:
        ConfigError: A value has another type or lies outside its range; NaN and infinity always do.
    """
    for name, hint in _hints(type(record)).items():
        check_value(name, getattr(record, name), hint)


def read_settings(kind: type[T], values: Any) -> T:
    """Make a dataclass of named values, as `asdict` gives them or as JSON keeps them.

    Lists become tuples, and whole numbers real ones, where the fields have these types.

    Raises:
        ConfigError: A field is unknown, missing, of another type, or out of range.
    """
    if not isinstance(values, dict):
        raise ConfigError(f"settings are named values, not {reprlib.repr(values)}")
    hints, fields = _hints(kind), dataclasses.fields(kind)  # type: ignore[arg-type]
    if unknown := [reprlib.repr(name) for name in values if name not in hints]:
        raise ConfigError(f"unknown settings: {', '.join(unknown[:5])}")
    for field in fields:
        required = field.default is MISSING and field.default_factory is MISSING
        if required and field.name not in values:
            raise ConfigError(f"{field.name} is missing")
    made = kind(**{name: _from_json(name, value, hints[name]) for name, value in values.items()})
    check_settings(made)
    return made


def check_value(name: str, value: Any, hint: Any) -> None:
    """Hold one value against a type such as ``Annotated[int, Range(1, 8)]``.

    Raises:
        ConfigError: It has another type or lies outside its range.
    """
    if get_origin(hint) is Annotated:
        hint, *marks = get_args(hint)
    else:
        marks = []
    if get_origin(hint) in (Union, UnionType):
        if value is None and NoneType in get_args(hint):
            return
        hint = next(option for option in get_args(hint) if option is not NoneType)
        check_value(name, value, Annotated[hint, *marks] if marks else hint)
    elif get_origin(hint) is tuple:
        _check_tuple(name, value, get_args(hint))
        if ASCENDING in marks and list(value) != sorted(value):
            raise ConfigError(f"{name} is written from low to high, not {reprlib.repr(value)}")
    elif hint in (int, float):
        (allowed,) = marks or (None,)
        _check_number(name, value, hint, allowed)
    elif get_origin(hint) is Literal:
        if not isinstance(value, str) or value not in get_args(hint):
            choices = ", ".join(get_args(hint))
            raise ConfigError(f"{name} is one of {choices}, not {reprlib.repr(value)}")
    elif PRINTABLE in marks and isinstance(value, str) and not value.isprintable():
        raise ConfigError(f"{name} is a text of one line, not {reprlib.repr(value)}")
    elif not isinstance(value, get_origin(hint) or hint):
        known = {str: "a text", bool: "true or false"}.get(hint, "a group of named values")
        raise ConfigError(f"{name} is {known}, not {reprlib.repr(value)}")


def _check_number(name: str, value: Any, kind: type, allowed: Range | None) -> None:
    fits = isinstance(value, int if kind is int else int | float) and not isinstance(value, bool)
    if fits and (kind is int or abs(value) < math.inf) and (allowed is None or value in allowed):
        return
    what = "a whole number" if kind is int else "a number"
    where = "" if allowed is None else f" in {allowed}"
    raise ConfigError(f"{name} is {what}{where}, not {reprlib.repr(value)}")


def _check_tuple(name: str, value: Any, parts: tuple[Any, ...]) -> None:
    if not isinstance(value, tuple):
        raise ConfigError(f"{name} is a list, not {reprlib.repr(value)}")
    if parts[-1:] == (...,):
        parts = parts[:1] * len(value)
    if len(value) != len(parts):
        raise ConfigError(f"{name} has {len(parts)} values, not {reprlib.repr(value)}")
    for item, hint in zip(value, parts, strict=True):
        check_value(name, item, hint)


def _from_json(name: str, value: Any, hint: Any) -> Any:
    """Turn lists into tuples and objects into dataclasses; what does not fit stays as it is."""
    if get_origin(hint) is Annotated:
        hint = get_args(hint)[0]
    if dataclasses.is_dataclass(hint):
        try:
            return read_settings(hint, value)  # type: ignore[arg-type]
        except ConfigError as error:
            raise ConfigError(f"{name}: {error}") from None
    if get_origin(hint) is tuple and isinstance(value, list | tuple):
        parts = get_args(hint)
        if parts[-1:] == (...,) or len(parts) != len(value):
            parts = parts[:1] * len(value)
        numbered = enumerate(zip(value, parts, strict=True), start=1)
        return tuple(_from_json(f"{name} {n}", item, part) for n, (item, part) in numbered)
    if hint is float and type(value) is int and abs(value) < 1 << 53:
        return float(value)
    return value


def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind, include_extras=True)
