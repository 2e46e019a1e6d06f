"""Odd names, closed streams, and too little memory."""

import os
import shutil
import sys
import threading
from functools import partial

import pytest

from ddeal_core.media import open_source


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


@pytest.mark.skipif(sys.platform != "linux", reason="names are text there")
def test_a_name_that_is_no_text(ddeal, tiny_clip, tiny_weights, tmp_path):
    name = os.fsdecode(b"\xff.mp4")
    shutil.copy(tiny_clip.video, name)
    run = ddeal(
        *("segment", name, "--mask", tiny_clip.first_mask, "--end", 2),
        *("-o", os.fsdecode(b"\xfe.mov"), "-o", os.fsdecode(b"\xfe")),
        *("--weights", tiny_weights, "--device", "cpu"),
    )
    assert run.status == 0, run.err
    assert "look at frame 1: it may be wrong" in run.err
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        [name, *(os.fsdecode(n) for n in (b"\xfe", b"\xfe.mov", b"\xfe.mov.manifest.json"))]
    )


@pytest.mark.skipif(sys.platform == "win32", reason="pipes have no names there")
def test_a_named_pipe_is_read_once(ddeal, tiny_clip, tiny_weights, make_clip, tmp_path):
    clip = make_clip(tmp_path / "clip.mkv", tiny_clip.frames[:3])
    os.mkfifo("pipe")
    write = partial((tmp_path / "pipe").write_bytes, clip.read_bytes())
    threading.Thread(target=write, daemon=True).start()  # it waits for whoever reads
    run = ddeal(
        *("segment", "pipe", "--mask", tiny_clip.first_mask),
        *("--weights", tiny_weights, "--device", "cpu"),
    )
    assert run.status == 0, run.err
    assert len(list((tmp_path / "pipe_masks").glob("*.png"))) == 3


@pytest.mark.skipif(sys.platform == "win32", reason="streams are closed by a shell")
def test_streams_that_whoever_starts_it_closed(start, tiny_clip):
    close = {"preexec_fn": lambda: [os.close(number) for number in (0, 1)]}
    process = start("segment", "-", "--mask", tiny_clip.first_mask, "-o", "masks", **close)
    assert process.communicate()[1].startswith("error: standard input is no video")
    assert process.returncode == 2
    process = start("doctor", "--help", **close)
    assert process.communicate() == ("", "")
    assert process.returncode == 0


@pytest.mark.skipif(sys.platform != "linux", reason="memory is limited by way of /proc")
def test_torch_out_of_memory_is_one_line(ddeal, tiny_clip, tiny_weights, tmp_path):
    import resource

    from PIL import Image

    Image.new("RGB", (4200, 4200)).save(tmp_path / "big.png")
    mask = Image.new("L", (4200, 4200))
    mask.paste(255, (0, 0, 2000, 2000))
    mask.save(tmp_path / "mask.png")
    before = resource.getrlimit(resource.RLIMIT_AS)
    with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123
        used = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + (1 << 29), before[1]))
    try:
        run = ddeal(
            *("segment", "big.png", "--mask", "mask.png", "-o", "masks", "--resolution", "native"),
            *("--weights", tiny_weights, "--device", "cpu"),
        )
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)
    assert run.status == 1
    assert "out of memory" in run.complaint
