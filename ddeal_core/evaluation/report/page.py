"""The report: one page, section by section. All that is not ours in it is escaped."""

from collections.abc import Iterable
from html import escape
from pathlib import Path
from typing import Annotated

from ddeal_core.evaluation.report.document import about, counted, or_dash, signed, write_document
from ddeal_core.evaluation.report.pictures import PictureLoader, WorstFrame, picture, worst
from ddeal_core.evaluation.report.speed_chart import speed_chart
from ddeal_core.evaluation.report.time_chart import FrameAxis, line_class, time_chart
from ddeal_core.evaluation.scores import DatasetScore, ObjectScore, SequenceScore, Statistics
from ddeal_core.settings import Range, check_value

_J, _F = "<i>J</i>", "<i>F</i>"
_BOTH = f"{_J}&amp;{_F}"
_PICTURES = 12
_COLUMNS = ("frames", _BOTH, "mean", "recall", "decay", "mean", "recall", "decay")


def write_report(
    score: DatasetScore,
    path: str | Path,
    *,
    frames: PictureLoader | None = None,
    seconds_per_frame: float | None = None,
    title: str | None = None,
) -> Path:
    """Write a score as a self-contained HTML page; the same input makes the same bytes.

    It has the summary, a table by sequence and object that sorts by a click, J and F over
    time, the worst frames as pictures, and speed against accuracy beside Table I of the paper
    (where the protocol is that of its methods, ``davis2016``, or the time is known).

    Args:
        score: What was scored.
        path: The file; folders on the way to it are made.
        frames: Gives image, truth and prediction of a frame (`pictures_on_disk`); called for
            the worst frames only. None leaves the pictures out.
        seconds_per_frame: Time a frame of the method, in seconds; None if not known.
        title: Heading; None makes one of the protocol and the set.

    Returns:
        The path.

    Raises:
        ConfigError: The time is not a number above 0.
        OutputError: The file cannot be written.
        DdealError: What `frames` raises.
    """
    seconds = Annotated[float, Range(0, 1e9, above=True)] | None
    check_value("seconds a frame", seconds_per_frame, seconds)
    heading = title or f"{score.protocol}, {score.image_set}"
    sections = [_head(score, heading, seconds_per_frame), _table(score), _courses(score)]
    if frames is not None:
        sections.append(_worst(score, worst(score, count=_PICTURES), frames))
    if seconds_per_frame is not None or score.rules.table_i:
        sections.append(_speed(score, seconds_per_frame))
    sections.append(
        "<footer>Written by ddeal eval. <i>J</i>: region similarity (intersection over union); "
        "<i>F</i>: contour accuracy; recall: share of frames above 0.5; decay: mean of the first "
        "quarter less that of the last.</footer>"
    )
    return write_document(heading, sections, path)


def _head(score: DatasetScore, heading: str, seconds: float | None) -> str:
    sequences = score.sequences
    scored = sum(len({f for o in s.objects for f in o.frames}) for s in sequences)
    line = about(score, counted(scored, "scored frame"))
    numbers = [
        *_overall(score),
        _number("main", f"{_BOTH} mean", f"{score.j_and_f:.3f}", "mean over objects"),
        _number("", f"{_J} mean", f"{score.region.mean:.3f}", _rest(score.region)),
        _number("", f"{_F} mean", f"{score.contour.mean:.3f}", _rest(score.contour)),
    ]
    if seconds is not None:
        rate = f"<b>{1 / seconds:.3g}</b> frames a second"
        numbers.append(_number("", "time a frame", _duration(seconds), rate))
    left_out = "".join(
        f'<p class="warn">Results of <b>{escape(s.name)}</b> hold ids that the ground truth does '
        f"not have ({', '.join(map(str, s.unknown_ids))}); they are not scored.</p>"
        for s in sequences
        if s.unknown_ids
    )
    return (
        f'<header><h1>{escape(heading)}</h1><p class="soft">{line}</p>'
        f'<div class="numbers">{"".join(numbers)}</div>{left_out}</header>'
    )


