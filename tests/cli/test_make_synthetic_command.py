import numpy as np
import pytest
from PIL import Image

from ddeal_core.datasets import DavisLayout


def tree(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def make(ddeal, *words):
    return ddeal("make-synthetic", *words, "--clips", 2, "--frames", 3, "--size", "64x48")


def test_same_seed_same_bytes_in_the_layout_of_davis(ddeal, tmp_path):
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        run = make(ddeal, name, "--seed", seed)
        assert run.status == 0, run.err
    assert tree(tmp_path / "a") == tree(tmp_path / "b")
    assert tree(tmp_path / "a") != tree(tmp_path / "c")
    sequences = DavisLayout(tmp_path / "a").sequences("train")
    assert [s.name for s in sequences] == ["synthetic_00000", "synthetic_00001"]
    for sequence in sequences:
        assert len(sequence.frames) == len(sequence.annotations) == 3
        with Image.open(sequence.frames[0]) as image:
            assert image.size == (64, 48)
        assert np.asarray(Image.open(sequence.annotations["00000"])).any()


def test_material_and_switches_are_used(ddeal, tmp_path):
    for name in ("images", "masks"):
        (tmp_path / "photos" / name).mkdir(parents=True)
    picture = np.full((120, 160, 3), (250, 10, 10), np.uint8)
    mask = np.zeros((120, 160), np.uint8)
    mask[30:90, 40:110] = 1
    mask[25:30, 40:110] = 255  # unsure, as VOC marks its borders
    Image.fromarray(picture).save(tmp_path / "photos" / "images" / "a.png")
    Image.fromarray(mask).save(tmp_path / "photos" / "masks" / "a.png")
    run = make(
        ddeal, "out", "--stills", "photos", "--option", "scene_probability=1",
        "--option", "speed=0,0", "--option", "degradation.colour_probability=0",
        "--objects", 1, "--json",
    )  # fmt: skip
    assert run.status == 0, run.err
    assert run.json["sequences"] == ["synthetic_00000", "synthetic_00001"]
    for path in (tmp_path / "out" / "Annotations").rglob("*.png"):
        assert set(np.unique(np.asarray(Image.open(path)))) <= {0, 1, 255}


def test_switches_are_listed_and_can_be_given_back(ddeal):
    run = ddeal("make-synthetic", "--options")
    assert run.status == 0
    words = run.out.split()
    assert "max_objects=5" in words
    assert "degradation.jpeg_quality=30" in words
    given = [part for word in words for part in ("--option", word)]
    assert ddeal("make-synthetic", "--options", *given).out == run.out
    changed = ddeal("make-synthetic", "--options", "--option", "speed=0.01,0.2", "--objects", 2)
    assert {"speed=0.01,0.2", "max_objects=2"} <= set(changed.out.split())


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["out", "--option", "spede=1"], "spede"),
        (["out", "--option", "speed"], "NAME=VALUE"),
        (["out", "--option", "speed=fast"], "speed"),
        (["out", "--option", "degradation=1"], "degradation"),
        (["out", "--objects", "0"], "max_objects"),
        (["out", "--stills", "nowhere"], "nowhere"),
        (["out", "--coco", "instances.json"], "JSON:IMAGES"),
        (["out", "--size", "8x8"], "16"),
        (["out", "--size", "big"], "WIDTHxHEIGHT"),
        (["out", "--size", "480x854"], "854x480"),
        ([], "name the folder"),
    ],
)
def test_refusals_are_one_line(ddeal, words, part):
    run = ddeal("make-synthetic", *words)
    assert run.status == 2
    assert part in run.complaint


def test_existing_clips_are_kept(ddeal, tmp_path):
    assert make(ddeal, "out").status == 0
    before = tree(tmp_path / "out")
    run = make(ddeal, "out", "--seed", 1)
    assert run.status == 2
    assert "synthetic_00000" in run.complaint
    assert tree(tmp_path / "out") == before
    assert make(ddeal, "out", "--seed", 1, "--overwrite").status == 0
