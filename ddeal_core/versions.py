"""Versions of installed packages."""

from functools import cache
from importlib.metadata import PackageNotFoundError, version


@cache  # each look reads files
def installed_version(package: str) -> str | None:
    """Version of an installed package, by its name on PyPI; None where it is not installed.

    ddeal itself is not where it is run from a checkout.
    """
    try:
        return version(package)
    except PackageNotFoundError:
        return None
