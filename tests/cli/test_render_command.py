import numpy as np

from ddeal_core.media import read_mask, write_mask


def test_masks_by_hand_render_from_the_command(ddeal, tiny_clip, tmp_path):
    """Numbered from 1, of two objects, one of them not wanted; the last frame is not masked."""
    folder = tmp_path / "byhand"
    folder.mkdir()
    for index, labels in enumerate(tiny_clip.masks[:-1], start=1):
        both = labels.copy()
        both[:5, :9] = 7
        write_mask(folder / f"clip_{index:04d}.png", both)
    words = ["render", tiny_clip.video, "--masks", folder, "-o", tmp_path / "out", "--objects", "1"]
    wrong = ddeal(*words[:-2])
    assert wrong.status == 0, wrong.err  # frame 0 is empty, which is said
    assert "frames without a mask are empty: 0" in wrong.err
    run = ddeal(*words, "--numbered-from", "1", "--overwrite", "-o", tmp_path / "cut.mov", "--json")
    assert run.status == 0, run.err
    assert "frames without a mask are empty: 7" in run.err
    assert (run.json["frames"], run.json["objects"], run.json["device"]) == (8, [1], None)
    for index, labels in enumerate(tiny_clip.masks[:-1]):
        np.testing.assert_array_equal(read_mask(tmp_path / f"out/{index:05d}.png").labels, labels)
    write_mask(folder / "clip_0008.png", tiny_clip.masks[-1])
    refused = ddeal(*words, "--overwrite")
    assert refused.status == 2
    assert "--numbered-from" in refused.err
    onto = ddeal("render", tiny_clip.video, "--masks", folder, "-o", folder, "--overwrite")
    assert onto.status == 2
