"""What ``ddeal bench`` measured, as tables."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ddeal_cli.bench.record import ComparisonRow, highest, in_threads, launching
from ddeal_cli.console import emit_json, say
from ddeal_cli.tables import show_table

BenchRecord = dict[str, Any]
Column = tuple[str, Callable[[BenchRecord], str]]
"""A heading, and what stands below it for a case, or for a stage."""


def show_record(record: BenchRecord, *, json_: bool, quiet: bool) -> None:
    """Show a record's tables on standard output, or on standard error beside JSON."""
    if json_ and quiet:
        return
    say(_machine(record), quiet=quiet)
    others = record["others_share_of_processor"]
    if others is not None and others > 0.05:
        say(
            f"warning: other programs used {100 * others:.0f} % of the processor meanwhile: alone, "
            "it would be faster"
        )
    cases = record["cases"]
    name: Column = ("network, video, objects", lambda case: _named(case, cases))
    if record["kind"] == "growth length":
        _show([name, *_LENGTH], cases, stderr=json_)
    elif record["kind"].startswith("growth"):
        _show([name, *_GROWTH], cases, stderr=json_)
    else:
        for line in dict.fromkeys(map(_peak, cases)):
            say(line, quiet=quiet)
        _show([name, *_SPEED], cases, stderr=json_)
        for case in cases:
            _show_stages(case, _named(case, cases), stderr=json_)
        _show(_against(cases), [case for case in cases if case["against"]], stderr=json_)


def show_comparison(
    rows: Sequence[ComparisonRow], *, names: tuple[Path, Path], same: bool, json_: bool
) -> None:
    """Show two records side by side, a table a case."""
    if not same:
        say("warning: the two files are of two machines")
    if json_:
        emit_json({"rows": list(rows)})
        return
    titles = [name.name for name in names]
    if titles[0] == titles[1]:
        titles = [str(name) for name in names]
    for case in dict.fromkeys(row["case"] for row in rows):
        show_table(
            [case, *titles, "ratio"],
            [
                [
                    row["quantity"],
                    *map(_figure, (row["first"], row["second"])),
                    f"{row['ratio']:.2f}",
                ]
                for row in rows
                if row["case"] == case
            ],
        )


def _show(columns: Sequence[Column], rows: Sequence[BenchRecord], *, stderr: bool) -> None:
    if rows:
        cells = [[cell(row) for _, cell in columns] for row in rows]
        show_table([title for title, _ in columns], cells, stderr=stderr)


def _times(of: Callable[[BenchRecord], dict[str, float]], *names: str) -> list[Column]:
    """Columns of milliseconds out of a summary of seconds."""

    def column(name: str) -> Column:
        return (f"{name} ms", lambda row: _ms(of(row)[name]))

    return [column(name) for name in names or ("median", "p10", "p90")]


_SPEED: list[Column] = [
    ("model frames/s", lambda case: _figure(case["model"]["frames_per_second"])),
    *_times(lambda case: case["model"]["frame_seconds"]),
    ("command frames/s", lambda case: _figure(case["command"]["frames_per_second"])),
    ("first ms", lambda case: _ms(case["model"]["first_seconds"])),
    ("warm-up ms", lambda case: _ms(case["model"]["warm_up_seconds"])),
    ("compile ms", lambda case: _ms(case["model"]["compilation_seconds"])),
    ("memory MB", lambda case: _mb(highest(case["memory"]))),
]
_GROWTH: list[Column] = [
    ("network sees", lambda case: _size(case["network_size"])),
    ("frames/s", lambda case: _figure(case["model"]["frames_per_second"])),
    *_times(lambda case: case["model"]["frame_seconds"]),
    ("memory MB", lambda case: _mb(highest(case["memory"]))),
]
_LENGTH: list[Column] = [
    ("up to frame", lambda case: str(case["frames"])),
    *_times(lambda case: case["frame_seconds"]),
    ("resident MB", lambda case: _mb(case["resident_bytes"], ".1f")),
    ("peak MB", lambda case: _mb(highest(case["memory"]))),
]
# What is counted: empty where a stage has no operations of torch.
_COUNTED: list[Column] = [
    ("Gop counted", lambda stage: _figure(stage["operations"] / 1e9)),
    ("Gop/s", lambda stage: _figure(stage["operations_per_second"] / 1e9)),
    ("peak %", lambda stage: f"{100 * stage['fraction_of_peak_operations']:.0f}"),
    ("MB counted", lambda stage: _figure(stage["bytes"] / 1e6)),
    ("GB/s", lambda stage: _figure(stage["bytes_per_second"] / 1e9)),
    ("peak %", lambda stage: f"{100 * stage['fraction_of_peak_bytes']:.0f}"),
    ("roofline %", lambda stage: f"{100 * stage['fraction_of_roofline']:.0f}"),
    ("bound by", lambda stage: stage["bound"]),
]


