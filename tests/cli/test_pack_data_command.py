"""``ddeal pack-data``, ``ddeal train --packed`` and ``--minutes``."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ddeal_cli.main import main
from ddeal_core.weights import load_checkpoint

SMALL = ["--size", "64x48", "--frames", 3, "--clips", 1, "--workers", 0, "--device", "cpu"]
SMALL += ["--precision", "float32", "--from-scratch"]
NAMED = ["clips", "--held-out", "clips:train", "--cutouts", "emoji", "--cutouts", "things",
         "--moving", "clips:train", "--option", "max_objects=2",
         "--validation-frames", "4"]  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with data/, their words, and what was packed of them; to be copied."""
    home = tmp_path_factory.mktemp("packed")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        small = ["--clips", "2", "--frames", "5", "--size", "64x48", "--quiet"]
        assert main(["make-synthetic", "clips", *small]) == 0
        rgba = np.zeros((24, 24, 4), np.uint8)
        rgba[4:20, 4:20] = 255
        Path("emoji").mkdir()
        Image.fromarray(rgba).save("emoji/a.png")
        Path("things/cube").mkdir(parents=True)
        for side in range(3):
            Image.fromarray(np.roll(rgba, side, 1)).save(f"things/cube/{side}.png")
        assert main(["pack-data", "packed", *NAMED, "--jobs", "1", "--quiet"]) == 0
    return home


@pytest.fixture
def packed(made, tmp_path):
    """What was packed, with the data, in the current folder."""
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    return tmp_path / "packed"


def held_out(run):
    return [line.split(";")[0] for line in run.err.splitlines() if "held-out J" in line]


def saved(run):
    return load_checkpoint(run / "weights.safetensors")


def test_packed_data_stand_for_their_folders_and_a_run_that_stops_in_time_goes_on(
    ddeal, packed, tmp_path, narrow_presets
):
    words = [*SMALL, "--steps", 2, "--validate-every", 1]
    run = ddeal("train", "--packed", packed, *words, "-o", "run", "--minutes", 0, "--json")
    assert run.status == 0, run.err
    assert "time is up at step 1" in run.err
    assert run.json["steps"] == 1
    for name in ("weights", "best", "log", "curves"):
        assert (tmp_path / run.json[name]).is_file()
    plain = ddeal("train", *NAMED, *words, "-o", "plain")
    data = saved(tmp_path / "run").provenance["data"]
    assert data == saved(tmp_path / "plain").provenance["data"]
    assert "packed" not in "".join(data)

    # It goes on where the data were moved to, as if nothing had happened.
    packed.rename(tmp_path / "elsewhere")
    again = ["train", "-o", "run", "--resume", "--workers", 0, "--device", "cpu"]
    refused = ddeal(*again)
    assert refused.status == 2
    assert "--packed" in refused.complaint
    run = ddeal(*again, "--packed", "elsewhere")
    assert run.status == 0, run.err
    assert "warning" not in run.err
    unbroken = ddeal("train", "--packed", "elsewhere", *words, "-o", "whole")
    assert unbroken.status == 0, unbroken.err
    assert held_out(unbroken)[0] == held_out(plain)[0]  # from files that are copies
    whole = saved(tmp_path / "whole").state
    for name, tensor in saved(tmp_path / "run").state.items():
        assert tensor.equal(whole[name]), name

    # A run begun with the folders themselves goes on with what was packed of them.
    run = ddeal("train", "-o", "plain", "--resume", "--packed", "elsewhere", *words)
    assert run.status == 0, run.err
    assert "warning" not in run.err
    run = ddeal("pack-data", "other", "clips", "--jobs", 1, "--json")
    assert run.status == 0, run.err
    assert run.json["bytes"] == sum(part["bytes"] for part in run.json["parts"]) > 0
    assert run.json["short_side"] == 320  # 240 lines of clips that are cropped to 3/4
    run = ddeal("train", "-o", "plain", "--resume", "--packed", "other", *words)
    assert run.status == 0, run.err
    assert "warning: the data differ" in run.err


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["--packed", "nowhere"], "data.json"),
        (["--packed", "packed", "clips"], "no other datasets"),
        (["--packed", "packed", "--stills", "clips"], "no other datasets"),
        (["--packed", "packed", "--validation-frames", 5], "asks for more"),
    ],
)
def test_refusals_of_train(ddeal, packed, words, part):
    run = ddeal("train", "-o", "run", "--quiet", *words)
    assert run.status == 2, run.err
    assert part in run.complaint


def test_an_index_that_leads_out_of_its_folder_is_refused(ddeal, packed):
    path = packed / "data.json"
    record = json.loads(path.read_text())
    record["choice"]["material"]["cutouts"] = ["../emoji"]
    path.write_text(json.dumps(record))
    run = ddeal("train", "--packed", packed, "-o", "run")
    assert run.status == 2
    assert "leads out" in run.complaint


@pytest.mark.parametrize(
    ("words", "part"),
    [
        ([], "nothing to pack"),
        (["nowhere"], "nowhere"),
        (["clips", "--option", "colour=red"], "colour"),
        (["clips", "--recipe", "huge"], "huge"),
    ],
)
def test_refusals_of_pack_data(ddeal, made, monkeypatch, words, part):
    monkeypatch.chdir(made)
    run = ddeal("pack-data", "new", *words)
    assert run.status == 2, run.err
    assert part in run.complaint
    assert not Path("new").exists()
