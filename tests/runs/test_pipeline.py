"""The loop of the command line: order, bytes, errors, and threads that end."""

import signal
import threading
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ddeal_core import Segmenter
from ddeal_core.errors import InputError, MaskError, MediaError, OutputError
from ddeal_core.media import open_source, open_writer
from ddeal_core.media.outputs.result_writer import ResultWriter
from ddeal_core.media.sources.array_source import ArraySource
from ddeal_core.runs.pipeline import segment_video


@pytest.fixture(scope="module")
def segmenter(make_network):
    return Segmenter(make_network("compact"), resolution=64)


@pytest.fixture(autouse=True)
def _no_thread_is_left():
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) <= before


class Recorder(ResultWriter):
    """Keeps what it is given; fails on one frame if told to."""

    def __init__(self, fails_at=None, error=OutputError):
        super().__init__(Path("recorder"))
        self.labels, self.alphas, self.threads = [], [], set()
        self.fails_at, self.error = fails_at, error
        self.finished = self.abandoned = False

    def write(self, frame, cutout):
        if frame.index == self.fails_at:
            raise self.error("the disk is full")
        self.threads.add(threading.current_thread())
        self.labels.append(cutout.labels)
        self.alphas.append(cutout.alpha)

    def finish(self):
        self.finished = True

    def abandon(self):
        self.abandoned = True


class BreaksAt(ArraySource):
    """Frames of which one cannot be read."""

    def __init__(self, images, index):
        super().__init__(images)
        self.index = index
        self.closed_in = None

    def __iter__(self):
        try:
            for frame in super().__iter__():
                if frame.index == self.index:
                    raise MediaError(f"damaged at frame {self.index}")
                yield frame
        finally:
            self.closed_in = threading.current_thread()


class Live(ArraySource):
    """Frames that come once, counted as they are taken."""

    def __init__(self, images):
        super().__init__(images)
        self.info = replace(self.info, is_live=True)
        self.taken = 0

    def __iter__(self):
        for frame in super().__iter__():
            self.taken += 1
            yield frame


def run(segmenter, source, masks, *writers, done=None):
    """Segment to the end, and note in `done` what has been yielded."""
    for progress in segment_video(segmenter, source, masks, writers):
        if done is not None:
            done.append(progress.done)


def test_same_results_as_one_after_the_other(segmenter, tiny_clip):
    writer = Recorder()
    source = ArraySource(np.stack(tiny_clip.frames))
    seen = [p.result for p in segment_video(segmenter, source, tiny_clip.masks[0], [writer])]
    expected = list(segmenter.track(tiny_clip.frames, tiny_clip.masks[0]))
    assert [r.index for r in seen] == list(range(8))
    for one, labels, other in zip(seen, writer.labels, expected, strict=True):
        np.testing.assert_array_equal(one.probabilities, other.probabilities)
        np.testing.assert_array_equal(labels, other.labels)
    assert writer.finished
    assert not writer.abandoned
    assert threading.current_thread() not in writer.threads


def test_the_same_bytes_every_time(segmenter, tiny_clip, tmp_path):
    files = []
    for name in ("a", "b"):
        with open_source(tiny_clip.video) as source:
            writers = [open_writer(tmp_path / f"{name}.{e}", source=source) for e in ("mov", "mp4")]
            run(segmenter, source, tiny_clip.masks[0], *writers)
        files.append([(tmp_path / f"{name}.{e}").read_bytes() for e in ("mov", "mp4")])
    assert files[0] == files[1]


@pytest.mark.parametrize("error", [OutputError, ValueError])
def test_a_writer_that_fails(segmenter, tiny_clip, error):
    bad, good = Recorder(fails_at=3, error=error), Recorder()
    done = []
    source = ArraySource(np.stack(tiny_clip.frames))
    with pytest.raises(error, match="the disk is full"):
        run(segmenter, source, tiny_clip.masks[0], good, bad, done=done)
    assert done == [1, 2, 3]  # frames that all writers took, and no other
    assert bad.abandoned
    assert good.abandoned


def test_a_writer_that_fails_on_the_last_frame(segmenter, tiny_clip):
    writer = Recorder(fails_at=7)
    with pytest.raises(OutputError):
        run(segmenter, ArraySource(np.stack(tiny_clip.frames)), tiny_clip.masks[0], writer)
    assert writer.abandoned
    assert not writer.finished


