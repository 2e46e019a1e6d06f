"""The core is what a Python user imports: it needs six libraries, and none of the program's."""

import ast
import pkgutil
import re
import sys
from dataclasses import fields
from importlib import import_module
from pathlib import Path

from forked import Forked

import ddeal_core
from ddeal_core.runs.request import CutOutOptions, OutputOptions, VideoRequest

_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)

ROOT = Path(ddeal_core.__file__).parents[1]


def import_the_core():
    absent = ("matplotlib", "starlette", "uvicorn", "typer", "rich", "ddeal_cli")
    for name in list(sys.modules):  # those of the process that this one was forked from
        if name.partition(".")[0] in (*absent, "ddeal_core"):
            del sys.modules[name]
    for name in absent:
        sys.modules[name] = None  # an import of it fails
    core = import_module("ddeal_core")
    modules = [m.name for m in pkgutil.walk_packages(core.__path__, "ddeal_core.")]
    assert len(modules) > 100
    for module in [core, *map(import_module, modules)]:
        for name in getattr(module, "__all__", ()):
            getattr(module, name)


def test_the_whole_core_and_all_it_offers_is_there_without_what_only_the_program_needs(tmp_path):
    process = Forked(tmp_path, import_the_core)
    assert process.ended() == 0, process.err.read_text()


def test_packages_import_only_from_those_below_them_in_the_picture():
    picture = (Path(__file__).parents[1] / "CONTRIBUTING.md").read_text(encoding="utf-8")
    picture = picture[picture.index(" ddeal_core/\n") : picture.index(" tests/ ")]
    lines = [re.findall(r"(\w+)/ ", line) for line in picture.splitlines()]
    floor = {name: -number for number, names in enumerate(lines) for name in names}
    packages = {path.parent.name for path in (ROOT / "ddeal_core").glob("*/__init__.py")}
    assert floor.keys() == packages
    wrong = []
    for name in packages:
        for path in (ROOT / "ddeal_core" / name).rglob("*.py"):
            named = re.findall(r"(?m)^ *from ddeal_core\.(\w+)", path.read_text(encoding="utf-8"))
            above = {n for n in named if n != name and floor.get(n, -100) >= floor[name]}
            wrong += [f"{path.name} imports {other}" for other in above]
    assert wrong == []


def test_cut_out_takes_every_option_of_requests_and_outputs():
    wanted = {
        each.name: each.type for kind in (VideoRequest, OutputOptions) for each in fields(kind)
    }
    typed = {name: hint.__forward_arg__ for name, hint in CutOutOptions.__annotations__.items()}
    assert typed == {n: hint for n, hint in wanted.items() if n not in ("video", "masks", "names")}


def test_messages_of_the_core_name_no_option_of_the_program():
    """An error names its cause and its remedy; `ddeal_cli.console` says which option that is."""
    option = re.compile(r"(?<![\w-])--[a-z]{2}|(?<![\w-])-o\b|'ddeal [a-z]")
    named = []
    for path in (ROOT / "ddeal_core").rglob("*.py"):
        source = path.read_text(encoding="utf-8")
        if not option.search(source):
            continue
        tree = ast.parse(source)
        documented = [
            node.body[0] if node.body else None
            for node in ast.walk(tree)
            if isinstance(node, _DOCUMENTED)
        ]
        documentation = {id(node.value) for node in documented if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and id(node) not in documentation:
                text = node.value if isinstance(node.value, str) else ""
                if option.search(text):
                    named.append(f"{path.name}:{node.lineno}: {text}")
    assert named == []
