"""Findings as text that can be pasted, and as JSON."""

from collections.abc import Mapping, Sequence
from typing import Any

from ddeal_cli.doctor.finding import Finding

__all__ = ["broken", "to_json", "to_text"]

_MARKS = {"fine": " ", "absent": "-", "broken": "!"}


def to_text(title: str, findings: Sequence[Finding]) -> str:
    """A title and one line for each finding; ``!`` marks what is broken, ``-`` what is absent."""
    width = max(20, *(len(one.name) + 1 for one in findings)) if findings else 20
    lines = [f"{_MARKS[one.state]} {one.name:<{width}}{one.value}" for one in findings]
    return "\n".join([title, *lines])


def broken(sections: Mapping[str, Sequence[Finding]]) -> list[Finding]:
    """All that is broken."""
    return [one for found in sections.values() for one in found if one.state == "broken"]


def to_json(sections: Mapping[str, Sequence[Finding]]) -> dict[str, Any]:
    """Plain JSON types: ``ok``, and the findings by title and name."""
    return {
        "ok": not broken(sections),
        **{
            title: {
                one.name: {
                    "value": one.value,
                    "state": one.state,
                    **({"advice": one.advice} if one.advice else {}),
                }
                for one in found
            }
            for title, found in sections.items()
        },
    }
