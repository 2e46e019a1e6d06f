"""YouTube-VOS: objects that come later, seen and unseen categories, G, first masks only."""

import json
import logging
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scored import plan_dataset, score_results

from ddeal_core.errors import DatasetError, MaskError
from ddeal_core.evaluation import (
    contour_accuracy,
    copy_first_mask,
    find_sequences,
    global_table,
    only_first_masks,
    read_seen,
    submission_frames,
    write_submission,
    write_tables,
)
from ddeal_core.evaluation.categories import SEEN_CATEGORIES
from ddeal_core.evaluation.methods import run_method, track_sequence
from ddeal_core.media import read_mask, write_mask

SIZE = (24, 40)
STEMS = ("00000", "00005", "00010", "00015")
BEGINS = {1: "00000", 2: "00005"}


def scene(*objects: tuple[int, int, int]) -> np.ndarray:
    """Boxes of (id, left, width), id 1 above id 2."""
    labels = np.zeros(SIZE, np.uint8)
    for i, left, width in objects:
        labels[12 * i - 10 : 12 * i - 2, left : left + width] = i
    return labels


TRUTH = {
    "00000": scene((1, 2, 8)),
    "00005": scene((1, 4, 8), (2, 20, 8)),
    "00010": scene((1, 6, 8), (2, 20, 8)),
    "00015": scene((2, 22, 8)),  # object 1 has left
}


class Split:
    """One video, "clip": a person (seen), and a zeppelin (unseen) from its second mask on."""

    def __init__(self, root: Path) -> None:
        self.data = root / "valid"
        self.results = root / "results"
        for t in range(20):
            image = self.data / "JPEGImages" / "clip" / f"{t:05}.jpg"
            image.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", SIZE[::-1]).save(image)
        for stem, labels in TRUTH.items():
            self.annotate(stem, labels)
            self.predict(stem, labels)
        self.meta({1: ("person", STEMS[:3]), 2: ("zeppelin", STEMS[1:])})

    def annotate(self, stem: str, labels: np.ndarray) -> None:
        path = self.data / "Annotations" / "clip" / f"{stem}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_mask(path, labels)

    def predict(self, stem: str, labels: np.ndarray) -> None:
        path = self.results / "clip" / f"{stem}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(labels).save(path)  # grey: other bytes than the annotation's

    def meta(self, objects: dict[int, tuple[str, tuple[str, ...]]]) -> None:
        record = {str(i): {"category": c, "frames": list(f)} for i, (c, f) in objects.items()}
        text = json.dumps({"videos": {"clip": {"objects": record}}})
        (self.data / "meta.json").write_text(text)

    def first_masks_only(self) -> None:
        for stem in STEMS[2:]:
            (self.data / "Annotations" / "clip" / f"{stem}.png").unlink()
        self.annotate("00005", scene((2, 20, 8)))  # as on the server: new objects alone


@pytest.fixture
def split(tmp_path: Path) -> Split:
    return Split(tmp_path)


def test_objects_are_scored_after_their_own_first_frame(split: Split) -> None:
    split.predict("00000", scene((2, 0, 40)))  # given: does not count
    split.predict("00005", scene((1, 4, 8), (2, 0, 40)))  # counts for object 1 alone
    split.predict("00010", scene((1, 6, 4), (2, 20, 8)))  # half of object 1
    split.predict("00015", scene())  # object 2 is lost, object 1 rightly gone
    score = score_results(split.data, split.results, protocol="ytvos")
    person, zeppelin = score.objects
    assert (person.category, person.group) == ("person", "Seen")
    assert (zeppelin.category, zeppelin.group) == ("zeppelin", "Unseen")
    assert person.frames == ("00005", "00010", "00015")
    assert person.j == (1, 0.5, 1)
    half = contour_accuracy(TRUTH["00010"] == 1, scene((1, 6, 4)) == 1)
    assert person.f == (1, half, 1)
    assert zeppelin.frames == ("00010", "00015")
    assert zeppelin.j == zeppelin.f == (1, 0)
    four = score.by_group
    assert four["J-Seen"] == pytest.approx(2.5 / 3, abs=1e-15)
    assert four["F-Seen"] == pytest.approx((2 + half) / 3, abs=1e-15)
    assert (four["J-Unseen"], four["F-Unseen"]) == (0.5, 0.5)
    assert four["G"] == pytest.approx((2.5 / 3 + (2 + half) / 3 + 1) / 4, abs=1e-15)


