"""All checks in order; none of them stops the others."""

from collections.abc import Callable, Iterable, Iterator

from ddeal_cli.doctor.codecs import check_codecs
from ddeal_cli.doctor.finding import Finding, without_personal_names
from ddeal_cli.doctor.machine import check_machine
from ddeal_cli.doctor.packages import check_packages
from ddeal_cli.doctor.places import check_places
from ddeal_cli.doctor.self_test import check_by_running

__all__ = ["CHECKS", "examine"]

Check = Callable[[], Iterable[Finding]]

CHECKS: dict[str, Check] = {
    "versions": check_packages,
    "machine": check_machine,
    "codecs": check_codecs,
    "files": check_places,
    "self-test": check_by_running,
}
"""What is looked at, by title."""


def examine(checks: dict[str, Check] | None = None) -> Iterator[tuple[str, list[Finding]]]:
    """Run all checks.

    Args:
        checks: Which; all if None.

    Yields:
        Title and findings of each, without personal names. A check that fails in a way it did
        not foresee is a finding, too.
    """
    for title, check in (CHECKS if checks is None else checks).items():
        found: list[Finding] = []
        try:
            found.extend(check())
        except Exception as error:  # whatever is wrong shall be reported, not raised
            found.append(
                Finding(
                    title,
                    f"{type(error).__name__}: {error}",
                    "broken",
                    "report this with all lines above",
                )
            )
        yield (
            title,
            [
                Finding(
                    one.name,
                    without_personal_names(one.value),
                    one.state,
                    without_personal_names(one.advice),
                )
                for one in found
            ],
        )
