import json
import re

import numpy as np
import pytest
from PIL import Image

from ddeal_core.datasets.layouts import DavisLayout
from ddeal_core.evaluation import (
    carry_along_flow,
    copy_first_mask,
    find_sequences,
    plan_all,
    score_plans,
    score_predictions,
)
from ddeal_core.media import read_image, write_mask
from ddeal_core.media.masks.label_images import read_labels
from ddeal_core.tracking import Segmenter


@pytest.fixture
def davis(tiny_clip, tmp_path):
    """Two sequences in the layout of DAVIS, one of them in the list "val"."""
    root = tmp_path / "davis"
    for name, shift in (("left", 0), ("right", 20)):
        images, masks = (root / kind / "480p" / name for kind in ("JPEGImages", "Annotations"))
        images.mkdir(parents=True)
        masks.mkdir(parents=True)
        for i, (image, mask) in enumerate(zip(tiny_clip.frames[:4], tiny_clip.masks)):  # noqa: B905
            Image.fromarray(np.roll(image, shift, axis=1)).save(images / f"{i:05d}.jpg", quality=95)
            write_mask(masks / f"{i:05d}.png", np.roll(mask, shift, axis=1))
    sets = root / "ImageSets" / "2017"
    sets.mkdir(parents=True)
    (sets / "val.txt").write_text("right\n")
    return root


def predictions(davis, plan, method):
    by_name = {s.name: s for s in DavisLayout(davis, resolution="480p").sequences()}
    sequence = by_name[plan.name]
    frames = [read_image(path) for path in sequence.frames]
    first = read_labels(sequence.annotations[sequence.frames[0].stem])
    stems = [path.stem for path in sequence.frames]
    return list(zip(stems, method(frames, first), strict=True))


def test_baselines_and_model_side_by_side_are_the_librarys_numbers(
    ddeal, davis, tiny_weights, tmp_path
):
    words = ["eval", davis, "--baselines", "-w", tiny_weights, "--device", "cpu", "-o", "out"]
    run = ddeal(*words, "--json", "--report", "page.html")
    assert run.status == 0, run.err
    segmenter = Segmenter.load(tiny_weights, device="cpu")
    methods = {
        "copy": copy_first_mask,
        "flow": carry_along_flow,
        "model": lambda frames, mask: (r.labels for r in segmenter.track(frames, mask)),
    }
    assert list(run.json["methods"]) == list(methods)
    for name, method in methods.items():
        record = run.json["methods"][name]
        assert record["frames_per_second"] > 0
        for plan in plan_all(find_sequences(davis)):
            found = predictions(davis, plan, method)
            score = score_predictions(plan, found)
            told = record["sequences"][plan.name]
            assert told["J-Mean"] == score.j_mean
            assert told["F-Mean"] == score.f_mean
            assert told["J&F-Mean"] == score.j_and_f
            for stem, labels in found:
                kept = tmp_path / "out" / name / "masks" / plan.name / f"{stem}.png"
                assert np.array_equal(np.asarray(Image.open(kept)), labels)
        folder = tmp_path / "out" / name
        kept = {p.name for p in folder.iterdir() if p.is_file()}
        assert kept == {"global_results-all.csv", "per-sequence_results-all.csv", "results.json"}
        assert json.loads((folder / "results.json").read_text())["global"] == record["global"]
    assert "copy J&F" in run.err  # the table, out of the machine's way
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    for name in ("copy", "flow", "model"):
        assert f'href="page-{name}.html"' in page
        assert (tmp_path / f"page-{name}.html").is_file()
    for name in ("left", "right"):
        assert f"<td>{name}</td>" in page


def test_the_table_is_plain_text_in_a_pipe(ddeal, davis):
    run = ddeal("eval", davis, "--baseline", "copy", "-o", "out", "--quiet")
    assert (run.status, run.err) == (0, "")
    lines = run.out.splitlines()
    assert lines[0].split() == ["sequence", "J", "F", "J&F"]
    assert [line.split()[0] for line in lines[1:3]] == ["left", "right"]
    assert set(lines[3]) <= {"-", " "}
    assert lines[4].startswith("all objects")
    assert lines[5].startswith("frames/s")
    assert len({len(line) for line in lines}) == 1


def test_a_folder_of_results(ddeal, davis, tmp_path):
    assert ddeal("eval", davis, "--baseline", "flow", "-o", "run").status == 0
    run = ddeal("eval", davis, "--results", "run/masks", "--set", "val", "--json", "--workers", 1)
    assert run.status == 0, run.err
    score = score_plans(
        plan_all(find_sequences(davis, image_set="val")), tmp_path / "run" / "masks"
    )
    record = run.json["methods"]["results"]
    assert record["global"]["J&F-Mean"] == score.j_and_f
    assert list(record["sequences"]) == ["right"]
    assert (tmp_path / "masks_eval" / "global_results-val.csv").is_file()