def _overall(score: DatasetScore) -> list[str]:
    """Make the box of G and its parts, where objects are in groups."""
    if not score.by_group:
        return []
    shown = {name: or_dash(value) for name, value in score.by_group.items()}
    more = "<br>".join(
        f"{group.lower()} {_J} <b>{shown[f'J-{group}']}</b> {_F} <b>{shown[f'F-{group}']}</b>"
        for group in score.rules.groups
    )
    return [_number("main", "<i>G</i>", shown["G"], more)]


def _number(kind: str, name: str, value: str, more: str) -> str:
    return (
        f'<div class="number {kind}"><div class="name">{name}</div>'
        f'<div class="big">{value}</div><div class="more">{more}</div></div>'
    )


def _rest(statistics: Statistics) -> str:
    return f"recall <b>{statistics.recall:.3f}</b> · decay <b>{signed(statistics.decay)}</b>"


def _table(score: DatasetScore) -> str:
    heads = "".join(
        f'<th data-column="{i}"{_edge(i)}><button type="button">{name}</button></th>'
        for i, name in enumerate(_COLUMNS, start=1)
    )
    groups = (
        '<tr><th></th><th></th><th></th><th class="group" colspan="3" scope="colgroup">'
        f'{_J}</th><th class="group" colspan="3" scope="colgroup">{_F}</th></tr>'
    )
    first = '<th data-column="0"><button type="button">sequence</button></th>'
    bodies = "\n".join(_rows(i, s) for i, s in enumerate(score.sequences))
    foot = _row("", f"all {counted(len(score.objects), 'object')}", score.objects)
    return (
        "<section><h2>By sequence and object</h2>"
        '<p class="note">A click on a head sorts, a second one turns the order. A sequence with '
        "several objects has their mean first.</p>"
        f'<div class="scroll"><table><thead>{groups}<tr>{first}{heads}</tr></thead>\n{bodies}\n'
        f"<tfoot>{foot}</tfoot></table></div></section>"
    )


def _rows(index: int, sequence: SequenceScore) -> str:
    link = f'<a href="#s{index}">{escape(sequence.name)}</a>'
    if len(sequence.objects) == 1:
        only = sequence.objects[0]
        plain = only.object_id == 1 and not only.category and not only.group
        tail = "" if plain else f' <span class="soft">{_object(only)}</span>'
        return f"<tbody>{_row('', link + tail, sequence.objects)}</tbody>"
    rows = "".join(_row("object", _object(o), [o]) for o in sequence.objects)
    return f"<tbody>{_row('', link, sequence.objects)}{rows}</tbody>"


def _object(score: ObjectScore) -> str:
    told = (f"object {score.object_id}", score.category, score.group.lower())
    return escape(" · ".join(filter(None, told)))


def _row(kind: str, name: str, objects: Iterable[ObjectScore]) -> str:
    """Make a table row of the mean over objects."""
    several = list(objects)
    regions, contours = [o.region for o in several], [o.contour for o in several]
    values = [
        sum(getattr(s, field) for s in measure) / len(several)
        for measure in (regions, contours)
        for field in ("mean", "recall", "decay")
    ]
    both = (values[0] + values[3]) / 2
    bar = f'<span class="bar"><span style="width:{100 * both:.1f}%"></span></span>'
    count = len({(o.sequence, frame) for o in several for frame in o.frames})
    cells = [f"<td>{name}</td><td>{count}</td><td>{bar}{both:.3f}</td>"]
    for column, value in enumerate(values, start=3):
        text = signed(value) if column in (5, 8) else f"{value:.3f}"
        cells.append(f"<td{_edge(column)}>{text}</td>")
    return f'<tr class="{kind}">{"".join(cells)}</tr>' if kind else f"<tr>{''.join(cells)}</tr>"


def _edge(column: int) -> str:
    return ' class="first-of"' if column in (3, 6) else ""


def _courses(score: DatasetScore) -> str:
    cards = "\n".join(_course(i, s) for i, s in enumerate(score.sequences))
    return (
        f"<section><h2>{_J} and {_F} over time</h2>"
        '<p class="note">By frame number, one line an object. The numbers beside the objects are '
        f"{_J} · {_F}: means, or those of the frame under the pointer.</p>\n{cards}</section>"
    )


