"""Completion of words, asked for as bash does."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import ddeal_core
from ddeal_cli.completion import complete_presets, complete_recipes

ROOT = Path(ddeal_core.__file__).parents[1]
BASH = shutil.which("bash")

pytestmark = pytest.mark.skipif(BASH is None, reason="there is no bash")


@pytest.fixture
def bash(tmp_path):
    """`bash(script) -> output`: with the program on the path, and a home of its own."""
    program = tmp_path / "bin" / "ddeal"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m ddeal_cli "$@"\n')
    program.chmod(0o755)
    (tmp_path / "home").mkdir()

    def call(script):
        # With a command after it, bash stays the parent by which the program knows its shell.
        done = subprocess.run(
            [BASH, "--norc", "-c", f"{script}\nexit $?"],
            capture_output=True,
            text=True,
            check=False,
            env={
                "PATH": f"{program.parent}{os.pathsep}{os.environ['PATH']}",
                "HOME": str(tmp_path / "home"),
                "PYTHONPATH": str(ROOT),
            },
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.split()

    return call


ASK = """
ask() {
    COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}
    COMPREPLY=(); _ddeal_completion ddeal; echo "${COMPREPLY[@]}" "|"
}
"""


def test_installed_for_bash_it_completes_commands_options_and_choices(bash, tmp_path):
    bash("ddeal --install-completion bash")
    installed = next((tmp_path / "home").rglob("ddeal.sh"))
    assert installed.name in (tmp_path / "home" / ".bashrc").read_text()
    assert "complete -o default" in installed.read_text()
    replies = " ".join(bash(
        f"source '{installed}'; complete -p ddeal >&2\n{ASK}\n"
        "ask ddeal seg; ask ddeal segment --fo; ask ddeal segment --format m; ask ddeal segment cl"
    )).split(" |")  # fmt: skip
    assert [reply.split() for reply in replies[:4]] == [
        ["segment"],
        ["--format"],
        ["masks", "mattes", "matte"],
        [],  # bash goes on with names of files
    ]


def test_presets_and_recipes_are_completed():
    assert complete_presets("released-") == ["released-resnet50", "released-resnet101"]
    assert complete_recipes("paper-") == ["paper-resnet50", "paper-resnet101"]
    assert "compact" in complete_recipes("")
