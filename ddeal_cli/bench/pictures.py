"""Records as pictures."""

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

from ddeal_cli.bench.record import highest, in_threads, launching
from ddeal_core.whole_files import write_output

CaseRecord = dict[str, Any]

_COLOURS = {
    "decode": "#8c8c8c",
    "upload": "#c4c4c4",
    "backbone": "#1f5a94",
    "matching": "#4aa3df",
    "appearance": "#7fd0c8",
    "propagation": "#2b8a57",
    "fusion": "#a3c644",
    "up-sampling": "#f2b134",
    "merge": "#e2703a",
    "download": "#c9a0a0",
    "write": "#6e5a5a",
    "other": "#e4e4e4",
}
_DARK = ("backbone", "propagation", "decode", "write")  # stages with a light number
_MARKERS = "osD^vPX*"
_FEW = 12


def draw_record(record: dict[str, Any], path: Path) -> None:
    """Draw a record as a PNG: stages and roofline, or growth; it appears when it is whole."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    cases = record["cases"]
    if record["kind"] == "speed":
        shown = cases[:_FEW]
        figure = Figure(figsize=(15, max(6.2, 4.2 + 0.6 * len(shown))), layout="constrained")
        FigureCanvasAgg(figure)
        stages, roof = figure.subplots(1, 2, width_ratios=(3, 2))
        _draw_stages(stages, shown)
        _draw_roofline(roof, shown)
    else:
        figure = Figure(figsize=(12, 5), layout="constrained")
        FigureCanvasAgg(figure)
        seconds, memory = figure.subplots(1, 2)
        _draw_growth(seconds, memory, record["kind"].removeprefix("growth "), cases)
    figure.suptitle(_title(record), fontsize=10, color="#555555")
    drawn = BytesIO()
    figure.savefig(drawn, dpi=110, format="png")
    write_output(path, drawn.getvalue())


def _draw_stages(axes: Any, cases: Sequence[CaseRecord]) -> None:
    """A bar a case, made of its stages, with what model and command take in words."""
    longest = max(sum(s["seconds"]["mean"] for s in case["stages"]) for case in cases)
    for row, case in enumerate(cases):
        left = 0.0
        for stage in case["stages"]:
            name, width = stage["name"], 1e3 * stage["seconds"]["mean"]
            bar = axes.barh(
                row, width, 0.5, left=left, color=_COLOURS[name], edgecolor="white", lw=0.5
            )
            if width > 40 * longest:  # 4 %: there is room for a number
                colour = "white" if name in _DARK else "#222222"
                axes.bar_label(bar, fmt="%.3g", label_type="center", fontsize=9, color=colour)
            left += width
        model, command = (1e3 * case[w]["frame_seconds"]["mean"] for w in ("model", "command"))
        named = f"{case['label']}{_extra(case)}"
        axes.text(0, row - 0.3, named, va="bottom", fontsize=10, weight="bold")
        told = (
            f"model {model:.3g} ms, {1e3 / model:.3g} frames/s;  whole command {command:.3g} ms, "
            f"{1e3 / command:.3g} frames/s"
        )
        axes.text(0, row + 0.29, told, va="top", fontsize=9, color="#555555")
    axes.set(xlim=(0, 1020 * longest), ylim=(len(cases) - 0.35, -0.65), yticks=[])
    axes.set_xlabel("milliseconds a frame, stages one after the other")
    axes.grid(axis="x", alpha=0.3)
    axes.set_axisbelow(True)
    axes.spines[["top", "left", "right"]].set_visible(False)
    axes.set_title("Where the time of a frame goes", loc="left")


def _draw_roofline(axes: Any, cases: Sequence[CaseRecord]) -> None:
    """Operations a second over operations a byte, under the measured peaks."""
    import numpy as np
    from matplotlib.ticker import LogLocator, NullFormatter

    points = [
        (s["operations"] / s["bytes"], s["operations_per_second"] / 1e9, s["name"], number)
        for number, case in enumerate(cases)
        for s in case["stages"]
        if s["operations"] and s["bytes"]
    ]
    low = min([0.5, *(point[0] for point in points)]) / 2
    high = max([200.0, *(point[0] for point in points)]) * 2
    across = np.geomspace(low, high, 200)
    ceilings: dict[tuple[str, str, int], dict[str, float]] = {}
    for case in cases:
        ceilings.setdefault((case["device"], case["precision"], case["threads"]), case["peaks"])
    tops = []
    for number, ((device, precision, threads), peaks) in enumerate(ceilings.items()):
        top, slope = peaks["operations_per_second"] / 1e9, peaks["bytes_per_second"] / 1e9
        tops.append(top)
        named = f"{device}, {precision}" + (f", {threads} threads" if device == "cpu" else "")
        label = f"{named}: {top:.3g} Gop/s, {slope:.3g} GB/s"
        style, roof = ("-", "--", ":", "-.")[number % 4], np.minimum(top, slope * across)
        axes.plot(across, roof, style, color="#333333", lw=1.4, label=label)
    for x, y, name, number in points:
        marker, edge = _MARKERS[number % len(_MARKERS)], {"mec": "#333333", "mew": 0.6}
        axes.plot(x, y, marker, color=_COLOURS[name], markersize=9, **edge)
    floor = min([*(point[1] for point in points), *tops]) / 2
    axes.set(xscale="log", yscale="log", xlim=(low, high), ylim=(floor, max(tops) * 2.5))
    axes.set(xlabel="operations a byte (counted)", ylabel="billion operations a second")
    for side in (axes.xaxis, axes.yaxis):
        side.set_major_locator(LogLocator(subs=(1, 2, 5)))
        side.set_major_formatter("{x:g}")
        side.set_minor_formatter(NullFormatter())
    axes.grid(which="major", alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_title("Under the measured roofline", loc="left")
    _draw_legends(axes, cases)


def _draw_legends(axes: Any, cases: Sequence[CaseRecord]) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    ceilings = axes.get_legend_handles_labels()[0]
    marks = [
        Line2D([], [], ls="", marker=_MARKERS[i % len(_MARKERS)], mfc="white", mec="#333333",
               label=f"{case['label']}{_extra(case)}")
        for i, case in enumerate(cases)
    ]  # fmt: skip
    axes.legend(handles=[*ceilings, *marks], loc="lower right", fontsize=8, framealpha=0.9)
    names = [stage["name"] for stage in cases[0]["stages"]]
    axes.figure.legend(
        handles=[Patch(color=_COLOURS[name], label=name) for name in names],
        loc="outside lower center",
        ncols=len(names),
        fontsize=9,
        frameon=False,
        handlelength=1.2,
        columnspacing=1.4,
    )


def _draw_growth(seconds: Any, memory: Any, axis: str, cases: Sequence[CaseRecord]) -> None:
    from matplotlib.ticker import MaxNLocator

    series: dict[str, list[CaseRecord]] = {}
    for case in cases:
        series.setdefault(_series(case, axis), []).append(case)
    for number, (name, members) in enumerate(series.items()):
        colour = f"C{number}"
        places = [_place(case, axis) for case in members]
        times = [c.get("frame_seconds") or c["model"]["frame_seconds"] for c in members]
        median, low, high = ([1e3 * t[of] for t in times] for of in ("median", "p10", "p90"))
        seconds.plot(places, median, "o-", color=colour, label=name)
        band = None if number else "10th to 90th percentile"
        seconds.fill_between(places, low, high, color=colour, alpha=0.18, lw=0, label=band)
        held = [_held(case, axis) for case in members]
        if all(value is not None for value in held):
            memory.plot(places, [value / 1e6 for value in held if value], "o-", color=colour)
    on_gpu = any(case["memory"]["device"] is not None for case in cases)
    now = "memory held, MB" if axis == "length" else "peak memory, MB"
    for axes, title in (
        (seconds, "milliseconds a frame, median"),
        (memory, f"{now}{' (on the device)' if on_gpu and axis != 'length' else ''}"),
    ):
        axes.set_xlabel("frames so far" if axis == "length" else "objects")
        axes.set_title(title, loc="left")
        axes.set_ylim(bottom=0)
        axes.set_ylim(top=1.12 * axes.get_ylim()[1])
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
        if axis == "size":
            _name_sizes(axes, next(iter(series.values())))
        else:
            axes.set_xlim(left=0)
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    seconds.legend(loc="upper left" if axis != "length" else "lower right", fontsize=9)


def _name_sizes(axes: Any, cases: Sequence[CaseRecord]) -> None:
    """Mark the places of the sizes, which say more than their numbers of pixels."""
    axes.set_xlim(left=0)
    axes.set_xticks(
        [_place(case, "size") for case in cases],
        [f"{case['size'][0]}x{case['size'][1]}" for case in cases],
        rotation=35,
        ha="right",
        rotation_mode="anchor",
        fontsize=8,
    )
    axes.set_xlabel("size of the video, spaced by its pixels")


def _series(case: CaseRecord, axis: str) -> str:
    parts = [case["network"]]
    if axis != "size":
        parts.append("{}x{}".format(*case["size"]))
    if case["network_size"] != case["size"]:
        parts.append("seen at {}x{}".format(*case["network_size"]) if axis != "size" else "scaled")
    if axis != "objects":
        parts.append(f"{case['objects']} object{'' if case['objects'] == 1 else 's'}")
    return ", ".join(parts) + _extra(case)


def _place(case: CaseRecord, axis: str) -> float:
    if axis == "size":
        return float(case["size"][0] * case["size"][1]) / 1e6
    return float(case["frames"] if axis == "length" else case["objects"])


def _held(case: CaseRecord, axis: str) -> float | None:
    """Bytes: at that frame along a video's length, else the highest use."""
    held: float | None = case["resident_bytes"] if axis == "length" else highest(case["memory"])
    return held


def _extra(case: CaseRecord) -> str:
    """What a label does not say, where it is not the usual."""
    precision = [case["precision"]] if case["precision"] != "float32" else []
    where = in_threads(case) if case["device"] == "cpu" else case["device"]
    return ", " + ", ".join([*precision, *launching(case), where])


def _title(record: dict[str, Any]) -> str:
    machine = record["machine"]
    gpus = "".join(f", {name}" for name in machine["gpus"])
    commit = f", commit {record['commit'][:10]}" if record["commit"] else ""
    others = record["others_share_of_processor"] or 0.0
    disturbed = f"; other programs used {100 * others:.0f} % of the processor"
    return (
        f"ddeal bench on {machine['cpu']}, {machine['cores']} cores{gpus}; "
        f"torch {record['versions']['torch']}{commit}, {record['date'][:10]}"
        f"{disturbed if others > 0.05 else ''}"
    )
