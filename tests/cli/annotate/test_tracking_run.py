"""Results of a run are those of ``ddeal segment``, however one came to them."""

import numpy as np
import pytest

from ddeal_cli.annotate.marks import Stroke
from ddeal_cli.annotate.project import Project
from ddeal_cli.annotate.tracking_run import RunRange, TrackingRun
from ddeal_core.errors import InputError
from ddeal_core.media import FrameReader, open_source, write_mask
from ddeal_core.runs import cut_out


@pytest.fixture(scope="module")
def video(make_clip, tiny_clip, tmp_path_factory):
    frames = [np.roll(f, 2 * k, axis=0) for k in range(2) for f in tiny_clip.frames]
    return make_clip(tmp_path_factory.mktemp("video") / "long.mp4", frames)


@pytest.fixture
def longer(video):
    with open_source(video) as source:
        project = Project(FrameReader(source))
        project.add_object()
        project.add_object()
        yield project
        project.close()


def segmented(project, segmenter, tmp_path, name):
    """The files of `ddeal segment` for the masks as they stand."""
    given = tmp_path / f"{name}-given"
    given.mkdir()
    for index, labels in project.given.labels().items():
        write_mask(given / f"{index:05d}.png", labels)
    out = tmp_path / name
    cut_out(project.frames.source.path, [given], [f"masks={out}"], segmenter=segmenter)
    return {int(path.stem): path.read_bytes() for path in out.glob("*.png")}


def files_of(project):
    return {int(path.stem): path.read_bytes() for path in project.results.folder.glob("*.png")}


def stroke(object_id, x, y, tool="brush"):
    return Stroke(object_id, tool, 9, ((x, y), (x + 16, y + 8)))


def stale(project):
    return np.flatnonzero(RunRange(project).stale).tolist()


def times_of(project, frames):
    paths = (project.results.folder / f"{i:06d}.png" for i in frames)
    return [path.stat().st_mtime_ns for path in paths]


def test_what_is_marked_gives_the_bytes_of_segment(longer, segmenter, tmp_path):
    run = TrackingRun(segmenter)
    longer.mark(2, stroke(1, 30, 40))
    longer.mark(6, stroke(1, 50, 40))
    assert stale(longer) == list(range(2, 16))
    list(run.steps(longer, RunRange(longer)))
    expected = segmented(longer, segmenter, tmp_path, "first")
    assert files_of(longer) == {i: expected[i] for i in range(2, 16)}
    assert not longer.shown(1).any()

    # a mended frame, and an object that comes in later
    longer.mark(4, stroke(1, 60, 50))
    longer.mark(12, stroke(2, 90, 20))
    assert stale(longer) == [*range(2, 6), *range(12, 16)]
    kept = times_of(longer, range(6, 12))
    assert min(run.steps(longer, RunRange(longer))) == 2
    expected = segmented(longer, segmenter, tmp_path, "mended")
    found = files_of(longer)
    assert {i: found[i] for i in range(2, 6)} == {i: expected[i] for i in range(2, 6)}
    assert times_of(longer, range(6, 12)) == kept
    with pytest.raises(InputError, match="up to date"):
        RunRange(longer)

    # the way back, and a mask before all others
    longer.undo()
    longer.mark(0, stroke(2, 20, 70))
    list(run.steps(longer, RunRange(longer)))
    expected = segmented(longer, segmenter, tmp_path, "before")
    found = files_of(longer)
    assert {i: found[i] for i in range(6)} == {i: expected[i] for i in range(6)}


def test_a_run_that_was_broken_off_goes_on_where_it_was(longer, segmenter, tmp_path):
    run = TrackingRun(segmenter)
    longer.mark(0, stroke(1, 30, 40))
    steps = run.steps(longer, RunRange(longer))
    for frame in steps:
        if frame == 8:
            break
    steps.close()
    assert longer.fresh().tolist() == [True] * 9 + [False] * 7
    what = RunRange(longer)
    assert what.stale.argmax() == 9
    seen = list(run.steps(longer, what))
    assert seen[0] > 2  # from a snapshot, not from the beginning
    assert seen[-1] == 15
    assert files_of(longer) == segmented(longer, segmenter, tmp_path, "whole")


def test_a_mark_while_it_runs_makes_the_rest_stale(longer, segmenter, tmp_path):
    run = TrackingRun(segmenter)
    longer.mark(0, stroke(1, 30, 40))
    for frame in run.steps(longer, RunRange(longer)):
        if frame == 5:
            longer.mark(10, stroke(1, 50, 50))
    assert not longer.fresh().any()  # the one before it has a neighbour now
    list(run.steps(longer, RunRange(longer)))
    assert files_of(longer) == segmented(longer, segmenter, tmp_path, "whole")


def test_what_is_taken_back_is_fresh_again(longer, segmenter):
    run = TrackingRun(segmenter)
    longer.mark(0, stroke(1, 30, 40))
    list(run.steps(longer, RunRange(longer)))
    longer.mark(6, stroke(1, 30, 40))
    assert not longer.fresh().any()
    longer.undo()
    assert longer.fresh().all()


def test_snapshots_are_few_whatever_the_length(make_clip, tiny_clip, segmenter, tmp_path):
    small = [frame[:32, :32].copy() for frame in tiny_clip.frames]
    video = make_clip(tmp_path / "long.mp4", small * 15)
    with open_source(video) as source:
        project = Project(FrameReader(source))
        project.add_object()
        project.add_object()
        project.mark(0, Stroke(1, "brush", 6, ((12, 12),)))
        run = TrackingRun(segmenter)
        list(run.steps(project, RunRange(project)))
        places = [each.before for each in run._snapshots._kept]
        assert 4 <= len(places) <= 12
        assert max(places) > 90
        project.mark(119, Stroke(2, "brush", 6, ((12, 12),)))
        assert next(iter(run.steps(project, RunRange(project)))) > 90
        project.close()


def test_without_a_mark_there_is_nothing_to_run(longer):
    with pytest.raises(InputError, match="mark an object first"):
        RunRange(longer)
