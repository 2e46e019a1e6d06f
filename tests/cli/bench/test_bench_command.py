"""`ddeal bench`: every mode on tiny networks. No time is asserted."""

import json

import numpy as np
import pytest
from PIL import Image

from ddeal_cli.bench.stages import OTHER, STAGES

SIZE = ("--size", "96x64")
BRIEF = ("--frames", 3, "--warm-up", 1, "--device", "cpu", "--threads", 1)


@pytest.fixture
def bench(ddeal, tiny_weights, quick_peaks):
    """`bench(*words) -> Run` on tiny weights."""

    def call(*words):
        return ddeal("bench", "--weights", tiny_weights, *BRIEF, *words)

    return call


def test_speed_of_a_grid_with_its_files_and_two_files_side_by_side(bench, ddeal, tmp_path):
    run = bench(
        *SIZE, "--objects", 1, "--objects", 2, "--against", "plain", "--json",
        "-o", tmp_path / "deep" / "here.json", "--picture", tmp_path / "here.png",
    )  # fmt: skip
    assert run.status == 0, run.err
    record = json.loads((tmp_path / "deep" / "here.json").read_text())
    assert record == run.json
    assert record["schema"] == "ddeal-bench-1"
    assert record["kind"] == "speed"
    assert record["machine"]["cores"] >= 1
    assert record["machine"]["cpu"]
    assert {"python", "torch", "numpy"} <= record["versions"].keys()
    assert record["date"].endswith("+00:00")
    assert record["others_share_of_processor"] is None or (
        0 <= record["others_share_of_processor"] <= 1
    )
    points = [(case["size"], case["objects"]) for case in record["cases"]]
    assert points == [([96, 64], 1), ([96, 64], 2)]
    for case in record["cases"]:
        assert case["model"]["frame_seconds"]["count"] == 3
        assert case["command"]["frame_seconds"]["count"] == 3
        assert [stage["name"] for stage in case["stages"]] == [*STAGES, OTHER]
        for stage in case["stages"]:
            if stage["name"] not in (OTHER, "decode"):  # a decoder may run ahead
                assert stage["seconds"]["median"] > 0, stage["name"]
        assert case["peaks"]["operations_per_second"] > 0
        assert case["memory"]["resident"] > 1e6
        assert case["label"] in run.err
        found = case["against"]
        assert found["largest_difference"] < 1e-4
        rates = [found[which]["frames_per_second"] for which in ("ours", "plain")]
        assert found["ratio"] == pytest.approx(rates[0] / rates[1])
    for told in (*STAGES, "largest difference"):
        assert told in run.err
    assert "/work" not in json.dumps(record["cases"])
    with Image.open(tmp_path / "here.png") as picture:
        assert picture.size[0] > 1000
        assert len(np.unique(np.asarray(picture.convert("L")))) > 20
    assert "\x1b" not in run.out + run.err

    (tmp_path / "a.json").write_text(json.dumps(record))
    for case in record["cases"]:
        case["model"]["frames_per_second"] *= 2
    (tmp_path / "b.json").write_text(json.dumps(record))
    run = ddeal("bench", "--compare", "a.json", "b.json")
    assert run.status == 0, run.err
    rates = [line for line in run.out.splitlines() if line.startswith("model, frames/s")]
    assert len(rates) == 2
    assert all(line.endswith(" 2.00") for line in rates)
    run = ddeal("bench", "--compare", "a.json", "a.json", "--json")
    assert all(
        row["ratio"] in (1, pytest.approx(1)) or not row["first"] for row in run.json["rows"]
    )
    record["schema"] = "ddeal-bench-0"
    (tmp_path / "old.json").write_text(json.dumps(record))
    record.update(schema="ddeal-bench-1", kind="growth size")
    (tmp_path / "other.json").write_text(json.dumps(record))
    for name, words in (
        ("old.json", "schema"),
        ("other.json", "kinds"),
        ("none.json", "cannot be read"),
    ):
        run = ddeal("bench", "--compare", "a.json", name)
        assert run.status == 2
        assert words in run.complaint


