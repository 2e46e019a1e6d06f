"""Versions of Python, of this package, and of what it stands on."""

import importlib
import platform
import re
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires

from ddeal_cli.doctor.finding import Finding
from ddeal_core.versions import installed_version

_MODULES = {
    "torch": "torch",
    "numpy": "numpy",
    "av": "av",
    "opencv-python-headless": "cv2",
    "pillow": "PIL.Image",
    "safetensors": "safetensors",
    "matplotlib": "matplotlib",
    "starlette": "starlette",
    "uvicorn": "uvicorn",
    "typer": "typer",
    "rich": "rich",
}


def check_packages() -> Iterator[Finding]:
    """Import each package that is needed; look whether the extras are installed."""
    yield Finding("ddeal", installed_version("ddeal") or "run from a checkout, not installed")
    yield Finding("Python", f"{platform.python_version()} ({platform.python_implementation()})")
    for package, module in _MODULES.items():
        number = installed_version(package)
        try:
            importlib.import_module(module)
        except Exception as error:  # a library that is broken raises what it likes
            why = f"{number or 'not installed'}; import fails: {type(error).__name__}: {error}"
            advice = f"pip install --force-reinstall '{_wanted(package)}'"
            yield Finding(package, why, "broken", advice)
        else:
            yield Finding(package, number or "imported, version unknown")
    for extra, packages in _extras().items():
        missing = [name for name in packages if installed_version(name) is None]
        if missing:
            advice = f"pip install 'ddeal[{extra}]' if you want it"
            value = f"not installed ({', '.join(missing)})"
            yield Finding(f"extra {extra}", value, "absent", advice)
        else:
            yield Finding(f"extra {extra}", "installed")


def _requirements() -> list[str]:
    try:
        return requires("ddeal") or []
    except PackageNotFoundError:
        return []


def _name(requirement: str) -> str:
    return re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0]


def _wanted(package: str) -> str:
    """The package with the versions that fit, as the installed metadata say."""
    for requirement in _requirements():
        if _name(requirement) == package:
            return requirement.partition(";")[0].strip()
    return package


def _extras() -> dict[str, list[str]]:
    """Packages of each extra; extras of other extras are left out."""
    found: dict[str, list[str]] = {}
    for requirement in _requirements():
        match = re.search(r"extra\s*==\s*['\"]([^'\"]+)['\"]", requirement)
        if match and _name(requirement) != "ddeal":
            found.setdefault(match[1], []).append(_name(requirement))
    return found