def test_sequences_and_protocol_are_handed_on(ddeal, davis):
    run = ddeal(
        "eval", davis, "--baseline", "copy", "--sequences", "left", "--protocol", "davis2016",
        "-o", "out", "--json",
    )  # fmt: skip
    assert run.status == 0, run.err
    assert list(run.json["methods"]["copy"]["sequences"]) == ["left"]


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["--results", "nowhere"], "nowhere"),
        (["--results", "a", "--baseline", "copy"], "exclude each other"),
        (["--baseline", "copy", "--baselines"], "exclude each other"),
        (["--set", "test", "--baseline", "copy"], "test"),
        (["--sequences", "middle", "--baseline", "copy"], "middle"),
        (["--sequences", ",", "--baseline", "copy"], "--sequences"),
        (["--weights", "no.safetensors"], "no.safetensors"),
        (["--ablation", "--baselines"], "exclude each other"),
        (["--ablation", "--results", "a"], "exclude each other"),
        (["--ablation", "--without", "matching"], "--without"),
    ],
)
def test_refusals_are_one_line(ddeal, davis, words, part):
    run = ddeal("eval", davis, *words)
    assert run.status == 2
    assert part in run.complaint


def test_what_is_scored_is_never_written_over(ddeal, davis, tmp_path):
    for kind in ("JPEGImages", "Annotations"):
        (davis / kind / "480p").rename(tmp_path / {"JPEGImages": "frames"}.get(kind, "masks"))
    files = {path: path.read_bytes() for path in tmp_path.rglob("*.*g")}
    words = ["eval", "--images", "frames", "--annotations", "masks", "--baseline", "copy"]
    for more, part in (
        (["-o", ".", "--overwrite"], "masks belongs to what is scored"),
        (["--report", "masks/left/00000.png"], "ends in .html"),
        (["-o", "masks/left/00000.png"], "cannot write masks/left/00000.png/results.json"),
    ):
        run = ddeal(*words, *more)
        assert run.status == 2
        assert part in run.complaint
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.*g")} == files


def test_a_refusal_names_the_sequence(ddeal, davis):
    write_mask(davis / "Annotations/480p/right/00000.png", np.ones((9, 9), np.uint8))
    assert (
        "sequence 'right': a mask of (9, 9)" in ddeal("eval", davis, "--baseline", "copy").complaint
    )


def test_masks_of_another_run_are_not_mixed(ddeal, davis):
    words = ["eval", davis, "--baseline", "copy", "-o", "out"]
    assert ddeal(*words).status == 0
    run = ddeal(*words)
    assert run.status == 2
    assert "--overwrite" in run.complaint
    assert ddeal(*words, "--overwrite").status == 0


def test_no_dataset(ddeal, tmp_path):
    run = ddeal("eval", tmp_path)
    assert run.status == 2
    assert "JPEGImages" in run.complaint


def test_a_page_for_each_method_that_is_scored(ddeal, davis, tmp_path):
    run = ddeal("eval", davis, "--baseline", "copy", "-o", "out", "--report", "page.html")
    assert run.status == 0, run.err
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "left" in page
    assert "data:image/" in page
    run = ddeal("eval", davis, "--results", "out/masks", "-o", "again", "--report", "other.html")
    assert run.status == 0, run.err
    assert (tmp_path / "other.html").is_file()


def test_the_lines_of_table_v(ddeal, davis, tiny_weights, tmp_path):
    words = ["eval", davis, "--set", "val", "-w", tiny_weights, "--device", "cpu"]
    ablation = [*words, "--ablation", "-o", "out"]
    run = ddeal(*ablation, "--json", "--report", "page.html")
    assert run.status == 0, run.err
    lines = run.json["ablation"]
    for line in (lines[1], lines[4]):  # between them, every switch
        without = [
            cue
            for cue, key in (("matching", "matching"), ("supplementary", "supplementary"))
            if not line[key]
        ] + ([] if line["base"] else ["appearance"])
        switches = [word for cue in without for word in ("--without", cue)]
        alone = ddeal(*words, *switches, "-o", f"alone-{line['line']}", "--json")
        assert alone.status == 0, alone.err
        name = f"line-{line['line']}"
        expected = alone.json["methods"]["model"]["global"]
        assert run.json["methods"][name]["global"] == expected
        assert line["J&F-Mean"] == expected["J&F-Mean"]
        for path in (tmp_path / f"alone-{line['line']}" / "masks").rglob("*.png"):
            kept = tmp_path / "out" / name / path.relative_to(tmp_path / f"alone-{line['line']}")
            assert kept.read_bytes() == path.read_bytes()
    assert [line["paper"]["J&F-Mean"] for line in lines] == [0.748, 0.721, 0.711, 0.748, 0.685]
    table = [row.split() for row in run.err.splitlines() if re.match(r"line |\d ", row)]
    assert table[0][:4] == ["line", "GDMM", "BC", "SC"]
    assert table[3][:4] == ["3", "-", "x", "x"]
    assert table[3][4] == f"{100 * lines[2]['J-Mean']:.1f}"
    assert table[3][-2:] == ["71.1", "3.7"]
    assert (tmp_path / "out" / "ablation.csv").read_text().count("\n") == 6
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    for number in range(1, 6):
        assert f'href="page-line-{number}.html"' in page
        assert (tmp_path / f"page-line-{number}.html").is_file()

    # Nothing of it is taken for the result of another run, and nothing is lost by a typing error.
    again = ddeal(*ablation)
    assert again.status == 2
    assert "--overwrite" in again.complaint
    missing = ddeal("eval", davis, "--ablation", "-w", "no", "-o", "out", "--overwrite")
    assert missing.status == 2
    assert (tmp_path / "out" / "ablation.csv").is_file()
    assert ddeal("eval", davis, "--baseline", "copy", "-o", "out").status == 0
    assert not (tmp_path / "out" / "ablation.csv").exists()