def test_a_video_of_ones_own_is_measured_as_far_as_it_goes(
    ddeal, tiny_weights, tiny_clip, quick_peaks
):
    run = ddeal(
        *("bench", tiny_clip.video, "--mask", tiny_clip.first_mask, "--weights", tiny_weights),
        *("--device", "cpu", "--threads", 1, "--write", "mp4", "--json"),
    )
    assert run.status == 0, run.err
    (case,) = run.json["cases"]
    assert case["footage"] == tiny_clip.video.name
    assert (case["size"], case["objects"]) == ([128, 96], 1)
    assert case["command"]["output"] == "mp4"
    # All but the given frame, two to warm up, and the counted one.
    assert case["command"]["frame_seconds"]["count"] == 8 - 1 - 2 - 1


def test_a_video_too_short_to_measure_is_refused(bench, make_clip, tiny_clip, tmp_path):
    video = make_clip(tmp_path / "short.mp4", list(tiny_clip.frames[:3]))
    run = bench(video, "--mask", tiny_clip.first_mask)
    assert run.status == 2
    assert "short.mp4 has 3 frames; 4 are needed" in run.complaint


def test_growth_with_size(bench, tmp_path):
    words = ["--growth", "size", *SIZE, "--size", "192x128"]
    run = bench(*words, "--json", "--picture", tmp_path / "growth.png")
    assert run.status == 0, run.err
    assert run.json["kind"] == "growth size"
    # Not scaled down, or there was nothing to see.
    assert [case["network_size"] for case in run.json["cases"]] == [[96, 64], [192, 128]]
    assert (tmp_path / "growth.png").stat().st_size > 5000


def test_growth_with_length(bench, tmp_path):
    words = ["--growth", "length", *SIZE, "--frames", 103]
    run = bench(*words, "--json", "--picture", tmp_path / "growth.png")
    assert run.status == 0, run.err
    assert [case["frames"] for case in run.json["cases"]] == [100, 103]
    counts = [case["frame_seconds"]["count"] for case in run.json["cases"]]
    assert counts == [100, 3]
    assert all(case["memory"]["resident"] > 1e6 for case in run.json["cases"])
    assert (tmp_path / "growth.png").stat().st_size > 5000


def test_a_limit_cuts_passes_short_and_frames_ahead_are_told(bench):
    words = ("--objects", 1, "--frames", 500, "--limit", 1e-6, "--look-ahead", 2, "--json")
    run = bench(*SIZE, *words)
    assert run.status == 0, run.err
    (case,) = run.json["cases"]
    assert case["look_ahead"] == 2
    assert "2 frames ahead" in run.err
    assert case["model"]["frame_seconds"]["count"] <= 4
    assert case["command"]["frame_seconds"]["count"] <= 4
    run = bench("--growth", "length", *SIZE, "--frames", 500, "--limit", 1e-6, "--json")
    assert [case["frames"] for case in run.json["cases"]] == [2]


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--preset", "resnet7"], "no preset 'resnet7'"),
        (["--size", "854"], "WIDTHxHEIGHT"),
        (["--size", "8x8"], "64 to 8192"),
        (["--objects", 0], "objects are 1 to 254"),
        (["--device", "cuda"], "no cuda device"),
        (["--device", "cpu", "--precision", "float16"], "float16 is for GPUs"),
        (["--device", "cpu", "--cuda-graphs"], "NVIDIA"),
        (["--threads", 0], "threads is a whole number in [1, 4096], not 0"),
        (["--weights", "none.safetensors"], "no weights at"),
        (["--mask", "first.png"], "name the VIDEO"),
        ([__file__], "needs --mask"),
        ([__file__, "--mask", "first.png", "--objects", 2], "leave --size, --objects"),
        (["none.mp4", "--mask", "first.png"], "there is no file"),
        (["-o", "here.txt"], ".json file"),
        (["--picture", "here.jpg"], ".png file"),
        (["--limit", 0], "limit is a number"),
        (["--compare", "a.json", "b.json"], "a.json cannot be read"),
        (["--growth", "size", "--against", "plain"], "--growth"),
        (["--resolution", "tall"], "--resolution"),
    ],
    ids=lambda x: " ".join(map(str, x)) if isinstance(x, list) else "",
)
def test_what_cannot_be_measured_is_one_line_with_state_2(ddeal, words, complaint):
    import torch

    if "cuda" in words and torch.cuda.is_available():
        pytest.skip("there is one")
    run = ddeal("bench", *words)
    assert run.status == 2
    assert complaint in run.complaint
