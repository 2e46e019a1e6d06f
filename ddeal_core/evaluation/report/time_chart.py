"""J or F of the objects of a sequence over its frames, as an SVG chart.

The points of a line are written as they are (frame, value) and placed by a transform, so that
the page's script, and whoever reads the source, finds the numbers themselves.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from ddeal_core.evaluation.scores import ObjectScore

_COLOURS = 8  # of lines on the page; further objects repeat them with dashes

_WIDTH, _HEIGHT = 500, 132
_LEFT, _TOP, _RIGHT, _BOTTOM = 30, 8, 10, 20
_MOST_POINTS = 1200


@dataclass(frozen=True)
class FrameAxis:
    """Where frames lie on the axis of time."""

    positions: dict[str, int]  # by stem; a running number from 1 where stems are no numbers
    digits: int  # to print a frame number with

    @classmethod
    def of(cls, objects: Sequence[ObjectScore]) -> "FrameAxis":
        """Make the axis that the objects of a sequence share."""
        stems = sorted({stem for o in objects for stem in o.frames})
        if all(stem.isascii() and stem.isdigit() for stem in stems):
            numbers = {stem: int(stem) for stem in stems}
            if len(set(numbers.values())) == len(stems):
                return cls(numbers, min(len(stem) for stem in stems))
        return cls({stem: i for i, stem in enumerate(stems, start=1)}, 1)

    @property
    def first(self) -> int:
        """Lowest frame number."""
        return min(self.positions.values())

    @property
    def last(self) -> int:
        """Highest frame number."""
        return max(self.positions.values())

    def ticks(self) -> list[int]:
        """Return round frame numbers, seven at most."""
        span = self.last - self.first
        step = next(s * 10**e for e in range(12) for s in (1, 2, 5) if span // (s * 10**e) + 1 <= 7)
        start = -(-self.first // step) * step
        return list(range(start, self.last + 1, step))


def line_class(index: int) -> str:
    """Return the CSS classes that give the line of the n-th object its colour and dashes."""
    return f"c{index % _COLOURS} d{index // _COLOURS % 3}"


def time_chart(objects: Sequence[ObjectScore], *, measure: str, axis: FrameAxis) -> str:
    """Draw ``"J"`` or ``"F"`` of the objects of a sequence over time, one line an object.

    An ``<svg>`` element that takes its colours from the page.
    """
    wide, high = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM
    scale = wide / max(1, axis.last - axis.first)
    marks: list[str] = []
    for value in (0.0, 0.25, 0.5, 0.75, 1.0):
        y = _TOP + (1 - value) * high
        kind = "grid" if value in (0.0, 0.5, 1.0) else "grid faint"
        marks.append(f'<path class="{kind}" d="M{_LEFT} {y:g}h{wide}"/>')
        if value in (0.0, 0.5, 1.0):
            marks.append(f'<text x="{_LEFT - 6}" y="{y + 3.5:g}" class="end">{value:g}</text>')
    for tick in axis.ticks():
        x = _LEFT + (tick - axis.first) * scale
        marks.append(f'<path class="grid" d="M{x:.1f} {_TOP + high}v4"/>')
        marks.append(f'<text x="{x:.1f}" y="{_HEIGHT - 3}" class="mid">{tick}</text>')
    lines = [
        f'<polyline class="{line_class(i)}" points="{_points(o, measure=measure, axis=axis)}"/>'
        for i, o in enumerate(objects)
    ]
    place = f"translate({_LEFT} {_TOP + high}) scale({scale:.6g} {-high}) translate({-axis.first})"
    return (
        f'<svg class="panel" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
        f'aria-label="{measure} over frames {axis.first} to {axis.last}">'
        f"{''.join(marks)}"
        f'<g class="lines" transform="{place}" data-step="{(axis.last - axis.first) / 400:g}">'
        f'{"".join(lines)}<path class="rule" d=""/></g></svg>'
    )


def _points(score: ObjectScore, *, measure: str, axis: FrameAxis) -> str:
    values = score.j if measure == "J" else score.f
    points = [(axis.positions[stem], v) for stem, v in zip(score.frames, values, strict=True)]
    points = _thinned(points)
    if len(points) == 1:
        points *= 2  # a line of no length shows as a dot, a single point as nothing
    return " ".join(f"{x}," + f"{y:.4f}".rstrip("0").rstrip(".") for x, y in points)


def _thinned(points: list[tuple[int, float]]) -> list[tuple[int, float]]:
    """Keep the lowest and highest of each stretch of a line longer than a screen is wide."""
    if len(points) <= _MOST_POINTS:
        return points
    size = -(-2 * len(points) // _MOST_POINTS)
    kept: list[tuple[int, float]] = []
    for start in range(0, len(points), size):
        stretch = points[start : start + size]
        ends = {min(stretch, key=lambda p: p[1]), max(stretch, key=lambda p: p[1])}
        kept += sorted(ends)
    return kept
