"""`ddeal verify`: what it says, and its exit codes."""

import pytest


@pytest.fixture
def results(ddeal, tiny_clip, tiny_weights, tmp_path):
    run = ddeal(
        *("segment", tiny_clip.video, "--mask", tiny_clip.first_mask, "--weights", tiny_weights),
        *("--device", "cpu", "-o", tmp_path / "out/masks", "-o", tmp_path / "out/cut.mov", "-q"),
    )
    assert run.status == 0, run.err
    return tmp_path / "out"


def test_whole_results(ddeal, results):
    run = ddeal("verify", results / "masks", results / "cut.mov")
    assert run.status == 0
    first, second = run.out.splitlines()
    assert "masks: whole, 8 frames" in first
    assert "cut.mov: whole, 8 frames" in second


def test_a_folder_with_results_in_it(ddeal, results):
    run = ddeal("verify", results, "--json")
    assert run.status == 0
    assert run.json["whole"] is True
    assert [output["frames"] for output in run.json["outputs"]] == [8, 8]


def test_damage_is_told_in_one_line(ddeal, results):
    (results / "masks/00002.png").unlink()
    (results / "masks/00005.png").write_bytes(b"x")
    run = ddeal("verify", results)
    assert run.status == 1
    assert "cut.mov: whole" in run.out
    (line,) = (line for line in run.out.splitlines() if "NOT WHOLE" in line)
    assert "00002.png is missing" in line
    assert "00005.png has changed" in line
    run = ddeal("verify", results, "--json")
    assert run.status == 1
    assert run.json["whole"] is False
    (broken,) = (output for output in run.json["outputs"] if not output["whole"])
    assert len(broken["problems"]) == 2


def test_a_file_without_a_manifest_is_not_called_whole(ddeal, tiny_clip):
    run = ddeal("verify", tiny_clip.video)
    assert run.status == 1
    assert "has no manifest" in run.out


def test_what_is_not_there(ddeal):
    run = ddeal("verify", "nothing.mov")
    assert run.status == 2
    assert "nothing.mov" in run.complaint
