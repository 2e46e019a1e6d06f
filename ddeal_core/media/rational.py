"""One way from any rational number of the media library to a `Fraction`."""

from __future__ import annotations

from fractions import Fraction
from typing import Protocol

__all__ = ["to_fraction"]


class _Rational(Protocol):
    @property
    def numerator(self) -> int: ...

    @property
    def denominator(self) -> int: ...


def to_fraction(value: _Rational | None) -> Fraction | None:
    """Give a positive rational as a `Fraction`, and None for none, 0/1 and 0/0.

    PyAV up to 18 hands out `Fraction`, PyAV 19 a type of its own; containers say "unknown" with
    None, 0/1 or 0/0. Everything here goes through this function, so the rest sees one type.
    """
    if value is None or value.denominator == 0 or value.numerator <= 0:
        return None
    return Fraction(value.numerator, value.denominator)
