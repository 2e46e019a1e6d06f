"""``ddeal segment`` from the last frame, and from a middle one both ways."""

import av
import numpy as np
import pytest

from ddeal_core import Segmenter, cut_out, read_mask, write_mask


@pytest.fixture
def segment(ddeal, tiny_clip, tiny_weights):
    def call(*words, video=tiny_clip.video):
        return ddeal("segment", video, "--weights", tiny_weights, "--device", "cpu", *words)

    return call


@pytest.fixture
def masks(tiny_clip):
    """Files of the middle and of the last frame's masks, in the current folder."""
    write_mask("middle.png", tiny_clip.masks[4])
    write_mask("last.png", tiny_clip.masks[7])


def test_reverse_gives_all_outputs_in_the_videos_order(segment, masks, tiny_clip):
    words = ["-o", "out", "-o", "cut.mov", "-o", "all.json", "-o", "mattes=mattes"]
    run = segment("--reverse", "--mask", "last.png", *words, "--json")
    assert run.status == 0, run.err
    assert run.json["frames"] == 8
    assert np.array_equal(read_mask("out/00007.png").labels, tiny_clip.masks[7])
    with av.open("cut.mov") as made, av.open(tiny_clip.video) as given:
        times = [[f.time for f in c.decode(video=0)] for c in (made, given)]
    assert times[0] == pytest.approx(times[1])


def test_both_ways_from_the_middle_with_the_same_bytes_as_forward_and_in_python(
    segment, masks, tiny_clip, tiny_weights, tmp_path
):
    assert segment("--mask", "4=middle.png", "--direction", "both", "-o", "both").status == 0
    assert segment("--mask", "middle.png", "--at", 4, "--direction", "both", "-o", "at").status == 0
    assert segment("--mask", "middle.png", "--start", 4, "-o", "forward").status == 0
    segmenter = Segmenter.load(tiny_weights, device="cpu")
    cut_out(tiny_clip.video, "4=middle.png", "python", segmenter=segmenter, direction="both")
    for index in range(8):
        name = f"{index:05d}.png"
        folders = ["both", "at", "python"] + (["forward"] if index >= 4 else [])
        assert len({(tmp_path / folder / name).read_bytes() for folder in folders}) == 1


def test_a_box_of_the_last_frame(segment, tiny_clip):
    run = segment("--reverse", "--box", "37,31,32,32", "-o", "out")
    assert run.status == 0, run.err
    assert "mask at frame 7" in run.err
    found, truth = read_mask("out/00007.png").labels > 0, tiny_clip.masks[7] > 0
    assert (found & truth).sum() / (found | truth).sum() > 0.9


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--reverse", "--direction", "both"], "contradict each other"),
        (["--direction", "both", "--at", "8"], "frame 8"),
        (["--direction", "both", "--at", "2", "--start", "3"], "frame 2"),
    ],
)
def test_what_cannot_be_used_is_one_line(segment, masks, tmp_path, words, says):
    run = segment("--mask", "last.png", *words, "-o", "out")
    assert run.status == 2
    assert says in run.complaint
    assert not (tmp_path / "out").exists()