def _show_stages(case: BenchRecord, name: str, *, stderr: bool) -> None:
    stages = case["stages"]
    whole = sum(stage["seconds"]["mean"] for stage in stages)
    timed: list[Column] = [
        (name, lambda stage: stage["name"]),
        *_times(lambda stage: stage["seconds"], "mean", "median", "p10", "p90"),
        ("share %", lambda stage: f"{100 * stage['seconds']['mean'] / whole:.0f}"),
    ]
    rows = [
        [cell(stage) for _, cell in timed]
        + [cell(stage) if stage["bound"] is not None else "" for _, cell in _COUNTED]
        for stage in stages
    ]
    operations, moved = (sum(stage[what] for stage in stages) for what in ("operations", "bytes"))
    total = ["all stages, one after the other", _ms(whole), *[""] * 3, "100"]
    total += [_figure(operations / 1e9), *[""] * 2, _figure(moved / 1e6), *[""] * 4]
    show_table([title for title, _ in (*timed, *_COUNTED)], [*rows, [], total], stderr=stderr)


def _against(cases: Sequence[BenchRecord]) -> list[Column]:
    def named(case: BenchRecord) -> str:
        return f"{_named(case, cases)}, frames of {_size(case['against']['size'])}"

    return [
        ("against the plain network", named),
        ("frames/s", lambda case: _figure(case["against"]["ours"]["frames_per_second"])),
        ("plain frames/s", lambda case: _figure(case["against"]["plain"]["frames_per_second"])),
        ("times as fast", lambda case: f"{case['against']['ratio']:.2f}"),
        ("largest difference", lambda case: f"{case['against']['largest_difference']:.1e}"),
    ]


def _machine(record: BenchRecord) -> str:
    machine, versions = record["machine"], record["versions"]
    gpus = "".join(f", {name}" for name in machine["gpus"])
    return (
        f"{machine['cpu']}, {machine['cores']} cores{gpus}; torch {versions['torch']}, "
        f"Python {versions['python']}"
    )


def _peak(case: BenchRecord) -> str:
    """What was measured to be the most."""
    peaks = case["peaks"]
    threads = f" with {in_threads(case)}" if case["device"] == "cpu" else ""
    return (
        f"measured peak on {case['device']} in {case['precision']}{threads}: "
        f"{peaks['operations_per_second'] / 1e9:.3g} billion operations/s "
        f"({peaks['measured_by']}), {peaks['bytes_per_second'] / 1e9:.3g} GB/s (copy)"
    )


def _named(case: BenchRecord, cases: Sequence[BenchRecord]) -> str:
    """The label, with whatever else tells the cases apart."""
    words = [case["label"]]
    words += [case[name] for name in ("precision", "device") if len({c[name] for c in cases}) > 1]
    if len({c["threads"] for c in cases}) > 1:
        words.append(in_threads(case))
    return ", ".join([*words, *launching(case)])


def _size(size: Sequence[int]) -> str:
    return f"{size[0]}x{size[1]}"


def _ms(seconds: float) -> str:
    return _figure(1e3 * seconds)


def _mb(value: int | None, form: str = ".0f") -> str:
    return "-" if value is None else f"{value / 1e6:{form}}"


def _figure(value: float) -> str:
    """Three digits, and no powers of ten."""
    if value == 0:
        return "0"
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}" if value >= 0.1 else f"{value:.3f}"