def test_seen_counts_objects_and_not_videos(split: Split) -> None:
    split.meta({1: ("person", STEMS), 2: ("Giant Panda", STEMS[1:])})
    split.predict("00015", scene())
    four = score_results(split.data, split.results, protocol="ytvos").by_group
    assert four["J-Seen"] == (1 + 0.5) / 2
    assert four["J-Unseen"] is None
    assert four["G"] is None


def test_tables_say_g(split: Split, tmp_path: Path) -> None:
    split.predict("00015", scene())
    score = score_results(split.data, split.results, protocol="ytvos")
    lines = global_table(score).splitlines()
    assert lines[0].startswith("G,J-Seen,F-Seen,J-Unseen,F-Unseen,J&F-Mean,")
    assert lines[1].startswith("0.750,1.000,1.000,0.500,0.500,0.750,")
    write_tables(score, tmp_path / "out")
    record = json.loads((tmp_path / "out" / "results.json").read_text())
    assert record["global"]["G"] == 0.75
    assert record["sequences"]["clip"]["objects"]["2"]["seen"] is False
    assert record["sequences"]["clip"]["objects"]["2"]["category"] == "zeppelin"


def test_own_list_of_seen_categories(split: Split, tmp_path: Path) -> None:
    own = tmp_path / "seen.txt"
    own.write_text("Zeppelin\n\ngiant panda\n")
    assert read_seen(own) == {"zeppelin", "giant_panda"}
    score = score_results(split.data, split.results, protocol="ytvos", seen=read_seen(own))
    assert [o.group for o in score.objects] == ["Unseen", "Seen"]
    assert read_seen(split.data / "meta.json") == {"person", "zeppelin"}
    own.write_text("\n")
    with pytest.raises(DatasetError, match="names no category"):
        read_seen(own)
    own.write_text('{"videos": [1]}')
    with pytest.raises(DatasetError, match="cannot be read as the meta"):
        read_seen(own)


def test_the_training_set_has_65_categories() -> None:
    assert len(SEEN_CATEGORIES) == 65
    assert {"person", "earless_seal", "giant_panda", "others", "zebra"} <= SEEN_CATEGORIES


def test_without_frames_in_meta_the_masks_tell(split: Split) -> None:
    split.meta({1: ("person", ()), 2: ("zeppelin", ())})
    (plan,) = plan_dataset(split.data, protocol="ytvos")
    assert {mask.stem: mask.object_ids for mask in plan.given} == {"00000": (1,), "00005": (2,)}


def test_meta_that_names_a_wrong_first_frame_is_not_believed(
    split: Split, caplog: pytest.LogCaptureFixture
) -> None:
    split.meta({1: ("person", STEMS), 2: ("zeppelin", STEMS), 3: ("cat", STEMS)})
    with caplog.at_level(logging.WARNING):
        (plan,) = plan_dataset(split.data, protocol="ytvos")
    assert {mask.stem: mask.object_ids for mask in plan.given} == {"00000": (1,), "00005": (2,)}
    assert "meta.json names object 3, which no annotation holds" in caplog.text


def test_an_object_of_the_last_frame_is_left_out_and_told(
    split: Split, caplog: pytest.LogCaptureFixture
) -> None:
    split.annotate("00005", scene((1, 4, 8)))
    split.annotate("00010", scene((1, 6, 8)))
    split.meta({1: ("person", STEMS[:3]), 2: ("zeppelin", STEMS[3:])})
    with caplog.at_level(logging.WARNING):
        (plan,) = plan_dataset(split.data, protocol="ytvos")
    assert plan.object_ids == (1,)
    assert "no annotation follows the first mask of object 2" in caplog.text
    assert plan.known_ids == {1, 2}


def test_unknown_ids_are_told(split: Split) -> None:
    odd = scene((1, 6, 8), (2, 20, 8))
    odd[0, 0] = 9
    path = split.results / "clip" / "00010.png"
    write_mask(path, odd)
    score = score_results(split.data, split.results, protocol="ytvos")
    assert score.sequences[0].unknown_ids == (9,)
    assert score.j_and_f == 1


def test_categories_must_be_there(split: Split) -> None:
    (split.data / "meta.json").unlink()
    with pytest.raises(DatasetError, match=r"object 1, 2 has no category.*vos-benchmark"):
        plan_dataset(split.data, protocol="ytvos")


