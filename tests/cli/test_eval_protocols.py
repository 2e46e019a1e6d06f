"""`ddeal eval` beyond DAVIS: YouTube-VOS, any folders, and what it refuses."""

import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ddeal_core.evaluation import jaccard
from ddeal_core.media import write_mask
from ddeal_core.tracking import Segmenter

LATE = 3


@pytest.fixture
def split(tiny_clip, tmp_path):
    """One video: the clip's object is there from the first frame, its mirror image later."""
    root = tmp_path / "valid"
    images, masks = root / "JPEGImages" / "clip", root / "Annotations" / "clip"
    images.mkdir(parents=True)
    masks.mkdir(parents=True)
    stems = []
    for i, (image, mask) in enumerate(zip(tiny_clip.frames, tiny_clip.masks, strict=True)):
        stems.append(f"{5 * i:05d}")
        Image.fromarray(image).save(images / f"{stems[-1]}.png")
        labels = (mask > 0).astype(np.uint8)
        if i >= LATE:
            labels[:4, :4] = 2
        write_mask(masks / f"{stems[-1]}.png", labels)
    objects = {
        "1": {"category": "person", "frames": stems},
        "2": {"category": "zeppelin", "frames": stems[LATE:]},
    }
    (root / "meta.json").write_text(json.dumps({"videos": {"clip": {"objects": objects}}}))
    return root, stems


def truth(root, stem):
    return np.asarray(Image.open(root / "Annotations" / "clip" / f"{stem}.png"))


def scored(folder):
    """The JSON's protocol and the scored frames by object."""
    record = json.loads(Path(folder, "results.json").read_text())
    objects = record["sequences"]["clip"]["objects"]
    return record["protocol"], {i: list(o["frames"]) for i, o in objects.items()}


def first_masks_only(root, stems):
    for i, stem in enumerate(stems):
        path = root / "Annotations" / "clip" / f"{stem}.png"
        if i == LATE:
            labels = truth(root, stem)
            write_mask(path, (labels == 2).astype(np.uint8) * 2)
        elif i:
            path.unlink()


def test_youtube_vos_by_hand(ddeal, split):
    root, stems = split
    run = ddeal("eval", root, "--protocol", "ytvos", "--baseline", "copy", "-o", "out", "--json")
    assert run.status == 0, run.err
    total = run.json["methods"]["copy"]["global"]
    first = truth(root, stems[0]) == 1
    j = []
    for i, stem in enumerate(stems[1:], 1):
        copied = first.copy()
        if i >= LATE:
            copied[:4, :4] = False  # object 2 is put over it
        j.append(jaccard(truth(root, stem) == 1, copied))
    assert total["J-Seen"] == pytest.approx(np.mean(j), abs=1e-15)
    assert total["J-Unseen"] == total["F-Unseen"] == 1
    four = [total[name] for name in ("J-Seen", "F-Seen", "J-Unseen", "F-Unseen")]
    assert total["G"] == pytest.approx(np.mean(four), abs=1e-15)
    rows = {line.split()[0]: line.split()[1:] for line in run.err.splitlines() if line}
    assert rows["seen"] == [f"{total['J-Seen']:.3f}", f"{total['F-Seen']:.3f}"]
    assert rows["unseen"] == ["1.000", "1.000"]
    assert rows["G"] == [f"{total['G']:.3f}"]
    (root / "seen.txt").write_text("zeppelin")
    words = ["--protocol", "ytvos", "--seen", root / "seen.txt", "--results", "out/masks"]
    again = ddeal("eval", root, *words, "--json")
    assert again.status == 0, again.err
    assert again.json["methods"]["results"]["global"]["J-Seen"] == 1
    assert again.json["methods"]["results"]["global"]["J&F-Mean"] == total["J&F-Mean"]


def test_the_model_is_given_each_object_on_its_own_first_frame(ddeal, split, tiny_weights):
    root, stems = split
    words = ["-w", tiny_weights, "--device", "cpu", "-o", "out", "--json"]
    run = ddeal("eval", root, "--protocol", "ytvos", *words)
    assert run.status == 0, run.err
    one, both = truth(root, stems[0]), truth(root, stems[LATE])
    frames = [np.asarray(Image.open(root / "JPEGImages" / "clip" / f"{s}.png")) for s in stems]
    given = {0: one * (one == 1), LATE: both * (both == 2)}
    segmenter = Segmenter.load(tiny_weights, device="cpu")
    for stem, result in zip(stems, segmenter.track(frames, given), strict=True):
        kept = np.asarray(Image.open(f"out/masks/clip/{stem}.png"))
        assert np.array_equal(kept, result.labels)
    assert np.array_equal(np.asarray(Image.open(f"out/masks/clip/{stems[LATE]}.png")) == 2,
                          both == 2)  # fmt: skip


