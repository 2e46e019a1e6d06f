"""vos-benchmark and every-frame: ids present in the ground truth, by hand."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ddeal_core.errors import DatasetError, MaskError
from ddeal_core.evaluation import pair_sequences, plan_all, score_plans
from ddeal_core.evaluation.plan import Protocol

SIZE = (24, 40)


def box(object_id: int, width: int, *, top: int = 2) -> np.ndarray:
    labels = np.zeros(SIZE, np.uint8)
    labels[top : top + 8, 2 : 2 + width] = object_id
    return labels


def put(folder: Path, maps: list[np.ndarray], *, blue: int) -> None:
    folder.mkdir(parents=True)
    for t, labels in enumerate(maps):
        image = Image.fromarray(labels)
        image.putpalette([c for i in range(256) for c in (i, i, blue)])
        image.save(folder / f"{t}.png")


def score(tmp_path: Path, truth: list, guess: list, protocol: Protocol):  # type: ignore[no-untyped-def]
    put(tmp_path / "truth" / "a", truth, blue=1)
    put(tmp_path / "guess" / "a", guess, blue=2)
    plans = plan_all(pair_sequences(None, tmp_path / "truth"), protocol=protocol)
    return score_plans(plans, tmp_path / "guess").sequences[0]


def test_first_and_last_annotated_frames_do_not_count(tmp_path: Path) -> None:
    truth = [box(3, 8)] * 4
    result = score(tmp_path, truth, [box(3, 1), box(3, 4), box(3, 2), box(3, 1)], "vos-benchmark")
    (only,) = result.objects
    assert only.object_id == 3  # ids are those that are there, no gaps filled
    assert only.frames == ("1", "2")
    assert only.j == (4 / 8, 2 / 8)


def test_every_frame_counts(tmp_path: Path) -> None:
    truth = [box(3, 8)] * 4
    result = score(tmp_path, truth, [box(3, 1), box(3, 4), box(3, 2), box(3, 8)], "every-frame")
    assert result.objects[0].j == (1 / 8, 4 / 8, 2 / 8, 1)


def test_a_later_object_is_scored_once_it_is_annotated(tmp_path: Path) -> None:
    both = box(1, 8) + box(2, 8, top=12)
    truth = [box(1, 8), box(1, 8), both, box(1, 8), both]
    result = score(tmp_path, truth, [*truth[:3], both, both], "vos-benchmark")
    one, two = result.objects
    assert one.frames == ("1", "2", "3")
    # Its own first frame counts, and so does a frame on which it is hidden.
    assert two.frames == ("2", "3")
    assert two.j == (1, 0)


def test_a_later_object_is_scored_once_it_is_predicted(tmp_path: Path) -> None:
    both = box(1, 8) + box(2, 8, top=12)
    truth = [box(1, 8), box(1, 8), box(1, 8), both, both]
    result = score(tmp_path, truth, [truth[0], both, box(1, 8), both, both], "vos-benchmark")
    two = result.objects[1]
    assert two.frames == ("1", "2", "3")
    # Too early; rightly empty; found.
    assert two.j == two.f == (0, 1, 1)


def test_255_is_an_id_like_any_other(tmp_path: Path) -> None:
    truth = [box(255, 8)] * 3
    result = score(tmp_path, truth, [box(255, 4)] * 3, "vos-benchmark")
    assert [(o.object_id, o.j) for o in result.objects] == [(255, (0.5,))]


def test_ids_of_unscored_frames_are_not_scored_and_not_strange(tmp_path: Path) -> None:
    truth = [box(2, 8), box(1, 8), box(1, 8)]
    result = score(tmp_path, truth, [box(2, 8), box(2, 8) // 2 + box(2, 4, top=12), truth[2]],
                   "vos-benchmark")  # fmt: skip
    assert [o.object_id for o in result.objects] == [1]
    assert result.unknown_ids == ()
    assert result.objects[0].j == (1,)


def test_unknown_ids(tmp_path: Path) -> None:
    truth = [box(1, 8)] * 3
    guess = [truth[0], box(1, 8) + box(4, 8, top=12), truth[2]]
    assert score(tmp_path, truth, guess, "vos-benchmark").unknown_ids == (4,)


@pytest.mark.parametrize("protocol", ["vos-benchmark", "every-frame"])
def test_nothing_to_score(tmp_path: Path, protocol: Protocol) -> None:
    blank = np.zeros(SIZE, np.uint8)
    put(tmp_path / "truth", [blank if protocol == "every-frame" else box(1, 8)] * 2, blue=1)
    with pytest.raises(DatasetError, match="'truth' has nothing to score"):
        plan_all(pair_sequences(None, tmp_path / "truth"), protocol=protocol)


def test_grey_masks_with_other_values_than_ids(tmp_path: Path) -> None:
    put(tmp_path / "truth" / "a", [box(1, 8)] * 3, blue=1)
    (tmp_path / "guess" / "a").mkdir(parents=True)
    for t in range(3):
        Image.fromarray(box(255, 8)).save(tmp_path / "guess" / "a" / f"{t}.png")
    plans = plan_all(pair_sequences(None, tmp_path / "truth"), protocol="vos-benchmark")
    with pytest.raises(MaskError, match=r"grey image with values \(255\)"):
        score_plans(plans, tmp_path / "guess")
