"""Masks and names are kept, and found again."""

import json

import numpy as np
import pytest

from ddeal_cli.annotate.marks import Stroke
from ddeal_cli.annotate.project import Project
from ddeal_cli.annotate.session_folder import SessionFolder
from ddeal_core.errors import InputError, OutputError
from ddeal_core.media import FrameReader, open_source, read_masks, write_mask


def stroke(object_id, y=20):
    return Stroke(object_id, "brush", 4, ((20, y), (60, y)))


def test_what_is_saved_is_what_segment_takes(project, tmp_path):
    project.add_object("fish")
    project.mark(1, stroke(1))
    project.mark(6, stroke(1, y=50))
    session = SessionFolder(tmp_path / "a/b/session")
    assert not session.is_begun
    session.save(project.annotation, project.frames)
    masks = read_masks([session.path], source=project.frames.source)
    assert list(masks) == [1, 6]
    for index, mask in masks.items():
        np.testing.assert_array_equal(mask.labels, project.shown(index))
    loaded, names = SessionFolder(session.path).load(project.frames)
    assert names == {1: "fish"}
    assert list(loaded) == [1, 6]


def test_only_what_has_changed_is_written_and_what_is_gone_is_removed(project, tmp_path):
    project.add_object()
    project.mark(1, stroke(1))
    project.mark(2, stroke(1))
    session = SessionFolder(tmp_path)
    stranger = tmp_path / "mine.txt"
    stranger.write_text("x")
    session.save(project.annotation, project.frames)
    before = (tmp_path / "00001.png").stat().st_mtime_ns
    project.clear(2)
    session.save(project.annotation, project.frames)
    assert (tmp_path / "00001.png").stat().st_mtime_ns == before
    assert {path.name for path in tmp_path.iterdir()} == {"00001.png", "objects.json", "mine.txt"}


def test_masks_from_elsewhere_are_taken_over_under_their_frames_names(project, tiny_clip, tmp_path):
    write_mask(tmp_path / "mask_3.png", tiny_clip.masks[3] * 7)
    session = SessionFolder(tmp_path)
    assert session.is_begun
    masks, names = session.load(project.frames)
    assert list(masks) == [3]
    assert names == {}
    with open_source(tiny_clip.video) as source:
        taken = Project(FrameReader(source), masks=masks, names=names)
        session.save(taken.annotation, taken.frames)
        taken.close()
    assert {path.name for path in tmp_path.iterdir()} == {"00003.png", "objects.json"}
    assert list(SessionFolder(tmp_path).load(project.frames)[0]) == [3]


def test_images_keep_their_names(tiny_clip, tmp_path):
    with open_source(tiny_clip.images) as source:
        project = Project(FrameReader(source))
        project.add_object()
        project.mark(5, stroke(1))
        SessionFolder(tmp_path).save(project.annotation, project.frames)
        project.close()
    assert (tmp_path / "00005.png").exists()


@pytest.mark.parametrize(
    "text",
    ["", "[]", "7", "{", '{"objects": 7}', '{"objects": [{"id": 0, "name": "x"}]}',
     '{"objects": [{"id": 255, "name": "x"}]}', '{"objects": [{"id": 1}]}',
     '{"objects": [{"id": 1, "name": ""}]}', "[" * 50_000],
)  # fmt: skip
def test_a_damaged_session_is_told_in_one_line(text, project, tmp_path):
    (tmp_path / "objects.json").write_text(text)
    with pytest.raises(InputError, match="cannot be read") as caught:
        SessionFolder(tmp_path).load(project.frames)
    assert "\n" not in str(caught.value)


def test_a_full_disk_leaves_what_was_saved(project, full_disk, tmp_path):
    project.add_object("fish")
    project.mark(1, stroke(1))
    session = SessionFolder(tmp_path)
    session.save(project.annotation, project.frames)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    project.rename_object(1, "whale")
    project.mark(1, stroke(1, y=60))
    with full_disk(8), pytest.raises(OutputError, match="cannot write"):
        session.save(project.annotation, project.frames)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    session.save(project.annotation, project.frames)
    assert json.loads((tmp_path / "objects.json").read_text())["objects"][0]["name"] == "whale"
    assert (tmp_path / "00001.png").read_bytes() != before["00001.png"]
