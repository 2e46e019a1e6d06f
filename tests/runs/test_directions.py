"""Going back, and both ways: results in the video's order, whatever the order they came in."""

import tempfile
import threading
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from ddeal_core import Segmenter
from ddeal_core.errors import InputError, MaskError, MediaError, OutputError
from ddeal_core.media import open_source
from ddeal_core.media.outputs.result_writer import ResultWriter
from ddeal_core.media.sources.array_source import ArraySource
from ddeal_core.media.sources.live_source import LiveSource
from ddeal_core.runs.pipeline import segment_video
from ddeal_core.tracking.result import Result


@pytest.fixture(scope="module")
def segmenter(make_network):
    return Segmenter(make_network("compact"))


@pytest.fixture(scope="module")
def clip(tiny_clip):
    return np.stack(tiny_clip.frames)


@pytest.fixture(autouse=True)
def _nothing_is_left(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) <= before
    assert not list(tmp_path.glob("ddeal-*"))


def walk(segmenter, frames, masks, direction="forward", **options):
    source = frames if not isinstance(frames, np.ndarray) else ArraySource(frames)
    return list(segment_video(segmenter, source, masks, direction=direction, **options))


def labels_of(steps):
    return np.stack([step.result.labels for step in steps])


def two_objects(masks):
    """The square and a second object, which a random network follows somewhere."""
    labels = masks.copy()
    labels[60:80, 80:110] = 5
    return labels


def test_between_two_masks_both_sides_are_blended(segmenter, clip, tiny_clip):
    """The second object has one mask only, and goes forward as it would."""
    masks = {1: tiny_clip.masks[1], 3: two_objects(tiny_clip.masks[3]), 6: tiny_clip.masks[6]}
    joined = walk(segmenter, clip, masks, "between")
    forward = walk(segmenter, clip, masks)
    for index in (0, 1, 3, 6, 7):
        np.testing.assert_array_equal(joined[index].result.labels, forward[index].result.labels)
    assert joined[5].result.object_ids == forward[5].result.object_ids
    mine, alone = joined[5].result.probabilities, forward[5].result.probabilities
    assert np.abs(mine[1] - alone[1]).max() > 1e-3
    first, other = (Result.of_mattes(np.full((1, 4, 4), p, np.float32), index=2, object_ids=(1,))
                    for p in (0.2, 0.9))  # fmt: skip
    shown = [first.blended(other, {1: share}).probabilities[1, 0, 0] for share in (0, 0.3, 0.6, 1)]
    np.testing.assert_allclose(shown, [0.2, 0.423, 0.682, 0.9], atol=2e-3)
    with pytest.raises(MaskError, match="masks on two frames"):
        walk(segmenter, clip, tiny_clip.masks[0], "between")


def test_backward_is_the_reversed_clip_forward(segmenter, clip, tiny_clip):
    mask = two_objects(tiny_clip.masks[-1])
    back = walk(segmenter, clip, mask, "backward")
    forward = walk(segmenter, clip[::-1], mask)
    assert [step.frame.index for step in back] == list(range(8))
    assert [step.done for step in back] == list(range(1, 9))
    assert np.array_equal(labels_of(back), labels_of(forward)[::-1])
    assert len(np.unique(labels_of(forward)[1:])) > 1  # the comparison is of something
    for one, other in zip(back, reversed(forward), strict=True):
        assert one.result.object_ids == other.result.object_ids
        assert np.array_equal(one.result.probabilities, other.result.probabilities)


def test_both_ways_from_the_middle(segmenter, clip, tiny_clip):
    middle = two_objects(tiny_clip.masks[4])
    both = walk(segmenter, clip, {4: middle}, "both")
    forward = walk(segmenter, clip[4:], middle)
    back = walk(segmenter, clip[:5][::-1], middle)
    assert np.array_equal(labels_of(both)[4:], labels_of(forward))
    for one, other in zip(both[4:], forward, strict=True):
        assert np.array_equal(one.result.probabilities, other.result.probabilities)
    assert np.array_equal(labels_of(both)[:4], labels_of(back)[:0:-1])


def test_backward_leaves_frames_after_the_last_mask_empty(segmenter, clip, tiny_clip):
    back = labels_of(walk(segmenter, clip, {4: tiny_clip.masks[4]}, "backward"))
    assert np.array_equal(back[4], tiny_clip.masks[4])
    assert not back[5:].any()


