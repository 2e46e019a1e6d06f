"""Any pair of folders, and results that are not what they seem."""

import logging
import shutil
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from PIL import Image

from ddeal_core.choices import Protocol
from ddeal_core.errors import DatasetError
from ddeal_core.evaluation import pair_sequences, plan_all, score_plans
from ddeal_core.evaluation.protocols import RULES
from ddeal_core.evaluation.results import clear_masks
from ddeal_core.media import write_mask

SIZE = (16, 24)


def labels(left: int) -> np.ndarray:
    made = np.zeros(SIZE, np.uint8)
    made[4:10, left : left + 6] = 1
    return made


def images(folder: Path, count: int, suffix: str = "jpg") -> Path:
    folder.mkdir(parents=True)
    for t in range(count):
        Image.new("RGB", SIZE[::-1]).save(folder / f"f{t}.{suffix}")
    return folder


def masks(folder: Path, stems: list[int], left: int = 4) -> Path:
    folder.mkdir(parents=True)
    for t in stems:
        write_mask(folder / f"f{t}.png", labels(left))
    return folder


def test_every_protocol_has_rules_of_its_own() -> None:
    assert tuple(RULES) == get_args(Protocol)
    assert len({repr(rules) for rules in RULES.values()}) == len(RULES)


def test_many_sequences_in_the_order_of_numbers(tmp_path: Path) -> None:
    images(tmp_path / "i" / "a", 12)
    images(tmp_path / "i" / "b", 3, "png")
    images(tmp_path / "i" / "unannotated", 3)
    masks(tmp_path / "m" / "a", [2, 10])
    masks(tmp_path / "m" / "b", [0, 1, 2])
    a, b = pair_sequences(tmp_path / "i", tmp_path / "m")
    assert [path.stem for path in a.frames] == [f"f{t}" for t in range(12)]
    assert a.annotated_indices == (2, 10)
    assert (b.name, b.annotated_indices) == ("b", (0, 1, 2))
    (only,) = pair_sequences(tmp_path / "i", tmp_path / "m", sequences=["b"])
    assert only.name == "b"


def test_one_sequence_in_folders_of_any_name(tmp_path: Path) -> None:
    frames = images(tmp_path / "frames", 5)
    truth = masks(tmp_path / "truth", [0, 2, 4])
    (sequence,) = pair_sequences(frames, truth)
    assert (sequence.name, sequence.annotated_indices) == ("frames", (0, 2, 4))
    plans = plan_all([sequence], protocol="vos-benchmark")
    made = masks(tmp_path / "made", [0, 1, 2, 3, 4], left=7)
    score = score_plans(plans, made, loose=True)
    assert score.objects[0].j == (3 / 9,)
    nested = masks(tmp_path / "nested" / "frames", [2], left=7)
    assert score_plans(plans, nested.parent, loose=True) == score
    with pytest.raises(DatasetError, match=r"lacks 1 of 1 sequences \(frames\)"):
        score_plans(plans, made)


def test_folders_that_do_not_fit(tmp_path: Path) -> None:
    images(tmp_path / "i" / "a", 3)
    masks(tmp_path / "m" / "a", [0, 1, 2, 3, 7])
    with pytest.raises(DatasetError, match=r"no image for 2 annotations \(f3, f7\)"):
        pair_sequences(tmp_path / "i", tmp_path / "m")
    masks(tmp_path / "m" / "b", [0])
    with pytest.raises(DatasetError, match=r"lacks 1 annotated sequences \(b\)"):
        pair_sequences(tmp_path / "i", tmp_path / "m")
    with pytest.raises(DatasetError, match=r"images folder .* is missing"):
        pair_sequences(tmp_path / "none", tmp_path / "m")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match="neither images nor folders of images"):
        pair_sequences(tmp_path / "i", tmp_path / "empty")
    Image.new("RGB", SIZE[::-1]).save(tmp_path / "i" / "a" / "f0.png")
    shutil.rmtree(tmp_path / "m" / "b")
    with pytest.raises(DatasetError, match="differ only in their suffix"):
        pair_sequences(tmp_path / "i", tmp_path / "m")


def test_a_copy_of_the_ground_truth(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for name in ("a", "b"):
        masks(tmp_path / "m" / name, [0, 1, 2, 3])
    plans = plan_all(pair_sequences(None, tmp_path / "m"), protocol="vos-benchmark")
    made = tmp_path / "made"
    shutil.copytree(tmp_path / "m", made)
    with pytest.raises(DatasetError, match="is a copy of the ground truth"):
        score_plans(plans, made)
    write_mask(made / "b" / "f0.png", labels(9))  # not scored: still a copy
    with pytest.raises(DatasetError, match="is a copy of the ground truth"):
        score_plans(plans, made)
    write_mask(made / "b" / "f2.png", labels(9))
    with caplog.at_level(logging.WARNING):
        score_plans(plans, made)
    assert "results of a are the annotations byte for byte" in caplog.text
    assert "every pixel" not in caplog.text


def test_a_copy_in_other_files(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    masks(tmp_path / "m", [0, 1, 2])
    plans = plan_all(pair_sequences(None, tmp_path / "m"), protocol="vos-benchmark")
    (tmp_path / "made").mkdir()
    for t in range(3):
        Image.fromarray(labels(4)).save(tmp_path / "made" / f"f{t}.png")
    with caplog.at_level(logging.WARNING):
        assert score_plans(plans, tmp_path / "made", loose=True).j_and_f == 1
    assert "equal the ground truth in every pixel that is scored" in caplog.text


def test_masks_of_an_earlier_run_go(tmp_path: Path) -> None:
    masks(tmp_path / "old" / "a", [0, 1])
    masks(tmp_path / "old" / "b", [0])
    (tmp_path / "old" / "b" / "notes.txt").write_text("mine")
    clear_masks(tmp_path / "old")
    left = sorted(p.relative_to(tmp_path / "old").as_posix() for p in tmp_path.rglob("old/**/*"))
    assert left == ["b", "b/notes.txt"]
    clear_masks(tmp_path / "nowhere")
