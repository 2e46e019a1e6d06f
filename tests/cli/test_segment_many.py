"""Many videos in one command."""

import os
import shutil
import signal
import sys
from pathlib import Path

import pytest
from waiting import HANG, wait_for


@pytest.fixture
def clips(tiny_clip, tmp_path):
    """Folders clips/ with a.mp4 and b.mp4, and first/ with their masks."""
    for folder in ("clips", "first"):
        (tmp_path / folder).mkdir()
    for name in "ab":
        shutil.copy(tiny_clip.video, tmp_path / f"clips/{name}.mp4")
        shutil.copy(tiny_clip.first_mask, tmp_path / f"first/{name}.png")
    return tmp_path


@pytest.fixture
def long_clip(clips, tiny_clip):
    """A video of 500 images, clips/0 with first/0.png, before the others."""
    (clips / "clips/0").mkdir()
    for index in range(500):
        os.link(tiny_clip.images / "00000.png", clips / f"clips/0/{index:05d}.png")
    shutil.copy(tiny_clip.first_mask, clips / "first/0.png")
    return clips


def test_all_of_a_folder_with_a_summary(ddeal, clips, tiny_weights):
    (clips / "clips/c.mp4").write_text("no video")
    shutil.copy(clips / "first/a.png", clips / "first/c.png")
    words = ["segment", "clips", "--mask", "first/{stem}.png", "--weights", tiny_weights]
    run = ddeal(*words, "--device", "cpu", "--end", 3, "--json")
    assert run.status == 2, "bad input is at fault alone"
    for name in "ab":
        assert len(list(Path(f"{name}_masks").glob("*.png"))) == 3
    assert not Path("c_masks").exists()
    lines = run.err.splitlines()
    assert lines[0] == "3 videos"
    assert [line.split() for line in lines if "  " in line] == [
        ["video", "frames", "frames/s", "status", "look", "at"],
        ["clips/a.mp4", "3", *lines[-4].split()[2:]],
        ["clips/b.mp4", "3", *lines[-3].split()[2:]],
        ["clips/c.mp4", "failed"],
    ]
    assert lines[-1].startswith("2 of 3 videos done, 1 failed: 6 frames in ")
    complaints = [line for line in lines if line.startswith("error: ")]
    assert len(complaints) == 1
    assert "clips/c.mp4 is no video that can be read" in complaints[0]
    assert (run.json["done"], run.json["failed"], run.json["frames"]) == (2, 1, 6)
    first, _, last = run.json["videos"]
    assert first["outputs"] == ["a_masks"]
    assert (first["frames"], first["width"], first["height"]) == (3, 128, 96)
    assert (last["status"], last["outputs"]) == ("failed", [])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["clips", "--mask", "first/a.png"], "one mask for 2 videos"),
        (["clips/a.mp4", "clips/b.mp4", "--mask", "first/a.png"], "one mask for 2 videos"),
        (["clips"], "give either masks or a folder of masks"),
        (["clips/a.mp4"], "where is the object?"),
        (["clips", "--mask-dir", "first", "-o", "cut.mov"], "one file for several videos"),
        (["clips", "--mask-dir", "clips"], "no video has a mask"),
        (["clips", "clips/a.mp4", "--mask-dir", "first"], "named twice"),
        (["clips", "-", "--mask-dir", "first"], "- is live"),
        (["clips", "--mask-dir", "first", "--engine", "spark"], "no engine 'spark'"),
    ],
)
def test_refused_before_anything_starts(ddeal, clips, words, message):
    before = sorted(clips.rglob("*"))
    run = ddeal("segment", *words, "--quiet")
    assert run.status == 2
    assert message in run.complaint
    assert sorted(clips.rglob("*")) == before


def members(group):
    """Processes of a group, by /proc."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parts = (entry / "stat").read_text().rpartition(")")[2].split()
                if int(parts[2]) == group and parts[0] != "Z":
                    found[int(entry.name)] = (entry / "cmdline").read_text()
            except OSError:
                continue
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="processes are found by way of /proc")
def test_ctrl_c_ends_all_workers(start, long_clip, tiny_weights):
    process = start(
        *("segment", "clips", "--mask-dir", "first", "-o", "out/{stem}.mov", "-o", "out/{stem}"),
        *("--weights", tiny_weights, "--device", "cpu", "--jobs", "1"),
        start_new_session=True,
    )
    wait_for(lambda: (long_clip / "out/0/00001.png").exists() or process.poll() is not None)
    assert [words for words in members(process.pid).values() if "spawn_main" in words]
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    _, told = process.communicate(timeout=HANG)
    assert process.returncode == 130
    assert told.splitlines()[-1] == "error: interrupted"
    assert "Traceback" not in told
    wait_for(lambda: not members(process.pid))  # the tracker of resources sees that they are gone
    assert not (long_clip / "out/0.mov").exists()
