"""Several scores of the same sequences on one page: methods, or the lines of Table V."""

from collections.abc import Mapping
from html import escape
from pathlib import Path
from urllib.parse import quote

from ddeal_core.evaluation.ablation import AblationLine, ablation_lines, paper_setting
from ddeal_core.evaluation.report.document import about, or_dash, signed, write_document
from ddeal_core.evaluation.scores import DatasetScore
from ddeal_core.evaluation.tables import global_row


def write_comparison(
    scores: Mapping[str, DatasetScore],
    path: str | Path,
    *,
    pages: Mapping[str, str] | None = None,
    rates: Mapping[str, float] | None = None,
    table_v: Mapping[int, DatasetScore] | None = None,
) -> Path:
    """Write scores side by side as a self-contained HTML page; same input, same bytes.

    Args:
        scores: By name of the method; of the same sequences, at least one.
        path: The file; folders on the way to it are made.
        pages: Where the page of each is, relative to this one.
        rates: Frames a second, where known.
        table_v: The scores by line, where they are those of the paper's Table V.

    Returns:
        The path.

    Raises:
        OutputError: The file cannot be written.
    """
    first = next(iter(scores.values()))
    kind = "Methods compared" if table_v is None else "Ablation: the lines of Table V"
    head = f'<header><h1>{kind}</h1><p class="soft">{about(first)}</p></header>'
    links = {name: _link(name, pages or {}) for name in scores}
    if table_v is None:
        whole = _totals(scores, links, rates or {})
    else:
        whole = _table_v(table_v, list(links.values()), rates=list((rates or {}).values()))
    sections = [head, whole, _by_sequence(scores, links), "<footer>Written by ddeal eval.</footer>"]
    return write_document(f"{kind}, {first.image_set}", sections, path)


def _link(name: str, pages: Mapping[str, str]) -> str:
    shown = escape(_shown(name))
    return f'<a class="link" href="{quote(pages[name])}">{shown}</a>' if name in pages else shown


def _shown(name: str) -> str:
    return name.replace("line-", "line ")


def _totals(
    scores: Mapping[str, DatasetScore], links: Mapping[str, str], rates: Mapping[str, float]
) -> str:
    rows = {n: global_row(s) for n, s in scores.items()}
    columns = list(next(iter(rows.values())))
    body = ""
    for name, row in rows.items():
        cells = "".join(f"<td>{or_dash(value)}</td>" for value in row.values())
        rate = f"{rates[name]:.1f}" if name in rates else "\u2013"
        body += f"<tbody><tr><td>{links[name]}</td>{cells}<td>{rate}</td></tr></tbody>"
    heads = _heads(["", *columns, "frames/s"])
    return f"<section><h2>All objects</h2>{_table(f'<tr>{heads}</tr>', body)}</section>"


def _table_v(scores: Mapping[int, DatasetScore], links: list[str], *, rates: list[float]) -> str:
    lines = ablation_lines(scores)
    names = [name.removesuffix("-Mean") for name in lines[0].measured]
    protocol = next(iter(scores.values())).protocol
    wide = len(names) + 1
    groups = (
        '<tr><th></th><th class="group" colspan="3" scope="colgroup">cues</th>'
        f'<th class="group" colspan="{wide + 1}" scope="colgroup">here, %</th>'
        f'<th class="group" colspan="{wide}" scope="colgroup">paper, %</th></tr>'
    )
    heads = _heads(["", "GDMM", "BC", "SC", *names, "drop", "frames/s", *names, "drop"])
    body = ""
    for number, (line, link) in enumerate(zip(lines, links, strict=True)):
        rate = f"{rates[number]:.1f}" if rates else "\u2013"
        cells = [link, *_switches(line), *_percents(line.measured, line.drop), rate]
        cells += _percents(line.paper, line.paper_drop)
        body += f"<tbody><tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr></tbody>"
    return (
        "<section><h2>All objects, beside the paper</h2>"
        '<p class="note">GDMM: global directional matching; BC, SC: base and supplementary '
        "components of the appearance model. A cue that is off reaches the fusion module as "
        "zeros, so one checkpoint serves all lines. Drop: how far below line 1. Paper: "
        f"{paper_setting(protocol)}. A network that always had a cue in training falls further "
        "without it than one that was trained to do without.</p>"
        f"{_table(groups + f'<tr>{heads}</tr>', body)}</section>"
    )


def _switches(line: AblationLine) -> list[str]:
    switches = (line.ablation.matching, line.ablation.base, line.ablation.supplementary)
    return ["\u2713" if on else '<span class="soft">off</span>' for on in switches]


def _percents(values: Mapping[str, float | None], drop: float | None) -> list[str]:
    cells = ["\u2013" if v is None else f"{100 * v:.1f}" for v in values.values()]
    drops = "\u2013" if drop is None else f"{100 * drop:z.1f}".replace("-", "\u2212")
    return [*cells[:-1], f"<b>{cells[-1]}</b>", drops]


def _by_sequence(scores: Mapping[str, DatasetScore], links: Mapping[str, str]) -> str:
    names = list(scores)
    heads = "".join(
        f'<th data-column="{i}"><button type="button">{escape(_shown(name))}</button></th>'
        for i, name in enumerate(["sequence", *names])
    )
    body = ""
    for sequences in zip(*(s.sequences for s in scores.values()), strict=True):
        values = [s.j_and_f for s in sequences]
        best = max(values)
        cells = f"<td>{escape(sequences[0].name)}</td>"
        for number, value in enumerate(values):
            shown = f"<b>{value:.3f}</b>" if value == best else f"{value:.3f}"
            if number:
                change = signed(value - values[0], plus=True)
                shown += f' <span class="change">{change}</span>'
            cells += f"<td>{shown}</td>"
        body += f"<tbody><tr>{cells}</tr></tbody>"
    return (
        "<section><h2>By sequence</h2>"
        f'<p class="note"><i>J</i>&amp;<i>F</i>, mean over the objects of a sequence; bold is '
        f"best, small is the difference from {links[names[0]]}. A click on a head sorts.</p>"
        f"{_table(f'<tr>{heads}</tr>', body)}</section>"
    )


def _heads(names: list[str]) -> str:
    return "".join(f"<th>{escape(name)}</th>" for name in names)


def _table(head: str, body: str) -> str:
    return f'<div class="scroll"><table><thead>{head}</thead>\n{body}</table></div>'
