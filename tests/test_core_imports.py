"""The core is what a Python user imports: it needs six libraries, and none of the program's."""

import os
import subprocess
import sys
from pathlib import Path

import ddeal_core

ROOT = Path(ddeal_core.__file__).parents[1]


def _run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
    )


def test_the_whole_core_is_imported_without_what_only_the_program_needs():
    done = _run(
        "import pkgutil, sys\n"
        "from importlib import import_module\n"
        "for name in ('matplotlib', 'starlette', 'uvicorn', 'typer', 'rich', 'ddeal_cli'):\n"
        "    sys.modules[name] = None\n"  # an import of it fails
        "import ddeal_core\n"
        "for module in pkgutil.walk_packages(ddeal_core.__path__, 'ddeal_core.'):\n"
        "    import_module(module.name)\n"
    )
    assert done.returncode == 0, done.stderr


def test_every_name_that_a_package_offers_is_there():
    done = _run(
        "import pkgutil, ddeal_core\n"
        "from importlib import import_module\n"
        "packages = [m.name for m in pkgutil.walk_packages(ddeal_core.__path__, 'ddeal_core.')]\n"
        "for package in map(import_module, ['ddeal_core', *packages]):\n"
        "    for name in getattr(package, '__all__', ()):\n"
        "        getattr(package, name)\n"
    )
    assert done.returncode == 0, done.stderr
