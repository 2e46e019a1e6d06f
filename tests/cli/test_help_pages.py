"""What help shows, and that what it shows works."""

import re
import shlex

import pytest
import typer

from ddeal_cli.app import epilog
from ddeal_cli.main import app

PROGRAM = typer.main.get_command(app)


def commands():
    """All commands by their words, in the order in which help lists them."""

    def below(command, context, words):
        if not hasattr(command, "list_commands"):
            yield words, command
            return
        for name in command.list_commands(context):
            yield from below(command.get_command(context, name), context, (*words, name))

    return dict(below(PROGRAM, PROGRAM.make_context("ddeal", [], resilient_parsing=True), ()))


COMMANDS = commands()


def examples(text):
    """Calls of ddeal in an epilog, as words behind the program's name."""
    found = []
    for line in text.replace(r"\[", "[").splitlines():
        line = re.sub(r"^\s*(Examples?:)?\s*", "", line)
        call = re.search(r"(?:^|\| |-m )ddeal(?:_cli)? (.*)$", line)
        if call and re.match(r"(ddeal|torchrun|ffmpeg) ", line):
            words = shlex.split(call[1])
            found.append(words[: words.index(">")] if ">" in words else words)
    return found


def parse(words):
    """Take the words through the real parser, up to the command that would run."""
    command = PROGRAM
    context = command.make_context("ddeal", list(words), resilient_parsing=True)
    rest = list(words)
    while hasattr(command, "resolve_command"):
        name, command, rest = command.resolve_command(context, rest)
        if "--help" in rest:
            return name
        if not hasattr(command, "resolve_command"):
            command.make_context(name, rest)
    return name


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_has_an_example_of_itself(words):
    own = [
        line for line in examples(COMMANDS[words].epilog or "") if line[: len(words)] == [*words]
    ]
    assert own


@pytest.mark.parametrize(
    "line",
    sorted({shlex.join(e) for c in COMMANDS.values() for e in examples(c.epilog or "")})
    + [shlex.join(e) for e in examples(PROGRAM.epilog)],
)
def test_every_example_is_understood(line, tmp_path):
    for name in ("mine.safetensors", "clip.mp4"):  # what is not there is refused at once
        (tmp_path / name).touch()
    parse(shlex.split(line))


def test_a_wrong_example_would_be_found():
    text = epilog("ddeal segment clip.mp4 --mask first.png --colour red", "ddeal demo")
    assert examples(text) == [
        shlex.split("segment clip.mp4 --mask first.png --colour red"),
        ["demo"],
    ]
    with pytest.raises(Exception, match="colour"):
        parse(examples(text)[0])


@pytest.mark.parametrize("words", [(), *COMMANDS], ids=" ".join)
def test_help_fits_and_keeps_examples_on_a_line_of_their_own(ddeal, monkeypatch, words):
    width = 80
    monkeypatch.setenv("COLUMNS", str(width))
    run = ddeal(*words, "--help")
    assert run.status == 0
    lines = run.out.splitlines()
    assert max(map(len, lines)) <= width
    assert "bool" not in run.out  # a flag takes no value
    text = COMMANDS[words].epilog if words else PROGRAM.epilog
    shown = [line.strip() for line in lines]
    for line in text.replace(r"\[", "[").splitlines():
        if line.startswith("  "):
            assert line.strip() in shown


def test_commands_come_in_the_order_of_their_use(ddeal):
    out = ddeal("--help").out
    places = [re.search(rf"^│ {name} ", out, re.MULTILINE).start() for name in
              ("demo", "mask", "segment", "eval", "bench", "train", "doctor")]  # fmt: skip
    assert places == sorted(places)
    assert "Exit status" in out
    assert "Environment" in out
