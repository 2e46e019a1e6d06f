"""Whole folders scored: numbers by hand, rules of either protocol, and what must be refused."""

import csv
import json
import logging
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scored import plan_dataset, score_results

from ddeal_core.datasets.layouts import DavisLayout
from ddeal_core.errors import ConfigError, DatasetError, MaskError, OutputError
from ddeal_core.evaluation import (
    contour_accuracy,
    global_table,
    plan_sequence,
    score_predictions,
    sequence_table,
    write_tables,
)
from ddeal_core.evaluation.tables import clear_tables

SIZE = (24, 40)


def save(path: Path, labels: np.ndarray, mode: str = "P") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(labels.astype(np.uint8))
    if mode == "P":
        # Results are other files than annotations even where they hold the same ids.
        blue = 9 if "results" in path.parts else 7
        image.putpalette([c for i in range(256) for c in (i, 255 - i, blue)])
    elif mode != "L":
        image = image.convert(mode)
    image.save(path)


def box(
    object_id: int, left: int, *, width: int = 10, into: np.ndarray | None = None
) -> np.ndarray:
    labels = np.zeros(SIZE, np.uint8) if into is None else into
    labels[4:14, left : left + width] = object_id
    return labels


class Folders:
    """A dataset of two sequences and perfect results for it."""

    def __init__(self, root: Path) -> None:
        self.data = root / "data"
        self.results = root / "results"
        for name, frames, ids in (("bear", 6, (1,)), ("ants", 5, (1, 3))):
            for t in range(frames):
                labels = np.zeros(SIZE, np.uint8)
                for i in ids:
                    box(i, 2 + 6 * i + t, width=6, into=labels)
                self.put(name, t, labels)
                save(self.result(name, t), labels)
        sets = self.data / "ImageSets" / "2017"
        sets.mkdir(parents=True)
        (sets / "val.txt").write_text("bear\nants\n")

    def put(self, name: str, t: int, labels: np.ndarray, mode: str = "P") -> None:
        image = self.data / "JPEGImages" / "480p" / name / f"{t:05}.jpg"
        image.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", SIZE[::-1]).save(image)
        save(self.annotation(name, t), labels, mode)

    def annotation(self, name: str, t: int) -> Path:
        return self.data / "Annotations" / "480p" / name / f"{t:05}.png"

    def result(self, name: str, t: int) -> Path:
        return self.results / name / f"{t:05}.png"


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    return Folders(tmp_path)


def test_perfect_results(folders: Folders) -> None:
    score = score_results(folders.data, folders.results, image_set="val")
    assert [s.name for s in score.sequences] == ["bear", "ants"]
    # Id 2 is a gap: neither side has it, which counts as found, as in the official tool.
    assert [o.name for o in score.objects] == ["bear_1", "ants_1", "ants_2", "ants_3"]
    assert score.objects[0].frames == ("00001", "00002", "00003", "00004")
    assert score.j_and_f == score.region.mean == score.contour.mean == 1
    assert score.region.decay == 0


def test_j_by_hand_and_objects_count_alike(folders: Folders) -> None:
    # bear: half of the 10x6 box is found in frame 2, nothing in frame 3.
    labels = box(1, 10, width=3)
    save(folders.result("bear", 2), labels)
    save(folders.result("bear", 3), np.zeros(SIZE))
    score = score_results(folders.data, folders.results, image_set="val")
    bear = score.objects[0]
    assert bear.j == (1, 0.5, 0, 1)
    truth = box(1, 10, width=6)
    assert bear.f == (1, contour_accuracy(truth, labels), 0, 1)
    assert 0 < bear.f[1] < 1
    assert bear.region.mean == 2.5 / 4
    assert bear.region.recall == 2 / 4
    # Edges of 4 frames are 1, 2 (1.75), 3 (2.5), 3 (3.25), 4.
    assert bear.region.decay == (1 + 0.5) / 2 - (0 + 1) / 2
    assert score.region.mean == (2.5 / 4 + 3) / 4
    assert score.sequences[1].j_mean == 1


def test_first_and_last_frames_do_not_count(folders: Folders) -> None:
    for t in (0, 5):
        folders.result("bear", t).unlink()
    assert score_results(folders.data, folders.results).j_and_f == 1


def test_255_is_background(folders: Folders) -> None:
    labels = box(1, 11, width=6)
    labels[0:3] = 255
    folders.put("bear", 3, labels)
    folders.put("bear", 0, np.where(box(1, 8) == 1, 1, 255))
    score = score_results(folders.data, folders.results, sequences=["bear"])
    assert score.objects[0].j == (1, 1, 1, 1)