def test_each_object_goes_back_from_its_first_mask(segmenter, clip, tiny_clip):
    second = np.zeros_like(tiny_clip.masks[0])
    second[60:80, 80:110] = 5
    masks = {2: tiny_clip.masks[2], 5: second, 6: tiny_clip.masks[6]}
    both = walk(segmenter, clip, masks, "both")
    # up to frame 1 both were found going back, up to frame 4 the second was
    assert [set(step.result.object_ids) for step in both] == [{1, 5}] * 8
    # from the last of the first masks on, nothing of the way back is left
    forward = walk(segmenter, clip, masks)
    assert np.array_equal(labels_of(both)[5:], labels_of(forward)[5:])
    for step in both:
        assert np.allclose(step.result.probabilities.sum(axis=0), 1, atol=1e-5)
        assert step.result.probabilities.shape == (3, 96, 128)
    assert np.array_equal(labels_of(both)[2] == 1, (labels_of(both)[2] == 1) & (masks[2] == 1))
    assert (labels_of(both)[2][masks[2] == 1] == 1).mean() > 0.5


def test_both_with_masks_on_the_first_frame_only_is_forward(segmenter, clip, tiny_clip):
    told = []
    masks = {0: tiny_clip.masks[0], 5: tiny_clip.masks[5]}
    both = walk(segmenter, clip, masks, "both", on_back=lambda *counts: told.append(counts))
    assert np.array_equal(labels_of(both), labels_of(walk(segmenter, clip, masks)))
    assert not told


def test_the_way_back_is_told(segmenter, clip, tiny_clip):
    told = []
    steps = segment_video(
        segmenter,
        ArraySource(clip),
        {5: tiny_clip.masks[5]},
        direction="both",
        on_back=lambda *counts: told.append(counts),
    )
    with closing(steps):
        assert next(steps).done == 1
        assert told == [(i, 6) for i in range(1, 7)]


def test_time_stamps_are_the_videos(segmenter, tiny_clip):
    with open_source(tiny_clip.video, start=1, end=7) as source:
        plain = [(f.index, f.pts, f.duration, f.name) for f in source]
        back = walk(segmenter, source, tiny_clip.masks[6], "backward")
    assert [(s.frame.index, s.frame.pts, s.frame.duration, s.frame.name) for s in back] == plain
    assert np.array_equal(back[-1].result.labels, tiny_clip.masks[6])


class Broken(ResultWriter):
    def __init__(self):
        super().__init__(Path("broken"))
        self.abandoned = False

    def write(self, frame, cutout):
        raise OutputError("the disk is full")

    def finish(self):
        raise AssertionError

    def abandon(self):
        self.abandoned = True


def test_an_error_on_either_way_abandons_the_outputs(segmenter, clip, tiny_clip):
    writer = Broken()
    with pytest.raises(OutputError, match="the disk is full"):
        walk(segmenter, clip, tiny_clip.masks[7], "backward", writers=[writer])
    assert writer.abandoned

    class Fails(ArraySource):
        def part(self, first, stop):
            for frame in super().part(first, stop):
                if frame.index == 3:
                    raise MediaError("frame 3 is damaged")
                yield frame

    writer = Broken()
    with pytest.raises(MediaError, match="frame 3"):
        walk(segmenter, Fails(clip), tiny_clip.masks[7], "backward", writers=[writer])
    assert writer.abandoned


def test_what_cannot_be(segmenter, clip, tiny_clip):
    with pytest.raises(MaskError, match="frame 8, but"):
        walk(segmenter, clip, {8: tiny_clip.masks[0]}, "backward")
    with pytest.raises(InputError, match="forward, backward, both, between"):
        walk(segmenter, clip, tiny_clip.masks[0], "sideways")
    with tiny_clip.video.open("rb") as file, LiveSource(file, named="a pipe") as source:
        for direction in ("backward", "both"):
            with pytest.raises(InputError, match="a pipe comes once"):
                walk(segmenter, source, {0: tiny_clip.masks[0]}, direction)


def test_a_full_temporary_folder_is_one_line(full_disk, segmenter, clip, tiny_clip, tmp_path):
    with full_disk(1000), pytest.raises(OutputError, match="TMPDIR") as failed:
        walk(segmenter, clip, tiny_clip.masks[7], "backward")
    assert str(tmp_path) in str(failed.value)
