"""``ddeal segment --cues``."""


def segment(ddeal, clip, weights, *words):
    return ddeal(
        "segment", clip.video, "--mask", clip.first_mask, "--weights", weights, "--device", "cpu",
        "-o", "masks", *words,
    )  # fmt: skip


def test_cues_come_with_the_other_outputs(ddeal, tiny_clip, tiny_weights, tmp_path):
    words = (
        "--cues",
        "seen",
        "--cues",
        "arrays=raw",
        "--cue-frames",
        "every:4",
        "--end",
        "5",
        "--json",
    )
    run = segment(ddeal, tiny_clip, tiny_weights, *words, "--without", "matching")
    assert run.status == 0
    assert run.json["outputs"] == ["masks", "seen", "raw"]
    assert [p.name for p in (tmp_path / "seen" / "1").iterdir()] == ["00004.png"]
    assert [p.name for p in (tmp_path / "raw").iterdir()] == ["00004.npz"]
    assert len(list((tmp_path / "masks").glob("*.png"))) == 5


def test_wrong_words_are_told_before_anything_is_written(ddeal, tiny_clip, tiny_weights, tmp_path):
    for words, why in (
        (("--cues", "cues.gif"), "cues go to a folder"),
        (("--cues", "masks"), "named twice"),
        (("--cues", "array=raw"), "write arrays=raw"),
        (("-o", "rbga=frames"), "write rgba=frames"),
        (("--format", "prores"), "'prores' is not one of 'masks'"),
        (("--cues", "seen", "--cue-frames", "ten"), "frames are all"),
        (("--cue-frames", "1"), "no cues are asked for"),
    ):
        run = segment(ddeal, tiny_clip, tiny_weights, *words)
        assert run.status == 2
        assert why in run.complaint
    assert not list(tmp_path.iterdir())


def test_earlier_cues_are_not_replaced_unasked(ddeal, tiny_clip, tiny_weights, tmp_path):
    (tmp_path / "seen").mkdir()
    (tmp_path / "seen" / "mine.txt").write_text("mine")
    words = ("--cues", "seen", "--end", "2")
    run = segment(ddeal, tiny_clip, tiny_weights, *words)
    assert run.status == 2
    assert "--overwrite" in run.complaint
    assert segment(ddeal, tiny_clip, tiny_weights, *words, "--overwrite").status == 0
