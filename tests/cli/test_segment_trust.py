"""What the program says and keeps when its input is damaged, hostile or oddly named."""

import json
import os
from pathlib import Path

import av
import numpy as np
import pytest

from ddeal_core.media import open_source

ODD_NAMES = [
    "-rf.mp4",
    "two\nlines.mp4",
    "a\x1b[31mred.mp4",
    "right‮4pm.mp4",
    "%05d.mp4",
    "a:b.mp4",
    os.fsdecode(b"not\xfftext.mp4"),
]


@pytest.fixture
def broken(tmp_path, make_clip, tiny_clip):
    """Eight frames of Motion JPEG, of which number 5 cannot be decoded."""
    frames = [f + np.uint8(i) for i, f in enumerate(tiny_clip.frames)]
    path = make_clip(tmp_path / "broken.mov", frames, codec="mjpeg", pix_fmt="yuvj420p")
    with av.open(str(path)) as container:
        place, size = [(p.pos, p.size) for p in container.demux(video=0) if p.size][5]
    data = bytearray(path.read_bytes())
    data[place : place + size] = bytes(size)
    path.write_bytes(data)
    return path


@pytest.fixture
def cut(ddeal, tiny_clip, tiny_weights):
    def run(video, *more):
        words = ("--mask", tiny_clip.first_mask, "--weights", tiny_weights, "--device", "cpu")
        return ddeal("segment", video, *words, *more)

    return run


OUTPUTS = ("-o", "masks", "-o", "cut.mov", "-o", "all.json")


def numbers(folder):
    return sorted(int(path.stem) for path in Path(folder).glob("*.png"))


def test_stop_keeps_what_was_before(cut, broken):
    run = cut(broken, *OUTPUTS)
    assert run.status == 2
    assert "damaged at frame 5" in run.complaint
    assert "results of the 5 frames before it: masks, cut.incomplete.mov" in run.complaint
    assert numbers("masks") == [0, 1, 2, 3, 4]
    assert not Path("cut.mov").exists()
    assert not Path("all.json").exists()
    assert len(list(open_source("cut.incomplete.mov"))) == 5
    assert len(json.loads(Path("all.incomplete.json").read_text())["images"]) == 5


def test_skip(cut, broken):
    run = cut(broken, *OUTPUTS, "--on-error", "skip", "--json")
    assert run.status == 0
    assert (run.json["frames"], run.json["damaged_frames"]) == (7, 1)
    assert "1 damaged frame left out: 5" in run.err
    assert numbers("masks") == [0, 1, 2, 3, 4, 6, 7]
    assert [f.pts for f in open_source("cut.mov")] == [
        f.pts for f in open_source(broken, on_error="skip")
    ]


def test_hold(cut, broken):
    run = cut(broken, *OUTPUTS, "--on-error", "hold", "--json")
    assert run.status == 0
    assert (run.json["frames"], run.json["damaged_frames"]) == (8, 1)
    assert "1 damaged frame held: 5" in run.err
    assert numbers("masks") == list(range(8))
    assert Path("masks/00005.png").read_bytes() == Path("masks/00004.png").read_bytes()
    assert [f.pts for f in open_source("cut.mov")] == [
        f.pts for f in open_source(broken, on_error="hold")
    ]


@pytest.mark.parametrize("mode", ["skip", "hold"])
def test_a_mask_for_a_frame_that_nobody_can_see(cut, broken, tiny_clip, mode):
    run = cut(broken, "--mask", f"5={tiny_clip.first_mask}", "-o", "masks", "--on-error", mode)
    assert run.status == 2
    assert "frame 5" in run.complaint
    assert "give a mask for another one" in run.complaint


def test_the_limit_of_pixels(cut, tiny_clip, monkeypatch):
    run = cut(tiny_clip.video, "-o", "masks", "--max-pixels", 96 * 128 - 1)
    assert run.status == 2
    assert "--max-pixels" in run.complaint
    assert not Path("masks").exists()
    monkeypatch.setenv("DDEAL_MAX_PIXELS", "lots")
    assert "DDEAL_MAX_PIXELS" in cut(tiny_clip.video, "-o", "masks").complaint
    assert cut(tiny_clip.video, "-o", "masks", "--max-pixels", 96 * 128).status == 0
    assert cut(tiny_clip.video, "-o", "masks", "--max-pixels", 0).status == 2


