"""What ``ddeal bench`` measured, as tables."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ddeal_cli.console import emit_json, say
from ddeal_cli.tables import show_table

if TYPE_CHECKING:
    from ddeal_cli.bench.record import Comparison

__all__ = ["show_comparison", "show_record"]


def show_record(record: dict[str, Any], *, json_: bool, quiet: bool) -> None:
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
    if record["kind"] == "growth length":
        _show_length(record["cases"], stderr=json_)
    elif record["kind"].startswith("growth"):
        _show_growth(record["cases"], stderr=json_)
    else:
        _show_speed(record["cases"], quiet=quiet, stderr=json_)


def show_comparison(
    rows: "Sequence[Comparison]", *, names: tuple[Path, Path], same: bool, json_: bool
) -> None:
    """Show two records side by side, a table a case."""
    if not same:
        say("warning: the two files are of two machines")
    if json_:
        fields = ("case", "quantity", "first", "second", "ratio")
        emit_json({"rows": [{name: getattr(row, name) for name in fields} for row in rows]})
        return
    titles = [name.name for name in names]
    if titles[0] == titles[1]:
        titles = [str(name) for name in names]
    for case in dict.fromkeys(row.case for row in rows):
        show_table(
            [case, *titles, "ratio"],
            [
                [row.quantity, _figure(row.first), _figure(row.second), f"{row.ratio:.2f}"]
                for row in rows
                if row.case == case
            ],
        )


def _show_speed(cases: Sequence[dict[str, Any]], *, quiet: bool, stderr: bool) -> None:
    for peaks, where in _peaks(cases):
        say(
            f"measured peak {where}: {peaks['operations_per_second'] / 1e9:.3g} billion "
            f"operations/s ({peaks['measured_by']}), "
            f"{peaks['bytes_per_second'] / 1e9:.3g} GB/s (copy)",
            quiet=quiet,
        )
    header = [
        "network, video, objects",
        "model frames/s",
        "median ms",
        "p10 ms",
        "p90 ms",
        "command frames/s",
        "first ms",
        "warm-up ms",
        "compile ms",
        "memory MB",
    ]
    rows = []
    for case in cases:
        model, seconds = case["model"], case["model"]["frame_seconds"]
        rows.append(
            [
                _named(case, cases),
                _figure(model["frames_per_second"]),
                *(_ms(seconds[name]) for name in ("median", "p10", "p90")),
                _figure(case["command"]["frames_per_second"]),
                _ms(model["first_seconds"]),
                _ms(model["warm_up_seconds"]),
                _ms(model["compilation_seconds"]),
                _mb(case["memory"]),
            ]
        )
    show_table(header, rows, stderr=stderr)
    for case in cases:
        _show_stages(case, _named(case, cases), stderr=stderr)
    if any(case["against"] for case in cases):
        _show_against(cases, stderr=stderr)


def _show_stages(case: dict[str, Any], name: str, *, stderr: bool) -> None:
    whole = sum(stage["seconds"]["mean"] for stage in case["stages"])
    header = [
        name,
        "mean ms",
        "median ms",
        "p10 ms",
        "p90 ms",
        "share %",
        "Gop counted",
        "Gop/s",
        "peak %",
        "MB counted",
        "GB/s",
        "peak %",
        "roofline %",
        "bound by",
    ]
    rows = []
    for stage in case["stages"]:
        seconds = stage["seconds"]
        cells = [
            stage["name"],
            *(_ms(seconds[key]) for key in ("mean", "median", "p10", "p90")),
            f"{100 * seconds['mean'] / whole:.0f}",
        ]
        if stage["bound"] is None:
            rows.append([*cells, *[""] * 8])
            continue
        rows.append(
            [
                *cells,
                _figure(stage["operations"] / 1e9),
                _figure(stage["operations_per_second"] / 1e9),
                f"{100 * stage['fraction_of_peak_operations']:.0f}",
                _figure(stage["bytes"] / 1e6),
                _figure(stage["bytes_per_second"] / 1e9),
                f"{100 * stage['fraction_of_peak_bytes']:.0f}",
                f"{100 * stage['fraction_of_roofline']:.0f}",
                stage["bound"],
            ]
        )
    total = [
        "all stages, one after the other",
        _ms(whole),
        *[""] * 3,
        "100",
        _figure(sum(s["operations"] for s in case["stages"]) / 1e9),
        *[""] * 2,
        _figure(sum(s["bytes"] for s in case["stages"]) / 1e6),
        *[""] * 4,
    ]
    show_table(header, [*rows, [], total], stderr=stderr)


def _show_against(cases: Sequence[dict[str, Any]], *, stderr: bool) -> None:
    header = [
        "against the plain network",
        "frames/s",
        "plain frames/s",
        "times as fast",
        "largest difference",
    ]
    rows = []
    for case in cases:
        found = case["against"]
        if found:
            rows.append(
                [
                    _named(case, cases) + f", frames of {_size(found['size'])}",
                    _figure(found["ours"]["frames_per_second"]),
                    _figure(found["plain"]["frames_per_second"]),
                    f"{found['ratio']:.2f}",
                    f"{found['largest_difference']:.1e}",
                ]
            )
    show_table(header, rows, stderr=stderr)


def _show_growth(cases: Sequence[dict[str, Any]], *, stderr: bool) -> None:
    header = [
        "network, video, objects",
        "network sees",
        "frames/s",
        "median ms",
        "p10 ms",
        "p90 ms",
        "memory MB",
    ]
    rows = [
        [
            _named(case, cases),
            _size(case["network_size"]),
            _figure(case["model"]["frames_per_second"]),
            *(_ms(case["model"]["frame_seconds"][name]) for name in ("median", "p10", "p90")),
            _mb(case["memory"]),
        ]
        for case in cases
    ]
    show_table(header, rows, stderr=stderr)


def _show_length(cases: Sequence[dict[str, Any]], *, stderr: bool) -> None:
    header = [
        "network, video, objects",
        "up to frame",
        "median ms",
        "p10 ms",
        "p90 ms",
        "resident MB",
        "peak MB",
    ]
    rows = [
        [
            _named(case, cases),
            str(case["frames"]),
            *(_ms(case["frame_seconds"][name]) for name in ("median", "p10", "p90")),
            "-" if case["resident_bytes"] is None else f"{case['resident_bytes'] / 1e6:.1f}",
            _mb(case["memory"]),
        ]
        for case in cases
    ]
    show_table(header, rows, stderr=stderr)


def _machine(record: dict[str, Any]) -> str:
    machine, versions = record["machine"], record["versions"]
    gpus = "".join(f", {name}" for name in machine["gpus"])
    return (
        f"{machine['cpu']}, {machine['cores']} cores{gpus}; torch {versions['torch']}, "
        f"Python {versions['python']}"
    )


def _peaks(cases: Sequence[dict[str, Any]]) -> list[tuple[dict[str, Any], str]]:
    """The measured peaks, each once, and what they are of."""
    found: dict[str, dict[str, Any]] = {}
    for case in cases:
        where = f"on {case['device']} in {case['precision']}"
        if case["device"] == "cpu":
            where += f" with {_threads(case)}"
        found.setdefault(where, case["peaks"])
    return [(peaks, where) for where, peaks in found.items()]


def _named(case: dict[str, Any], cases: Sequence[dict[str, Any]]) -> str:
    """The label, with whatever else tells the cases apart."""
    from ddeal_cli.bench.record import launching

    words = [case["label"]]
    words += [case[name] for name in ("precision", "device") if len({c[name] for c in cases}) > 1]
    if len({c["threads"] for c in cases}) > 1:
        words.append(_threads(case))
    return ", ".join([*words, *launching(case)])


def _threads(case: dict[str, Any]) -> str:
    return f"{case['threads']} thread{'' if case['threads'] == 1 else 's'}"


def _size(size: Sequence[int]) -> str:
    return f"{size[0]}x{size[1]}"


def _ms(seconds: float) -> str:
    return _figure(1e3 * seconds)


def _mb(memory: dict[str, Any]) -> str:
    used = memory["device"] if memory["device"] is not None else memory["resident"]
    return "-" if used is None else f"{used / 1e6:.0f}"


def _figure(value: float) -> str:
    """Three digits, and no powers of ten."""
    if value == 0:
        return "0"
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}" if value >= 0.1 else f"{value:.3f}"
