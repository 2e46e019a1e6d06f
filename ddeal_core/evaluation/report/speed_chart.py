"""Speed against accuracy: the paper's Figure 3, with the user's run among its dots."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ddeal_core.evaluation.paper_tables import TABLE_I, PaperResult

_WIDTH, _HEIGHT = 1040, 430
_LEFT, _TOP, _RIGHT, _BOTTOM = 40, 12, 14, 44
_CHARACTER, _LINE = 7.4, 13.0
"""About the size of a letter of a label, in pixels."""

_Box = tuple[float, float, float, float]
_RUN = "this run"


@dataclass(frozen=True)
class _Dot:
    label: str
    kind: str
    x: float
    y: float
    tip: str
    at_least: bool = False


def speed_chart(j_and_f: float, seconds: float | None) -> str:
    """Draw J&F (0 to 1) of the user's run against its time a frame (log axis), Table I as dots.

    An ``<svg>`` element that takes its colours from the page; where the time is None, a level line
    takes the place of the run's dot.
    """
    shown = [(row, row.j_and_f) for row in TABLE_I if row.j_and_f is not None]
    run = 100 * j_and_f
    times = [row.seconds for row, _ in shown] + ([] if seconds is None else [seconds])
    low = min(-2, math.floor(math.log10(min(times))))
    high = max(math.log10(250), math.log10(max(times)) + 0.2)
    bottom = 10 * math.floor(min([run, *(v for _, v in shown)]) / 10)
    top = 10 * math.ceil(max([run, 90.0]) / 10)
    wide, tall = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM

    def across(time: float) -> float:
        return _LEFT + wide * (math.log10(time) - low) / (high - low)

    def down(percent: float) -> float:
        return _TOP + tall * (top - percent) / (top - bottom)

    parts: list[str] = []
    step = 5 if top - bottom <= 40 else 10
    for percent in range(bottom, top + 1, step):
        y = down(percent)
        parts.append(f'<path class="grid" d="M{_LEFT} {y:.1f}h{wide}"/>')
        parts.append(f'<text class="end" x="{_LEFT - 8}" y="{y + 4:.1f}">{percent}</text>')
    for power in range(low, math.floor(high) + 1):
        x = across(10.0**power)
        parts.append(f'<path class="grid" d="M{x:.1f} {_TOP}v{tall}"/>')
        parts.append(
            f'<text class="mid" x="{x:.1f}" y="{_TOP + tall + 17}">{_time(10.0**power)}</text>'
        )
    parts.append(
        f'<text class="mid" x="{_LEFT + wide / 2:g}" y="{_HEIGHT - 5}">time a frame (log)</text>'
    )
    dots = [_paper_dot(row, across(row.seconds), down(value)) for row, value in shown]
    if seconds is None:
        y = down(run)
        parts.append(f'<path class="run level" d="M{_LEFT} {y:.1f}h{wide}"/>')
        parts += _drawn(dots, level=(f"{_RUN}: {run:.1f}, time not known", y))
    else:
        tip = f"{_RUN}: J&amp;F {run:.1f} %, {_time(seconds)} a frame"
        parts += _drawn([*dots, _Dot(_RUN, "run", across(seconds), down(run), tip)])
    return (
        f'<svg class="speed" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
        f'aria-label="J&amp;F in percent against time a frame">{"".join(parts)}</svg>'
    )


def _paper_dot(row: PaperResult, x: float, y: float) -> _Dot:
    ours = row.method == "DDEAL"
    label = f"{row.method} {row.backbone}" if ours else row.method
    kind = "paper" if ours else "tuned" if row.fine_tuned else "free"
    more = "more than " if row.at_least else ""
    tip = (
        f"{row.method} {row.backbone}: J&amp;F {row.j_and_f} %, {more}{_time(row.seconds)} a frame"
    )
    return _Dot(label, kind, x, y, tip, row.at_least)


def _drawn(dots: Sequence[_Dot], *, level: tuple[str, float] | None = None) -> list[str]:
    """Draw dots, and a level line by label and height; then labels where they overlap least."""
    parts: list[str] = []
    taken: list[_Box] = []
    for dot in dots:
        taken.append((dot.x - 7, dot.y - 7, dot.x + 7, dot.y + 7))
        if dot.at_least:
            tip = dot.x + 26
            parts.append(
                f'<path class="arrow" d="M{dot.x + 6:.1f} {dot.y:.1f}H{tip:.1f}m-5 -4l5 4-5 4"/>'
            )
            taken.append((dot.x, dot.y - 5, tip, dot.y + 5))
        mark = f'<circle cx="{dot.x:.1f}" cy="{dot.y:.1f}" r="5"/>'
        if dot.kind == "run":
            mark = f'<path d="M{dot.x:.1f} {dot.y - 8.5:.1f}l8.5 8.5-8.5 8.5-8.5-8.5z"/>'
        parts.append(f'<g class="dot {dot.kind}"><title>{dot.tip}</title>{mark}</g>')
    if level is not None:
        text, y = level
        width = len(text) * _CHARACTER
        steps = map(float, range(_LEFT + 6, int(_WIDTH - _RIGHT - width), 12))
        along = [(x, top, x + width, top + _LINE) for x in steps for top in (y - 17, y + 4)]
        box = min(along, key=lambda b: _overlap(b, taken))
        taken += [box, (_LEFT, y - 1, _WIDTH - _RIGHT, y + 1)]
        parts.append(
            f'<text class="label run start" x="{box[0]:.1f}" y="{box[3] - 3:.1f}">{text}</text>'
        )
    for dot in sorted(dots, key=lambda d: d.kind != "run"):
        box = min(_places(dot), key=lambda b: _overlap(b, taken))
        taken.append((box[0] - 8, box[1], box[2] + 8, box[3]))
        # Held at the end that is next to the dot: how wide letters are is only guessed.
        middle = (box[0] + box[2]) / 2
        side, x = ("mid", middle)
        if abs(middle - dot.x) > 1:
            side, x = ("start", box[0]) if middle > dot.x else ("end", box[2])
        parts.append(
            f'<text class="label {dot.kind} {side}" x="{x:.1f}" y="{box[3] - 3:.1f}">'
            f"{dot.label}</text>"
        )
    return parts


def _places(dot: _Dot) -> list[_Box]:
    """Return where a label may stand, the best first."""
    width = len(dot.label) * _CHARACTER
    near, half = 9.0, width / 2
    corners = [
        (dot.x + near, dot.y - _LINE / 2),
        (dot.x - half, dot.y - near - _LINE),
        (dot.x - half, dot.y + near),
        (dot.x - near - width, dot.y - _LINE / 2),
        (dot.x + near - 3, dot.y - near - _LINE + 3),
        (dot.x + near - 3, dot.y + near - 3),
        (dot.x - near - width + 3, dot.y - near - _LINE + 3),
        (dot.x - near - width + 3, dot.y + near - 3),
    ]
    boxes = [(x, y, x + width, y + _LINE) for x, y in corners]
    inside = [b for b in boxes if b[0] >= _LEFT and b[2] <= _WIDTH and b[1] >= 0]
    return inside or boxes


def _overlap(box: _Box, taken: Sequence[_Box]) -> float:
    """Return the area that a box shares with those that are taken."""
    return sum(
        max(0.0, min(box[2], b[2]) - max(box[0], b[0]))
        * max(0.0, min(box[3], b[3]) - max(box[1], b[1]))
        for b in taken
    )


def _time(seconds: float) -> str:
    return f"{seconds:.3g} s" if seconds >= 0.01 else f"{1000 * seconds:.3g} ms"