def test_davis2016_takes_whatever_is_not_zero(folders: Folders) -> None:
    for t in range(6):
        folders.put("bear", t, box(255, 8 + t), mode="L")
        save(folders.result("bear", t), box([1, 255, 7, 38, 255, 1][t], 8 + t), mode="L")
    save(folders.result("bear", 4), box(200, 12), mode="RGB")
    save(folders.result("bear", 3), box(200, 11), mode="RGBA")
    score = score_results(folders.data, folders.results, sequences=["bear"], protocol="davis2016")
    assert [o.name for o in score.objects] == ["bear_1"]
    assert score.objects[0].j == (1, 1, 1, 1)


def test_sparse_annotations_are_scored_where_they_are(folders: Folders) -> None:
    folders.annotation("bear", 1).unlink()
    folders.annotation("bear", 5).unlink()
    score = score_results(folders.data, folders.results, sequences=["bear"])
    # The last annotated frame is not the last of the video, so it counts.
    assert score.objects[0].frames == ("00002", "00003", "00004")


def test_other_places_for_resolution(folders: Folders) -> None:
    for folder in ("JPEGImages", "Annotations"):
        inside = folders.data / folder / "480p"
        inside.rename(folders.data / folder / "Full-Resolution")
    full = score_results(folders.data, folders.results, resolution="Full-Resolution")
    assert len(full.objects) == 4


def test_the_list_of_the_year_of_the_protocol(folders: Folders) -> None:
    sets = folders.data / "ImageSets"
    for year, names in (("2016", "bear"), ("2019", "ants")):
        (sets / year).mkdir()
        (sets / year / "val.txt").write_text(names)
    old = plan_dataset(folders.data, image_set="val", protocol="davis2016")
    new = plan_dataset(folders.data, image_set="val", protocol="davis2017")
    assert [plan.name for plan in old] == ["bear"]
    assert [plan.name for plan in new] == ["bear", "ants"]


def test_label_maps_without_files(folders: Folders) -> None:
    (ants,) = (s for s in DavisLayout(folders.data).sequences("val") if s.name == "ants")
    plan = plan_sequence(ants)
    maps = [(f"{t:05}", np.asarray(Image.open(folders.result("ants", t)))) for t in range(5)]
    assert score_predictions(plan, iter(maps)).j_and_f == 1
    with pytest.raises(DatasetError, match="no prediction of frame 00002"):
        score_predictions(plan, maps[:2] + maps[3:])


def test_unknown_ids_are_left_out_and_told(
    folders: Folders, caplog: pytest.LogCaptureFixture
) -> None:
    labels = box(1, 10, width=6)
    labels[20:] = 9
    save(folders.result("bear", 2), labels)
    with caplog.at_level(logging.WARNING):
        score = score_results(folders.data, folders.results, sequences=["bear"])
    assert score.objects[0].j == (1, 1, 1, 1)
    assert score.sequences[0].unknown_ids == (9,)
    assert "bear hold ids that the ground truth does not have (9)" in caplog.text


def test_later_objects_are_not_scored_and_told(
    folders: Folders, caplog: pytest.LogCaptureFixture
) -> None:
    labels = box(1, 10, width=6)
    labels[20:] = 5
    labels[0] = 255
    folders.put("bear", 2, labels)
    with caplog.at_level(logging.WARNING):
        score = score_results(folders.data, folders.results, sequences=["bear"])
    assert [o.object_id for o in score.objects] == [1]
    assert score.sequences[0].unscored_ids == (5,)
    assert "bear hold objects that davis2017 does not score (5)" in caplog.text


def test_everything_missing_is_listed(folders: Folders) -> None:
    for t in (1, 2, 4):
        folders.result("bear", t).unlink()
    with pytest.raises(DatasetError, match=r"lacks 3 frames \(bear/00001-00002 00004\)"):
        score_results(folders.data, folders.results)
    (folders.results / "ants").rename(folders.results / "bees")
    with pytest.raises(DatasetError, match=r"lacks 1 of 2 sequences \(ants\) and 3 frames"):
        score_results(folders.data, folders.results)
    with pytest.raises(DatasetError, match="is missing"):
        score_results(folders.data, folders.results / "nowhere")


def test_wrong_size(folders: Folders) -> None:
    save(folders.result("ants", 2), np.zeros((12, 20)))
    with pytest.raises(MaskError, match=r"00002\.png of ants is 20x12 but .* is 40x24"):
        score_results(folders.data, folders.results)


@pytest.mark.parametrize(
    ("mode", "says"),
    [("RGB", "RGB image where object ids"), ("L", r"grey image with values \(255\)")],
)
def test_colours_and_greys_are_no_ids(folders: Folders, mode: str, says: str) -> None:
    save(folders.result("bear", 3), box(255, 11), mode)
    with pytest.raises(MaskError, match=says):
        score_results(folders.data, folders.results)


