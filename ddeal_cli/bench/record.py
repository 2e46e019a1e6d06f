"""Records as files, and two of them side by side."""

import json
from pathlib import Path
from typing import Any

from ddeal_cli.bench.machine import describe_machine
from ddeal_core.errors import InputError
from ddeal_core.text_files import read_json
from ddeal_core.whole_files import write_output

_SCHEMA = "ddeal-bench-1"

_IDENTITY = ("network", "size", "network_size", "objects", "precision", "device", "threads")


def new_record(
    kind: str, cases: list[dict[str, Any]], settings: dict[str, Any], *, others: float | None
) -> dict[str, Any]:
    """A whole record of a kind: ``speed``, ``growth objects``, ``growth size``, ``growth length``.

    `others` is the share of the processor that other programs used meanwhile, 0 to 1.
    """
    return {
        "schema": _SCHEMA,
        "kind": kind,
        **describe_machine(),
        "settings": settings,
        "others_share_of_processor": others,
        "cases": cases,
    }


def write_record(record: dict[str, Any], path: Path) -> None:
    """Write a record; the file appears when it is whole."""
    write_output(path, (json.dumps(record, indent=1) + "\n").encode())


def read_record(path: Path) -> dict[str, Any]:
    """Read what `write_record` wrote; anything else is refused."""
    record = read_json(path)
    schema = record.get("schema") if isinstance(record, dict) else None
    if schema != _SCHEMA:
        raise InputError(
            f"{path} has the schema {schema!r}, not {_SCHEMA!r}: measure again with this version"
        )
    cases = record.get("cases")
    if not isinstance(cases, list) or not cases or not all(isinstance(c, dict) for c in cases):
        raise InputError(f"{path} has no cases: it is damaged")
    return dict(record)


ComparisonRow = dict[str, Any]
"""A quantity, named with its unit, of a case in two records: first, second, and their ratio."""


def compare_records(first: dict[str, Any], second: dict[str, Any]) -> list[ComparisonRow]:
    """Set the cases that two records share side by side.

    Raises:
        InputError: They are of different kinds, damaged, or share no case.
    """
    kinds = first.get("kind"), second.get("kind")
    if kinds[0] != kinds[1]:
        raise InputError(
            f"the files are of two kinds, {kinds[0]!r} and {kinds[1]!r}: compare like with like"
        )
    try:
        others = {_identity(case): case for case in second["cases"]}
        rows: list[ComparisonRow] = []
        for case in first["cases"]:
            other = others.get(_identity(case))
            if other is not None:
                rows += _quantities(case, other)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise InputError(f"a case is damaged: {type(error).__name__} {error}") from None
    if not rows:
        raise InputError(
            "the files share no case: network, size, objects, precision, device and threads differ"
        )
    return rows


def launching(case: dict[str, Any]) -> list[str]:
    """How the work of a case was launched, in words, where it was not frame by frame."""
    ahead = case.get("look_ahead", 1)
    words = [f"{ahead} frames ahead"] if ahead > 1 else []
    return [*words, "CUDA graphs"] if case.get("cuda_graphs") else words


def in_threads(case: dict[str, Any]) -> str:
    """How many threads torch had on the CPU, in words."""
    return f"{case['threads']} thread{'' if case['threads'] == 1 else 's'}"


def highest(memory: dict[str, Any]) -> Any:
    """Bytes of the device, or of main memory where it is the CPU."""
    return memory["resident"] if memory["device"] is None else memory["device"]


def _identity(case: dict[str, Any]) -> str:
    """What makes two cases the same."""
    return json.dumps([*(case[name] for name in _IDENTITY), case.get("frames")])


def _quantities(case: dict[str, Any], other: dict[str, Any]) -> list[ComparisonRow]:
    label = case["label"] if "frames" not in case else f"{case['label']}, frame {case['frames']}"
    rows: list[ComparisonRow] = []

    def add(quantity: str, first: float | None, second: float | None) -> None:
        if first is not None and second is not None:
            if not isinstance(first + second, int | float):
                raise TypeError(f"{quantity} is no number")
            ratio = second / first if first else float("nan")
            row = {"case": label, "quantity": quantity, "first": first, "second": second}
            rows.append({**row, "ratio": ratio})

    both = case, other
    for title, name in (("model", "model"), ("whole command", "command")):
        if name in case and name in other:
            add(f"{title}, frames/s", *(c[name]["frames_per_second"] for c in both))
    if "frame_seconds" in case:
        add("frame, ms", *(1e3 * c["frame_seconds"]["median"] for c in both))
        add("resident, MB", *(_megabytes(c["resident_bytes"]) for c in both))
    stages = [{stage["name"]: stage for stage in c.get("stages", [])} for c in both]
    for name in stages[0]:
        if name in stages[1]:
            add(f"{name}, ms", *(1e3 * side[name]["seconds"]["mean"] for side in stages))
    add("peak resident, MB", *(_megabytes(c["memory"]["resident"]) for c in both))
    add("peak on the device, MB", *(_megabytes(c["memory"]["device"]) for c in both))
    if case.get("against") and other.get("against"):
        add("times the plain network", *(c["against"]["ratio"] for c in both))
    return rows


def _megabytes(value: int | None) -> float | None:
    return None if value is None else value / 1e6
