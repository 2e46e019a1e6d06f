"""One HTML file: the frame ``page.html`` filled, and how numbers look in it."""

from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template

from ddeal_core.evaluation.scores import DatasetScore
from ddeal_core.whole_files import write_output


def write_document(title: str, sections: list[str], path: str | Path) -> Path:
    """Write a page that needs nothing but itself, of a title (plain text) and sections (HTML).

    It appears whole or not at all; folders on the way to it are made.

    Raises:
        OutputError: The file cannot be written.
    """
    template = Template(files(__package__).joinpath("page.html").read_text(encoding="utf-8"))
    page = template.substitute(title=escape(title), body="\n".join(sections))
    # File names may hold what is no text; those bytes are shown as escapes.
    write_output(Path(path), page.encode("utf-8", "backslashreplace"))
    return Path(path)


def about(score: DatasetScore, *more: str) -> str:
    """Return the line under a heading: what was scored, as HTML."""
    told = (f"protocol {score.protocol}", f"set {score.image_set}")
    counts = (counted(len(score.sequences), "sequence"), counted(len(score.objects), "object"))
    return " · ".join(map(escape, (*told, *counts, *more)))


def counted(number: int, noun: str) -> str:
    """Return ``1 object``, ``2 objects``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def or_dash(value: float | None) -> str:
    """Return three decimals, or a dash for None."""
    return "\u2013" if value is None else f"{value:.3f}"


def signed(value: float, *, plus: bool = False) -> str:
    """Return three decimals with a minus sign as wide as a digit, and no negative zero."""
    text = f"{value:+z.3f}" if plus else f"{value:z.3f}"
    return text.replace("-", "\u2212")