@pytest.mark.parametrize("name", ODD_NAMES, ids=ascii)
def test_odd_names(cut, tiny_clip, tmp_path, name):
    folder = tmp_path / "odd"
    folder.mkdir()
    try:
        (folder / name).write_bytes(tiny_clip.video.read_bytes())
    except OSError:
        pytest.skip("this system has no such names")
    run = cut(folder / name, "-o", "masks", "-o", tmp_path / "out.json", "--end", 2, "--json")
    assert run.status == 0, run.err
    assert run.json["video"] == str(folder / name)
    assert json.loads((tmp_path / "out.json").read_text("ascii"))["info"]["description"] == name
    (folder / name).write_bytes(b"nothing")
    run = cut(folder / name, "-o", "masks2", "--overwrite")
    assert run.status == 2
    run.complaint.encode()  # text that any terminal takes
    assert not set(run.complaint) & set("\x1b‮\n")


def test_symbolic_links(cut, tiny_clip, tmp_path):
    (tmp_path / "link.mp4").symlink_to(tiny_clip.video)
    (tmp_path / "nowhere.mp4").symlink_to(tmp_path / "none.mp4")
    (tmp_path / "loop.mp4").symlink_to(tmp_path / "loop.mp4")
    assert cut(tmp_path / "link.mp4", "-o", "masks").status == 0
    for name in ("nowhere.mp4", "loop.mp4"):
        assert cut(tmp_path / name, "-o", "masks2").status == 2


def test_escape_codes_in_weights(ddeal, tmp_path, tiny_weights):
    """A stranger's file does not write to the terminal."""
    from dataclasses import replace

    from ddeal_core.weights import load_checkpoint, save_checkpoint

    deep = []
    for _ in range(200):
        deep = [deep]
    checkpoint = replace(
        load_checkpoint(tiny_weights), provenance={"data\x1b]0;x": "\x1b[2J\nok", "deep": deep}
    )
    save_checkpoint(checkpoint, tmp_path / "w.safetensors")
    run = ddeal("weights", "info", tmp_path / "w.safetensors")
    assert run.status == 0
    assert "\x1b" not in run.out
    assert "ok" in run.out


def test_names_in_tables_and_reports(ddeal, tmp_path):
    """Sequences are named by folders, and folders by anybody."""
    from PIL import Image

    from ddeal_core.media import write_mask

    names = ["=1+1", "-x", "<img src=x onerror=alert(1)>", os.fsdecode(b"n\xff"), "plain"]
    for name in names:
        for index in range(3):
            labels = np.zeros((32, 48), np.uint8)
            labels[4:12, 4 + index : 12 + index] = 1
            images, masks = (tmp_path / "d" / p / name for p in ("JPEGImages", "Annotations"))
            for folder in (images, masks, tmp_path / "results" / name):
                folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.zeros((32, 48, 3), np.uint8)).save(images / f"{index:05d}.jpg")
            write_mask(masks / f"{index:05d}.png", labels)
            labels[0, 0] = 1
            write_mask(tmp_path / "results" / name / f"{index:05d}.png", labels)
    run = ddeal("eval", "d", "--results", "results", "-o", "out", "--report", "r.html", "--json")
    assert run.status == 0, run.err
    assert run.json
    table = Path("out/per-sequence_results-all.csv").read_text("utf-8")
    cells = [line.partition(",")[0] for line in table.splitlines()[1:]]
    assert {cell.rpartition("_")[0] for cell in cells} == {
        "'=1+1",
        "'-x",
        "<img src=x onerror=alert(1)>",
        "n\\udcff",
        "plain",
    }
    page = Path("r.html").read_text("utf-8")
    assert "&lt;img src=x" in page
    assert "<img src=x" not in page
