"""All checks in order; none of them stops the others."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ddeal_cli.doctor.codecs import check_codecs
from ddeal_cli.doctor.finding import Finding, without_personal_names
from ddeal_cli.doctor.machine import check_machine
from ddeal_cli.doctor.packages import check_packages
from ddeal_cli.doctor.places import check_places
from ddeal_cli.doctor.self_test import check_by_running

__all__ = ["CHECKS", "broken", "examine", "to_json", "to_text"]

CHECKS: dict[str, Callable[[], Iterable[Finding]]] = {
    "versions": check_packages,
    "machine": check_machine,
    "codecs": check_codecs,
    "files": check_places,
    "self-test": check_by_running,
}
"""What is looked at, by title."""

_MARKS = {"fine": " ", "absent": "-", "broken": "!"}


def examine(check: Callable[[], Iterable[Finding]], *, title: str) -> Iterator[Finding]:
    """Run a check.

    Yields:
        What is found, as it is found, without personal names. A check that fails in a way it did
        not foresee is a finding, too.
    """
    try:
        for one in check():
            value, advice = without_personal_names(one.value), without_personal_names(one.advice)
            yield replace(one, value=value, advice=advice)
    except Exception as error:  # whatever is wrong shall be reported, not raised
        value = without_personal_names(f"{type(error).__name__}: {error}")
        yield Finding(title, value, "broken", "report this with all lines above")


def to_text(finding: Finding) -> str:
    """One line that can be pasted; ``!`` marks what is broken, ``-`` what is absent."""
    return f"{_MARKS[finding.state]} {finding.name:<23}{finding.value}"


def broken(sections: Mapping[str, Sequence[Finding]]) -> list[Finding]:
    """All that is broken."""
    return [one for found in sections.values() for one in found if one.state == "broken"]


def to_json(sections: Mapping[str, Sequence[Finding]]) -> dict[str, Any]:
    """Plain JSON types: ``ok``, and the findings by title and name."""

    def record(one: Finding) -> dict[str, str]:
        advice = {"advice": one.advice} if one.advice else {}
        return {"value": one.value, "state": one.state, **advice}

    titles = {title: {one.name: record(one) for one in found} for title, found in sections.items()}
    return {"ok": not broken(sections), **titles}
