"""Odd names, and too little memory."""

import shutil
import sys

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
