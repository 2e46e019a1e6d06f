"""Cues as outputs of a pass."""

import av
import numpy as np
import pytest

from ddeal_core import InputError, Segmenter, cut_out
from ddeal_core.cues.writers import FrameChoice, open_cue_writer
from ddeal_core.media import Mask, open_source, open_writer, read_image
from ddeal_core.runs.pipeline import segment_video


@pytest.fixture(scope="module")
def cut(make_network, tiny_clip):
    """`cut(words, ...)`: one pass with these cues beside masks."""
    segmenter = Segmenter(make_network(), keep_cues=True)

    def call(*words, frames=None, masks=None, root, **span):
        with open_source(tiny_clip.video, **span) as source:
            given = {
                index: Mask(labels, tuple(np.unique(labels[labels > 0]).tolist()), "test")
                for index, labels in (masks or {source.start: tiny_clip.masks[0]}).items()
            }
            choice = None if frames is None else FrameChoice.parse(frames)
            writers = [open_writer(root / "masks", source=source)] + [
                open_cue_writer(word, source, given, segmenter.config, frames=choice)
                for word in words
            ]
            for _ in segment_video(segmenter, source, given, writers):
                pass

    return call


def names(folder):
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def test_one_pass_gives_figures_arrays_and_a_video(cut, tmp_path):
    folder, film = tmp_path / "cues", tmp_path / "cues.mp4"
    arrays = tmp_path / "raw"
    cut(folder, film, f"arrays={arrays}", frames="0,2,4-5", root=tmp_path)
    # on frame 0 the mask is given and nothing predicted
    assert names(folder) == ["1/00002.png", "1/00004.png", "1/00005.png"]
    assert names(arrays) == ["00002.npz", "00004.npz", "00005.npz"]
    assert len(list((tmp_path / "masks").glob("*.png"))) == 8
    with np.load(arrays / "00004.npz", allow_pickle=False) as held:
        assert held["matching"].shape == (1, 2, 6, 8)
        assert held["object_ids"].tolist() == [1]
    with av.open(film) as container:
        frames = list(container.decode(video=0))
        assert [frame.time for frame in frames] == pytest.approx([i / 24 for i in (0, 2, 4, 5)])
        assert not container.streams.audio
    assert min(read_image(folder / "1" / "00002.png").shape[:2]) > 400
    left = {p.name for p in tmp_path.iterdir()} - {"cues.mp4.manifest.json"}
    assert left == {"cues", "cues.mp4", "raw", "masks"}


def test_the_same_pass_gives_the_same_bytes(cut, tmp_path):
    for run in ("a", "b"):
        root = tmp_path / run
        cut(root / "c", root / "c.mp4", f"arrays={root / 'r'}", frames="every:3", root=root, end=4)
    for name in ["c/1/00003.png", "r/00003.npz", "c.mp4"]:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes(), name


def test_every_object_has_a_figure_once_it_is_predicted(cut, tiny_clip, tmp_path):
    late = np.zeros_like(tiny_clip.masks[0])
    late[60:80, 90:110] = 9
    masks = {2: tiny_clip.masks[2], 4: late}
    cut(tmp_path / "c", tmp_path / "c.mkv", frames="all", masks=masks, root=tmp_path, start=2)
    first = [f"1/{i:05d}.png" for i in range(3, 8)]
    assert names(tmp_path / "c") == first + [f"9/{i:05d}.png" for i in range(5, 8)]
    with av.open(tmp_path / "c.mkv") as container:
        assert sum(1 for _ in container.decode(video=0)) == 6


def test_frames_without_cues_are_no_failure_but_told(cut, tmp_path, caplog):
    cut(tmp_path / "c", frames="0,500", root=tmp_path, end=2)
    assert not (tmp_path / "c").exists()
    assert "no cues" in caplog.text


@pytest.mark.parametrize(
    ("text", "held"),
    [("all", [3, 4, 5, 6, 7]), ("every:2", [3, 5, 7]), ("4, 6-9", [4, 6, 7]), ("0", [])],
)
def test_frames_are_chosen_by_words(text, held):
    choice = FrameChoice.parse(text)
    assert [i for i in range(3, 8) if choice.holds(i, start=3)] == held


@pytest.mark.parametrize("text", ["", "every:0", "every", "5-3", "1,,2", "-1", "a", "1;2"])
def test_other_words_are_refused(text):
    with pytest.raises(InputError, match="frames are all"):
        FrameChoice.parse(text)


@pytest.mark.parametrize("word", ["", "cues.png", "arrays=x.npz", "arrays=", "arrays=c.mp4"])
def test_a_name_that_holds_no_cues_is_refused(word, tiny_clip, make_network, tmp_path):
    config = make_network().config
    masks = {0: Mask(tiny_clip.masks[0], (1,), "test")}
    with open_source(tiny_clip.video) as source, pytest.raises(InputError, match="cues go to"):
        open_cue_writer(word, source, masks, config)


def test_too_many_objects_for_a_video_are_told_before_it_begins(tiny_clip, make_network, tmp_path):
    labels = np.zeros_like(tiny_clip.masks[0])
    labels[0, :40] = np.arange(1, 41)
    masks = {0: Mask(labels, tuple(range(1, 41)), "test")}
    with open_source(tiny_clip.video) as source, pytest.raises(InputError, match="choose fewer"):
        open_cue_writer(tmp_path / "c.mp4", source, masks, make_network().config)


def test_files_to_files_with_cues(make_network, tiny_clip, tmp_path):
    names_ = (tiny_clip.video, tiny_clip.first_mask, tmp_path / "m")
    without = Segmenter(make_network())
    with pytest.raises(InputError, match="keep_cues"):
        cut_out(*names_, segmenter=without, cues=tmp_path / "c")
    keeping = Segmenter(make_network(), keep_cues=True)
    cut_out(*names_, segmenter=keeping, cues=tmp_path / "c", cue_frames="3")
    assert names(tmp_path / "c") == ["1/00003.png"]