@pytest.mark.parametrize("index", [0, 5])
def test_a_frame_that_cannot_be_read(segmenter, tiny_clip, index):
    source, writer, done = BreaksAt(np.stack(tiny_clip.frames), index), Recorder(), []
    with pytest.raises(MediaError, match=f"frame {index}"):
        run(segmenter, source, tiny_clip.masks[0], writer, done=done)
    assert done == list(range(1, index + 1))
    assert len(writer.labels) == index  # all before it are written
    assert writer.abandoned == (index == 0)
    assert writer.finished == (index > 0)  # and kept, under a name that says that there are more
    assert writer.path.name == ("recorder.incomplete" if index else "recorder")


def test_a_later_mask_that_is_none_is_refused_at_once(segmenter, tiny_clip):
    writer = Recorder()
    masks = {0: tiny_clip.masks[0], 4: np.full((96, 128), 255, np.int32)}
    with pytest.raises(MaskError, match="the mask has 255"):
        run(segmenter, ArraySource(np.stack(tiny_clip.frames)), masks, writer)
    assert (writer.labels, writer.abandoned) == ([], True)


def test_closed_early(segmenter, tiny_clip):
    source, writer = BreaksAt(np.stack(tiny_clip.frames), 99), Recorder()
    with closing(segment_video(segmenter, source, tiny_clip.masks[0], [writer])) as steps:
        assert next(steps).done == 1
    assert writer.abandoned
    assert source.closed_in is not None
    assert source.closed_in is not threading.current_thread()


def test_memory_is_bounded(segmenter, tiny_clip):
    class Counting(ArraySource):
        done = ahead = 0

        def __iter__(self):
            for given, frame in enumerate(super().__iter__(), start=1):
                # Reading an array takes nothing: without a bound all frames come at once.
                Counting.ahead = max(Counting.ahead, given - Counting.done)
                yield frame

    source = Counting(np.repeat(np.stack(tiny_clip.frames), 5, axis=0))
    for progress in segment_video(segmenter, source, tiny_clip.masks[0]):
        Counting.done = progress.done
    assert Counting.done == 40
    assert Counting.ahead < 20


def test_live_frames_are_answered_at_once(segmenter, tiny_clip):
    source, writer = Live(np.stack(tiny_clip.frames)), Recorder()
    for progress in segment_video(segmenter, source, tiny_clip.masks[0], [writer]):
        assert source.taken == progress.done == len(writer.labels)
    assert writer.threads == {threading.current_thread()}


# Looking ahead


def test_looking_ahead_changes_nothing(make_network, segmenter, tiny_clip):
    frames, masks = tiny_clip.frames, {1: tiny_clip.masks[1], 4: tiny_clip.masks[4] * 7}
    ahead = Segmenter(make_network("compact"), resolution=64, look_ahead=3)
    results = (p.result for p in segment_video(ahead, ArraySource(np.stack(frames)), masks))
    for one, other in zip(results, segmenter.track(frames, masks), strict=True):
        assert one.object_ids == other.object_ids
        np.testing.assert_allclose(one.probabilities, other.probabilities, atol=1e-5)
    live = Live(np.stack(frames[:4]))
    for progress in segment_video(ahead, live, tiny_clip.masks[0]):
        assert live.taken == progress.done, "live frames are answered at once"


def test_looking_ahead_meets_an_error_in_its_turn(make_network, tiny_clip):
    ahead, done = Segmenter(make_network("compact"), resolution=64, look_ahead=4), []
    with pytest.raises(MediaError, match="frame 6"):
        run(ahead, BreaksAt(np.stack(tiny_clip.frames), 6), tiny_clip.masks[0], done=done)
    assert done == [1, 2, 3, 4, 5, 6]
    odd = [*tiny_clip.frames[:3], tiny_clip.frames[3][:50]]
    results = ahead.track(odd, tiny_clip.masks[0])
    for _ in range(3):
        next(results)
    with pytest.raises(InputError, match="frame 3"):
        next(results)


def test_ctrl_c_ends_all_threads(segmenter, tiny_clip, tmp_path):
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with open_source(tiny_clip.video) as source:
            writers = [open_writer(tmp_path / "o.mp4", source=source)]
            steps = segment_video(segmenter, source, tiny_clip.masks[0], writers)
            with pytest.raises(KeyboardInterrupt), closing(steps):  # noqa: PT012
                next(steps)
                signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)
    assert list(tmp_path.iterdir()) == []
