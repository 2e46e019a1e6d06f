"""Odd names, resumed runs with little said, and a process that is told to end."""

import json
import shutil
import signal
import sys

import pytest
from waiting import HANG, wait_for

from ddeal_core.media import open_source

SMALL = ["--size", "64x48", "--frames", 3, "--clips", 1, "--workers", 0, "--device", "cpu"]
SMALL += ["--precision", "float32"]


@pytest.fixture
def clips(ddeal, tmp_path):
    """Two small procedural sequences."""
    run = ddeal(
        "make-synthetic", tmp_path / "clips", "--clips", 2, "--frames", 4, "--size", "64x48"
    )
    assert run.status == 0, run.err
    return tmp_path / "clips"


def test_dots_in_the_name_of_a_video(ddeal, tiny_clip, tiny_weights, tmp_path):
    shutil.copy(tiny_clip.video, tmp_path / "my.clip.v2.mp4")
    run = ddeal(
        *("segment", "my.clip.v2.mp4", "--mask", tiny_clip.first_mask, "--end", 2),
        *("--weights", tiny_weights, "--device", "cpu"),
    )
    assert run.status == 0, run.err
    assert len(list((tmp_path / "my_clip_v2_masks").glob("*.png"))) == 2


@pytest.mark.skipif(sys.platform == "win32", reason="no such names there")
def test_a_colon_is_no_protocol(ddeal, tiny_clip, tiny_weights, tmp_path):
    shutil.copy(tiny_clip.video, tmp_path / "take:1.mp4")
    run = ddeal(
        *("segment", "take:1.mp4", "--mask", tiny_clip.first_mask, "--end", 2),
        *("-o", "cut:1.mov", "-o", "cut %d=.webm", "--weights", tiny_weights, "--device", "cpu"),
    )
    assert run.status == 0, run.err
    for name in ("cut:1.mov", "cut %d=.webm"):
        with open_source(tmp_path / name) as source:
            assert len(list(source)) == 2


@pytest.mark.skipif(sys.platform == "win32", reason="signals end a process unasked there")
def test_terminated_it_leaves_no_unfinished_video(start, tiny_clip, tiny_weights, tmp_path):
    frames = tmp_path / "frames"
    frames.mkdir()
    for index in range(400):
        shutil.copy(tiny_clip.images / "00000.png", frames / f"{index:05d}.png")
    process = start(
        *("segment", frames, "--mask", tiny_clip.first_mask, "-o", "cut.mov", "-o", "masks"),
        *("--weights", tiny_weights, "--device", "cpu"),
    )
    wait_for((tmp_path / "masks" / "00001.png").exists)
    assert list(tmp_path.glob(".cut.mov.*.part"))
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=HANG)
    assert process.returncode == 128 + signal.SIGTERM
    assert [p.name for p in tmp_path.glob("*cut.mov*")] == [".cut.mov.unfinished"]


def test_validation_frames_are_the_runs_own(ddeal, clips, tmp_path):
    words = ["train", clips, *SMALL, "--validation-frames", 3, "-o", "run"]
    assert ddeal(*words, "--steps", 1).status == 0
    resumed = ["train", "-o", "run", "--resume", "--workers", 0, "--device", "cpu", "--steps", 2]
    assert ddeal(*resumed).status == 0
    assert json.loads((tmp_path / "run" / "data.json").read_text())["validation_frames"] == 3
    assert ddeal(*resumed, "--validation-frames", 4).status == 0
    record = json.loads((tmp_path / "run" / "data.json").read_text())
    assert record["validation_frames"] == 4
    assert record["datasets"], "naming the frames is not naming other data"


def test_nothing_to_resume_is_said(ddeal, clips, tmp_path):
    run = ddeal("train", clips, *SMALL, "--steps", 1, "-o", "new", "--resume")
    assert run.status == 0, run.err
    assert "new holds no checkpoint" in run.err


@pytest.mark.skipif(sys.platform != "linux", reason="memory is limited by way of /proc")
def test_torch_out_of_memory_is_one_line(ddeal, tiny_clip, tiny_weights, tmp_path):
    import resource

    from PIL import Image

    Image.new("RGB", (6000, 6000)).save(tmp_path / "big.png")
    mask = Image.new("L", (6000, 6000))
    mask.paste(255, (0, 0, 3000, 3000))
    mask.save(tmp_path / "mask.png")
    before = resource.getrlimit(resource.RLIMIT_AS)
    with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123
        used = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + (1 << 30), before[1]))
    try:
        run = ddeal(
            *("segment", "big.png", "--mask", "mask.png", "-o", "masks", "--resolution", "native"),
            *("--weights", tiny_weights, "--device", "cpu"),
        )
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)
    assert run.status == 1
    assert "out of memory" in run.complaint