def test_methods_get_each_mask_on_its_first_frame(split: Split) -> None:
    (sequence,) = find_sequences(split.data, protocol="ytvos")
    (plan,) = plan_dataset(split.data, protocol="ytvos")
    seen = {}

    def spy(frames, masks):  # type: ignore[no-untyped-def]
        seen.update(masks)
        return copy_first_mask(frames, masks)

    run = run_method(spy, plan, sequence)
    assert list(seen) == [0, 5]
    assert np.array_equal(seen[0], scene((1, 2, 8)))
    assert np.array_equal(seen[5], scene((2, 20, 8)))
    assert run.frames == 20
    # Object 2 stays where it was given, then has moved by 2 of 8 pixels.
    assert run.score.objects[1].j == (1, 6 / 10)


def test_first_masks_only(split: Split, tmp_path: Path) -> None:
    assert not only_first_masks(*find_sequences(split.data, protocol="ytvos"))
    split.first_masks_only()
    found = find_sequences(split.data, protocol="ytvos")
    assert only_first_masks(*found)
    with pytest.raises(DatasetError, match="first masks only"):
        plan_dataset(split.data, protocol="ytvos")

    masks = tmp_path / "made"
    made = dict(track_sequence(copy_first_mask, found[0], masks=masks / "clip"))
    assert list(made) == [f"{t:05}" for t in range(20)]
    assert np.array_equal(made["00019"], scene((1, 2, 8), (2, 20, 8)))
    frames = submission_frames(split.data, found)
    assert frames == {"clip": STEMS}
    zips = [write_submission(masks, tmp_path / n / "s.zip", found, frames) for n in ("a", "b")]
    assert zips[0].read_bytes() == zips[1].read_bytes()
    with zipfile.ZipFile(zips[0]) as archive:
        assert archive.namelist() == [f"Annotations/clip/{stem}.png" for stem in STEMS]
        archive.extractall(tmp_path / "again")
    again = read_mask(tmp_path / "again" / "Annotations" / "clip" / "00015.png")
    assert np.array_equal(again.labels, made["00015"])


def test_what_cannot_be_submitted(split: Split, tmp_path: Path) -> None:
    split.first_masks_only()
    found = find_sequences(split.data, protocol="ytvos")
    frames = submission_frames(split.data, found)
    target = tmp_path / "s.zip"
    (split.results / "clip" / "00010.png").unlink()
    with pytest.raises(DatasetError, match=r"lacks 1 frame \(clip/00010\)"):
        write_submission(split.results, target, found, frames)
    Image.new("L", (20, 12)).save(split.results / "clip" / "00010.png")
    with pytest.raises(MaskError, match=r"00010\.png is 20x12 but .* 40x24"):
        write_submission(split.results, target, found, frames)
    Image.new("RGB", SIZE[::-1]).save(split.results / "clip" / "00010.png")
    with pytest.raises(MaskError, match="RGB image where object ids"):
        write_submission(split.results, target, found, frames)
    assert not target.exists()


def test_strange_ids_in_a_submission_are_told(
    split: Split, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    split.first_masks_only()
    found = find_sequences(split.data, protocol="ytvos")
    write_mask(split.results / "clip" / "00010.png", scene((1, 6, 8)) * 9)
    with caplog.at_level(logging.WARNING):
        write_submission(
            split.results, tmp_path / "s.zip", found, submission_frames(split.data, found)
        )
    assert "results of clip hold ids that no first mask has (9)" in caplog.text


def test_all_images_are_wanted_where_meta_lists_none(split: Split) -> None:
    split.first_masks_only()
    split.meta({1: ("person", ()), 2: ("zeppelin", ())})
    found = find_sequences(split.data, protocol="ytvos")
    assert len(submission_frames(split.data, found)["clip"]) == 20


def test_videos_with_first_masks_only_among_others(
    split: Split, caplog: pytest.LogCaptureFixture
) -> None:
    for kind, suffix in (("JPEGImages", "jpg"), ("Annotations", "png")):
        (split.data / kind / "bare").mkdir()
        name = f"00000.{suffix}"
        whole = (split.data / kind / "clip" / name).read_bytes()
        (split.data / kind / "bare" / name).write_bytes(whole)
    record = json.loads((split.data / "meta.json").read_text())
    record["videos"]["bare"] = {"objects": {"1": {"category": "cat", "frames": ["00000"]}}}
    (split.data / "meta.json").write_text(json.dumps(record))
    with caplog.at_level(logging.WARNING):
        plans = plan_dataset(split.data, protocol="ytvos")
    assert [plan.name for plan in plans] == ["clip"]
    assert "1 of 2 sequences hold first masks only and are not scored (bare)" in caplog.text
