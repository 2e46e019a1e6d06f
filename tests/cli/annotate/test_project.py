"""Objects, marks, the way back."""

import numpy as np
import pytest

from ddeal_cli.annotate.marks import BoxMark, Stroke
from ddeal_cli.annotate.project import Project
from ddeal_core.errors import InputError
from ddeal_core.media import FrameReader, open_source


def stroke(object_id, *, y=20, tool="brush"):
    return Stroke(object_id, tool, 4, ((20, y), (60, y)))


def test_objects_are_added_renamed_and_deleted(project):
    first, second = project.add_object(), project.add_object("a  fish\n")
    assert (first.id, second.id, second.name) == (1, 2, "a  fish")
    assert first.colour != second.colour
    project.rename_object(1, "turtle")
    project.mark(3, stroke(1))
    project.mark(3, stroke(2, y=50))
    project.mark(5, stroke(1))
    project.delete_object(1)
    assert [each.name for each in project.annotation.objects] == ["a  fish"]
    assert list(project.annotation.frames) == [3]
    # results of the deleted one must not pass for the next one's
    assert project.add_object().id == 3


@pytest.mark.parametrize("name", ["", "  ", "\n\x00", "x" * 61])
def test_names_are_one_line(project, name):
    project.add_object()
    with pytest.raises(InputError):
        project.rename_object(1, name)


def test_254_objects_are_the_most(project):
    for _ in range(254):
        project.add_object()
    assert len({each.colour for each in project.annotation.objects}) == 254
    with pytest.raises(InputError, match="254"):
        project.add_object()


def test_every_step_can_be_taken_back_and_again(project):
    seen = []
    for act in (
        project.add_object,
        lambda: project.mark(0, stroke(1)),
        lambda: project.mark(0, stroke(1, y=60)),
        lambda: project.mark(0, stroke(1, tool="eraser")),
        lambda: project.rename_object(1, "crab"),
        lambda: project.clear(0, 1),
        lambda: project.delete_object(1),
    ):
        seen.append((project.annotation.objects, project.shown(0)))
        act()
    seen.append((project.annotation.objects, project.shown(0)))
    revisions = {project.history.changes}
    for objects, labels in reversed(seen[:-1]):
        project.undo()
        assert project.annotation.objects == objects
        np.testing.assert_array_equal(project.shown(0), labels)
        revisions.add(project.history.changes)
    assert not project.history.can_undo
    for objects, labels in seen[1:]:
        project.redo()
        assert project.annotation.objects == objects
        np.testing.assert_array_equal(project.shown(0), labels)
        revisions.add(project.history.changes)
    assert not project.history.can_redo
    assert len(revisions) == 2 * len(seen) - 1
    project.undo()
    project.add_object()
    assert not project.history.can_redo


def test_marks_that_fail_leave_no_trace(project):
    project.add_object()
    before = project.annotation
    for index, mark in (
        (0, BoxMark(1, 900, 900, 5, 5)),
        (0, stroke(9)),
        (8, stroke(1)),
        (-1, stroke(1)),
    ):
        with pytest.raises(InputError):
            project.mark(index, mark)
    assert project.annotation is before


def test_masks_to_begin_with_bring_their_objects(tiny_clip):
    with open_source(tiny_clip.video) as source:
        masks = {4: tiny_clip.masks[4] * 38, 2: tiny_clip.masks[2]}
        project = Project(FrameReader(source), masks=masks, names={38: "crab"})
        assert [(o.id, o.name) for o in project.annotation.objects] == [
            (1, "object 1"),
            (38, "crab"),
        ]
        assert project.given.frames == (2, 4)
        np.testing.assert_array_equal(project.shown(4), masks[4])
        project.close()
        assert not project.results.folder.exists()
        with pytest.raises(InputError, match="ends after frame 7"):
            Project(FrameReader(source), masks={8: tiny_clip.masks[0]})


def test_every_change_is_told(project):
    told = []
    project.on_change = lambda: told.append(project.history.changes)
    project.add_object()
    project.mark(0, stroke(1))
    project.undo()
    assert told == [1, 2, 3]
