"""The program as a process: what help imports, exit states, pipes."""

import re

import numpy as np
import pytest
from waiting import HANG

from ddeal_core.media import read_mask


def test_help_and_a_missing_video_import_nothing_heavy(run_python):
    code = (
        "import sys\n"
        "from ddeal_cli.main import main\n"
        "pages = ['train', '-h'], ['bench', '-h'], ['annotate', '-h']\n"
        "calls = [['--version'], ['--help'], *pages]\n"
        "states = [main(call) for call in calls]\n"
        "states += [main(['segment', 'no.mp4', '-m', 'no.png']) != 2]\n"
        "heavy = {'torch', 'numpy', 'cv2', 'av', 'PIL', 'matplotlib', 'starlette', 'uvicorn'}\n"
        "heavy &= sys.modules.keys()\n"
        "sys.exit(f'{states} {heavy}' if heavy or any(states) else 0)\n"
    )
    assert "segment" in run_python(code)


@pytest.mark.parametrize("words", [[], ["weights"]])
def test_without_a_command_it_shows_help(ddeal, words):
    run = ddeal(*words)
    assert run.status == 0
    assert "Usage" in run.out


def test_a_process_segments_a_video_from_a_pipe_and_writes_no_escape_codes(
    start, tiny_clip, tiny_weights, tmp_path
):
    with tiny_clip.video.open("rb") as video:
        process = start(
            "segment", "-", "--mask", tiny_clip.first_mask, "--weights", tiny_weights,
            "-o", tmp_path / "masks", "--device", "cpu", stdin=video,
        )  # fmt: skip
    out, err = process.communicate(timeout=HANG)
    assert process.returncode == 0, err
    assert out == ""
    assert not re.search(r"\x1b|\r", err)
    assert "1 object: id 1" in err
    assert re.search(r"8 frames of 128x96 in .* frames/s on cpu", err)
    assert len(list((tmp_path / "masks").glob("*.png"))) == 8
    assert np.array_equal(read_mask(tmp_path / "masks/00000.png").labels, tiny_clip.masks[0])


def test_a_process_fails_in_one_line_with_state_2(start, tmp_path):
    process = start("segment", tmp_path / "no.mp4", "--mask", "first.png")
    out, err = process.communicate(timeout=HANG)
    assert process.returncode == 2
    assert out == ""
    assert err == f"error: there is no file or folder {tmp_path / 'no.mp4'}\n"


def test_a_closed_pipe_is_no_traceback(start):
    with start("make-synthetic", "--options") as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        err = process.stderr.read()
        process.wait(timeout=HANG)
    assert "Traceback" not in err
    assert "Exception" not in err


@pytest.mark.parametrize(
    "words",
    [["segmnt"], ["segment"], ["segment", "v.mp4", "--colour"], ["demo", "--device", "gpu"]],
)
def test_wrong_words_are_one_line_with_state_2(ddeal, words):
    run = ddeal(*words)
    assert run.status == 2
    assert "--help" in run.complaint


def test_names_with_control_characters_stay_in_one_line(ddeal):
    run = ddeal("segment", "no\n\x1b[31mvideo.mp4", "--mask", "x.png")
    assert run.status == 2
    assert "\x1b" not in run.complaint