def test_grey_files_that_hold_ids_are_fine(folders: Folders) -> None:
    save(folders.result("bear", 3), box(1, 11, width=6), "L")
    assert score_results(folders.data, folders.results).j_and_f == 1


def test_damaged_file(folders: Folders) -> None:
    whole = folders.result("bear", 3).read_bytes()
    for bad in (b"", b"no image", whole[: len(whole) // 2]):
        folders.result("bear", 3).write_bytes(bad)
        with pytest.raises(MaskError, match=r"cannot read mask .*00003\.png"):
            score_results(folders.data, folders.results)


def test_ground_truth_given_as_results(folders: Folders) -> None:
    with pytest.raises(DatasetError, match="is the ground truth itself"):
        score_results(folders.data, folders.data / "Annotations" / "480p")
    linked = folders.results.parent / "linked"
    linked.symlink_to(folders.data / "Annotations" / "480p")
    with pytest.raises(DatasetError, match="is the ground truth itself"):
        score_results(folders.data, linked)


def test_datasets_without_what_is_needed(folders: Folders) -> None:
    with pytest.raises(DatasetError, match="no sequence wolf"):
        plan_dataset(folders.data, sequences=["bear", "wolf"])
    with pytest.raises(ConfigError, match="'davis2018'"):
        plan_dataset(folders.data, protocol="davis2018")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=r"choose davis2016, .* or every-frame"):
        plan_sequence(*DavisLayout(folders.data).sequences("2017/val")[:1], protocol="davis2018")
    with pytest.raises(ConfigError, match="workers"):
        score_results(folders.data, folders.results, workers=0)
    folders.put("bear", 0, box(255, 4), mode="L")
    with pytest.raises(DatasetError, match=r"holds no object .*davis2016"):
        plan_dataset(folders.data)
    for t in range(1, 5):
        folders.annotation("bear", t).unlink()
    with pytest.raises(DatasetError, match="'bear' has nothing to score"):
        plan_dataset(folders.data, protocol="davis2016")
    for t in (0, 5):
        folders.annotation("bear", t).unlink()
    with pytest.raises(DatasetError, match=r"no annotations for 1 of 2 sequences \(bear\)"):
        plan_dataset(folders.data)


def test_processes_give_the_same_in_the_same_order(folders: Folders) -> None:
    save(folders.result("ants", 2), box(3, 9))
    alone = score_results(folders.data, folders.results, image_set="val")
    seen: list[tuple[str, int, int]] = []
    shared = score_results(
        folders.data,
        folders.results,
        image_set="val",
        workers=2,
        progress=lambda score, done, of: seen.append((score.name, done, of)),
    )
    assert shared == alone
    assert sorted(name for name, _, _ in seen) == ["ants", "bear"]
    assert [(done, of) for _, done, of in seen] == [(1, 2), (2, 2)]


def test_tables_to_the_byte(folders: Folders) -> None:
    save(folders.result("bear", 2), np.zeros(SIZE))
    score = score_results(folders.data, folders.results, image_set="val")
    assert global_table(score) == (
        "J&F-Mean,J-Mean,J-Recall,J-Decay,F-Mean,F-Recall,F-Decay\n"
        "0.938,0.938,0.938,-0.125,0.938,0.938,-0.125\n"
    )
    assert sequence_table(score) == (
        "Sequence,J-Mean,F-Mean\n"
        "bear_1,0.750,0.750\n"
        "ants_1,1.000,1.000\n"
        "ants_2,1.000,1.000\n"
        "ants_3,1.000,1.000\n"
    )


def test_files(folders: Folders, tmp_path: Path) -> None:
    score = score_results(folders.data, folders.results, image_set="2017/val")
    out = tmp_path / "new" / "out"
    write_tables(score, out)
    paths = sorted(out.iterdir())
    assert [p.name for p in paths] == [
        "global_results-val.csv",
        "per-sequence_results-val.csv",
        "results.json",
    ]
    assert b"\r" not in paths[1].read_bytes()
    rows = list(csv.DictReader(paths[1].read_text().splitlines()))
    assert rows[3] == {"Sequence": "ants_3", "J-Mean": "1.000", "F-Mean": "1.000"}
    record = json.loads(paths[2].read_text())
    assert record["protocol"] == "davis2017"
    ants = record["sequences"]["ants"]["objects"]["3"]
    assert ants["frames"]["00001"] == {"J": 1.0, "F": 1.0}
    assert record["global"]["J&F-Mean"] == score.j_and_f
    (out / "global_results-train.csv").write_text("of another set")
    clear_tables(out, "2017/val")
    assert [p.name for p in out.iterdir()] == ["global_results-train.csv"]
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot write"):
        clear_tables(tmp_path / "file", "val")
    with pytest.raises(OutputError, match="cannot write"):
        write_tables(score, tmp_path / "file")