def _course(index: int, sequence: SequenceScore) -> str:
    axis = FrameAxis.of(sequence.objects)
    keys = "".join(
        f'<span class="key"><svg viewBox="0 0 22 8" aria-hidden="true"><path class="'
        f'{line_class(i)}" d="M1 4h20"/></svg>object {o.object_id} '
        f'<span class="v">{o.region.mean:.3f} · {o.contour.mean:.3f}</span></span>'
        for i, o in enumerate(sequence.objects)
    )
    panels = "".join(
        f"<div><h4>{name}</h4>{time_chart(sequence.objects, measure=measure, axis=axis)}</div>"
        for name, measure in ((_J, "J"), (_F, "F"))
    )
    return (
        f'<div class="course" id="s{index}"><header><h3>{escape(sequence.name)}</h3>'
        f'<span class="when" data-digits="{axis.digits}">means</span>'
        f'<div class="keys">{keys}</div></header><div class="panels">{panels}</div></div>'
    )


def _worst(score: DatasetScore, chosen: tuple[WorstFrame, ...], frames: PictureLoader) -> str:
    if not chosen:
        return "<section><h2>Worst frames</h2><p>Every scored frame is perfect.</p></section>"
    numbers = {s.name: i for i, s in enumerate(score.sequences)}
    shown: list[str] = []
    for w in chosen:
        uri, zoom = picture(frames(w.sequence, w.frame), w.object_id)
        name = f"{escape(w.sequence)}, object {w.object_id}, frame {escape(w.frame)}"
        closer = f"{zoom:.1f} x closer" if zoom >= 1.05 else ""
        shown.append(
            f'<figure><img src="{uri}" alt="{name}: J {w.j:.3f}, F {w.f:.3f}">'
            f'<figcaption><a href="#s{numbers[w.sequence]}">{escape(w.sequence)}</a>'
            f"<span>{_J} {w.j:.3f} &ensp;{_F} {w.f:.3f}</span>"
            f'<span class="soft">object {w.object_id} · frame {escape(w.frame)}</span>'
            f'<span class="soft">{closer}</span></figcaption></figure>'
        )
    return (
        "<section><h2>Worst frames</h2>"
        '<p class="note">Lowest mean of the two first; of one object at most three, well apart. '
        '<span class="swatch truth"></span>outline of the ground truth, '
        '<span class="swatch found"></span>predicted, '
        '<span class="swatch others"></span>predicted as another object.</p>'
        f'<div class="worst">{"".join(shown)}</div></section>'
    )


def _speed(score: DatasetScore, seconds: float | None) -> str:
    note = (
        "Dots are Table I of the paper on DAVIS 2016 val (its Figure 3), timed on one NVIDIA "
        "TITAN Xp or as their authors report; an arrow says &ldquo;more than&rdquo;. S2S has no "
        f"{_F} there and is left out. Better is up and left."
    )
    if seconds is not None:
        note += " The time of this run is that of the machine it ran on."
    if not score.rules.table_i:
        note += f" This run is scored by {escape(score.protocol)}: its height does not compare."
    elif score.image_set.split("/")[-1] != "val":
        note += f" This run is of {escape(score.image_set)}, other sequences."
    run = '<path d="M9 1l8 8-8 8-8-8z"/>' if seconds else '<path class="level" d="M0 9h18"/>'
    marks = (
        ("dot tuned", '<circle cx="9" cy="9" r="5"/>', "fine-tunes online"),
        ("dot free", '<circle cx="9" cy="9" r="5"/>', "does not fine-tune"),
        ("dot paper", '<circle cx="9" cy="9" r="5"/>', "DDEAL in the paper"),
        ("dot run", run, "this run"),
    )
    legend = "".join(
        f'<span><svg viewBox="0 0 18 18" aria-hidden="true"><g class="{kind}">{mark}</g></svg>'
        f"{name}</span>"
        for kind, mark, name in marks
    )
    return (
        f'<section><h2>Speed against accuracy</h2><p class="note">{note}</p>'
        f'<div class="plot"><div class="legend">{legend}</div><p class="axis">{_BOTH} mean, %</p>'
        f"{speed_chart(score.j_and_f, seconds)}</div></section>"
    )


def _duration(seconds: float) -> str:
    return f"{1000 * seconds:.3g} ms" if seconds < 1 else f"{seconds:.3g} s"