@pytest.mark.parametrize("subject", ["baseline", "results"])
def test_first_masks_make_a_submission(ddeal, split, subject):
    root, stems = split
    first_masks_only(root, stems)
    words = ["eval", root, "--protocol", "ytvos"]
    run = ddeal(*words, "--baseline", "copy", "-o", "out", "--json")
    assert run.status == 0, run.err
    path = "out/submission.zip"
    if subject == "results":
        run = ddeal(*words, "--results", "out/masks", "-o", "packed", "--json")
        path = "packed/submission.zip"
    name = "results" if subject == "results" else "copy"
    assert run.json["methods"] == {name: {"submission": path}}
    told = [line for line in run.err.splitlines() if "first masks only" in line]
    assert len(told) == 1
    assert path in told[0]
    with zipfile.ZipFile(path) as archive:
        assert archive.namelist() == [f"Annotations/clip/{stem}.png" for stem in stems]


def test_any_folders(ddeal, split):
    root, stems = split
    words = ["eval", "--annotations", root / "Annotations"]
    run = ddeal(*words, "--images", root / "JPEGImages", "--baseline", "copy", "-o", "out")
    assert run.status == 0, run.err
    run = ddeal(*words, "--results", "out/masks", "--json", "-o", "scored")
    assert run.status == 0, run.err
    expected = {"1": stems[1:-1], "2": stems[LATE:-1]}
    assert scored("scored") == ("vos-benchmark", expected)
    one = ["eval", "--annotations", root / "Annotations" / "clip", "--results", "out/masks/clip"]
    again = ddeal(*one, "--json", "-o", "one")
    assert again.status == 0, again.err
    total = run.json["methods"]["results"]["global"]
    assert again.json["methods"]["results"]["global"] == total
    every = ddeal(*one, "--protocol", "every-frame", "--json", "-o", "every")
    assert every.status == 0
    assert scored("every") == ("every-frame", {"1": stems, "2": stems[LATE:]})


@pytest.mark.parametrize(
    ("words", "part"),
    [
        ([], "DATASET"),
        (["{root}", "--annotations", "{root}/Annotations"], "not both"),
        (["--annotations", "{root}/Annotations"], "--images"),
        (["--annotations", "nowhere", "--results", "{root}"], "nowhere"),
        (["--annotations", "{root}/Annotations", "--results", "{root}", "--set", "a"], "--set"),
        (
            ["--annotations", "{root}/Annotations", "--results", "{root}", "--protocol", "ytvos"],
            "meta.json",
        ),
        (["{root}", "--seen", "x", "--results", "{root}"], "--seen"),
        (
            ["{root}", "--protocol", "ytvos", "--seen", "x", "--results", "{root}"],
            "x cannot be read",
        ),
        (["{root}", "--protocol", "ytvos", "--results", "{root}/Annotations"], "truth itself"),
        (["{root}", "--protocol", "ytvos", "--results", "copied"], "copy of the ground truth"),
        (["{root}", "--protocol", "ytvos", "--results", "small"], "20x10"),
        (["{root}", "--protocol", "ytvos", "--results", "colours"], "RGB image"),
        (["{root}", "--protocol", "ytvos", "--results", "grey"], "grey image"),
        (["{root}", "--protocol", "ytvos", "--results", "holes"], "clip/00005 00015"),
        (["{root}", "--protocol", "ytvos", "--results", "empty"], "1 of 1 sequences (clip)"),
    ],
)
def test_traps_are_one_line(ddeal, split, tmp_path, words, part):
    root, stems = split
    shutil.copytree(root / "Annotations", "copied")
    for name in ("small", "colours", "grey", "holes", "empty"):
        (tmp_path / name / "clip").mkdir(parents=True)
        for stem in stems:
            labels = Image.fromarray(truth(root, stem))
            made = {
                "small": labels.resize((20, 10)),
                "colours": labels.convert("RGB"),
                "grey": Image.fromarray(truth(root, stem) * 120),
                "holes": labels,
            }
            if name in made:
                made[name].save(tmp_path / name / "clip" / f"{stem}.png")
    (tmp_path / "empty" / "clip").rmdir()
    for stem in ("00005", "00015"):
        (tmp_path / "holes" / "clip" / f"{stem}.png").unlink()
    run = ddeal("eval", *(word.format(root=root) for word in words))
    assert run.status == 2
    assert part in run.complaint


def test_nothing_of_an_earlier_run_is_left(ddeal, split, tmp_path):
    root, _ = split
    words = ["eval", root, "--protocol", "ytvos", "--baseline", "copy", "-o", "out"]
    assert ddeal(*words).status == 0
    write_mask("out/masks/clip/99999.png", np.ones((4, 4), np.uint8))
    assert ddeal(*words, "--overwrite").status == 0
    assert not (tmp_path / "out" / "masks" / "clip" / "99999.png").exists()
    (root / "JPEGImages" / "clip" / "00010.png").write_bytes(b"no image")
    assert ddeal(*words, "--overwrite").status == 2
    assert not (tmp_path / "out" / "results.json").exists()


def test_strange_ids_are_a_warning(ddeal, split):
    root, stems = split
    words = ["eval", root, "--protocol", "ytvos"]
    assert ddeal(*words, "--baseline", "copy", "-o", "out").status == 0
    path = f"out/masks/clip/{stems[2]}.png"
    labels = np.array(Image.open(path))
    labels[-1, -1] = 77
    write_mask(path, labels)
    run = ddeal(*words, "--results", "out/masks")
    assert run.status == 0
    assert "warning: results of clip hold ids that the ground truth does not have (77)" in run.err
