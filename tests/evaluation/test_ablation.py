import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest

from ddeal_core.errors import ConfigError, OutputError
from ddeal_core.evaluation import DatasetScore, ObjectScore, SequenceScore
from ddeal_core.evaluation.ablation import ablation_lines, write_ablation
from ddeal_core.evaluation.paper_tables import TABLE_V
from ddeal_core.evaluation.protocols import RULES
from ddeal_core.network import Ablation


def a_score(j: float, f: float, *, protocol: str = "davis2017") -> DatasetScore:
    group = "Seen" if protocol == "ytvos" else ""
    objects = [ObjectScore("bear", 1, ("1", "2"), (j, j), (f, f), "bear", group)]
    if group:
        objects.append(ObjectScore("bear", 2, ("1",), (j / 2,), (f / 2,), "zeppelin", "Unseen"))
    return DatasetScore(protocol, "val", (SequenceScore("bear", tuple(objects)),))


def five(protocol: str = "davis2017") -> dict[int, DatasetScore]:
    return {n: a_score(0.8 - 0.1 * n, 0.9 - 0.1 * n, protocol=protocol) for n in range(1, 6)}


def test_the_papers_table_agrees_with_its_text_and_itself() -> None:
    # Section IV-C: drops of line 2 and 3 on both datasets, of line 4 on one, totals of line 5.
    davis, ytvos = ([row[name] for row in TABLE_V.values()] for name in ("J&F-Mean", "G"))
    assert (davis[0], ytvos[0]) == (74.8, 71.3)
    assert davis[0] - davis[1] == pytest.approx(2.7)
    assert ytvos[0] - ytvos[1] == pytest.approx(3.1)
    assert davis[0] - davis[2] == pytest.approx(3.7)
    assert ytvos[0] - ytvos[2] == pytest.approx(4.0)
    assert ytvos[0] - ytvos[3] == pytest.approx(1.2)
    assert (davis[4], ytvos[4]) == (68.5, 65.1)
    for row in TABLE_V.values():
        assert abs((row["J-Mean"] + row["F-Mean"]) / 2 - row["J&F-Mean"]) < 0.051, row


def test_lines_beside_the_papers() -> None:
    lines = ablation_lines(five())
    assert [line.ablation for line in lines] == [Ablation.table_v(n) for n in range(1, 6)]
    assert lines[2].measured == {
        "J-Mean": pytest.approx(0.5),
        "F-Mean": pytest.approx(0.6),
        "J&F-Mean": pytest.approx(0.55),
    }
    assert lines[2].paper == {"J-Mean": 0.683, "F-Mean": 0.738, "J&F-Mean": 0.711}
    assert [line.drop for line in lines] == pytest.approx([0, 0.1, 0.2, 0.3, 0.4])
    assert [line.paper_drop for line in lines] == [0, 0.027, 0.037, 0, 0.063]


def test_youtube_vos_compares_g() -> None:
    line = ablation_lines(five("ytvos"))[1]
    assert list(line.measured) == ["J-Seen", "F-Seen", "J-Unseen", "F-Unseen", "G"]
    assert line.measured["G"] == pytest.approx((0.6 + 0.7 + 0.3 + 0.35) / 4)
    assert line.paper["G"] == 0.682
    assert line.paper["F-Unseen"] is None  # damaged in the print
    assert line.paper_drop == 0.031
    seen_only = {
        n: DatasetScore("ytvos", "val", (SequenceScore("bear", s.objects[:1]),))
        for n, s in five("ytvos").items()
    }
    assert ablation_lines(seen_only)[1].drop is None


def test_other_groups_have_no_line_of_the_paper_beside_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    by_length = replace(RULES["davis2017"], groups=("Short", "Long"))
    monkeypatch.setitem(RULES, "by-length", by_length)
    objects = tuple(replace(o, group="Long") for o in a_score(0.5, 0.7).objects)
    line = {1: DatasetScore("by-length", "val", (SequenceScore("bear", objects),))}
    write_ablation(line, tmp_path)
    record = json.loads((tmp_path / "ablation.json").read_text())
    assert record["paper"] == "Table V has other groups"
    assert record["lines"][0]["J-Long"] == 0.5
    assert record["lines"][0]["J-Short"] is None
    assert set(record["lines"][0]["paper"].values()) == {None}


def test_files(tmp_path: Path) -> None:
    write_ablation(five(), tmp_path / "out")
    table, record = (tmp_path / "out" / f"ablation.{kind}" for kind in ("csv", "json"))
    rows = list(csv.DictReader(table.read_text().splitlines()))
    assert len(rows) == 5
    assert rows[1] == {
        "Line": "2", "GDMM": "1", "BC": "0", "SC": "0",
        "J-Mean": "0.600", "F-Mean": "0.700", "J&F-Mean": "0.650", "Drop": "0.100",
        "Paper-J-Mean": "0.701", "Paper-F-Mean": "0.741", "Paper-J&F-Mean": "0.721",
        "Paper-Drop": "0.027",
    }  # fmt: skip
    told = json.loads(record.read_text())
    assert told["paper"] == "Table V: ResNet-101 on DAVIS 2017 val"
    assert told["lines"][4]["supplementary"] is False
    assert told["lines"][4]["paper"]["J&F-Mean"] == 0.685
    write_ablation(five("ytvos"), tmp_path / "other")
    of_ytvos = tmp_path / "other" / "ablation.csv"
    assert of_ytvos.read_text().splitlines()[1].endswith("0.737,0.771,0.639,,0.713,0.000")
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot write"):
        write_ablation(five(), tmp_path / "file")


def test_lines_that_are_none() -> None:
    with pytest.raises(ValueError, match="line 1"):
        ablation_lines({2: a_score(0.5, 0.5)})
    with pytest.raises(ConfigError, match="lines 1 to 5"):
        ablation_lines({1: a_score(0.5, 0.5), 6: a_score(0.5, 0.5)})
