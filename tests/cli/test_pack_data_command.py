"""``ddeal pack-data``, ``ddeal train --packed`` and ``--minutes``."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ddeal_core.weights import load_checkpoint

SMALL = ["--size", "64x48", "--frames", 3, "--clips", 1, "--workers", 0, "--device", "cpu"]
SMALL += ["--precision", "float32"]
ROOT = Path(__file__).parents[2]


@pytest.fixture
def clips(ddeal, tmp_path):
    run = ddeal(
        "make-synthetic", tmp_path / "clips", "--clips", 2, "--frames", 5, "--size", "64x48"
    )
    assert run.status == 0, run.err
    return tmp_path / "clips"


@pytest.fixture
def named(clips, tmp_path):
    """The words that name the data."""
    (tmp_path / "emoji").mkdir()
    rgba = np.zeros((24, 24, 4), np.uint8)
    rgba[4:20, 4:20] = 255
    Image.fromarray(rgba).save(tmp_path / "emoji" / "a.png")
    (tmp_path / "things" / "cube").mkdir(parents=True)
    for side in range(3):
        Image.fromarray(np.roll(rgba, side, 1)).save(tmp_path / "things" / "cube" / f"{side}.png")
    return [clips, "--held-out", f"{clips}:train", "--cutouts", tmp_path / "emoji",
            "--cutouts", tmp_path / "things", "--moving", f"{clips}:train",
            "--option", "max_objects=2", "--validation-frames", 4]  # fmt: skip


@pytest.fixture
def packed(ddeal, named, tmp_path):
    run = ddeal("pack-data", "packed", *named, "--jobs", 1, "--json")
    assert run.status == 0, run.err
    assert run.json["bytes"] == sum(part["bytes"] for part in run.json["parts"]) > 0
    assert run.json["short_side"] == 240  # 192 lines of clips that are cropped to 0.8
    return tmp_path / "packed"


def held_out(run):
    return [line.split(";")[0] for line in run.err.splitlines() if "held-out J" in line]


def provenance(run):
    return load_checkpoint(run / "weights.safetensors").provenance["data"]


def test_a_run_from_packed_data_moves_house(ddeal, named, packed, tmp_path):
    words = [*SMALL, "--steps", 1]
    run = ddeal("train", "--packed", packed, *words, "-o", "run")
    assert run.status == 0, run.err
    plain = ddeal("train", *named, *words, "-o", "plain")
    assert held_out(run) == held_out(plain) != []  # from files that are copies
    assert provenance(tmp_path / "run") == provenance(tmp_path / "plain")
    assert "packed" not in "".join(provenance(tmp_path / "run"))
    again = ["train", "-o", "run", "--resume", "--workers", 0, "--device", "cpu"]
    assert ddeal(*again, "--steps", 2).status == 0
    packed.rename(tmp_path / "elsewhere")
    run = ddeal(*again, "--steps", 3)
    assert run.status == 2
    assert "--packed" in run.complaint
    run = ddeal(*again, "--steps", 3, "--packed", "elsewhere")
    assert run.status == 0, run.err
    assert "warning" not in run.err
    # A run begun with the folders themselves goes on with what was packed of them.
    run = ddeal("train", "-o", "plain", "--resume", "--packed", "elsewhere", *words, "--steps", 2)
    assert run.status == 0, run.err
    assert "warning" not in run.err


def test_other_packed_data_are_told_of(ddeal, clips, packed):
    assert ddeal("train", "--packed", packed, *SMALL, "--steps", 1, "-o", "run").status == 0
    assert ddeal("pack-data", "other", clips, "--jobs", 1).status == 0
    run = ddeal("train", "--packed", "other", *SMALL, "--steps", 2, "-o", "run", "--resume")
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
def test_refusals_of_pack_data(ddeal, clips, tmp_path, words, part):
    run = ddeal("pack-data", "packed", *words)
    assert run.status == 2, run.err
    assert part in run.complaint
    assert not (tmp_path / "packed").exists()


def test_a_run_stops_in_time_and_goes_on_as_if_it_had_not(ddeal, clips, tmp_path):
    words = ["train", clips, *SMALL, "--steps", 3]
    run = ddeal(*words, "-o", "short", "--minutes", 0, "--json")
    assert run.status == 0, run.err
    assert "time is up at step 1" in run.err
    assert run.json["steps"] == 1
    for name in ("weights", "best", "log", "curves"):
        assert (tmp_path / run.json[name]).is_file()
    assert ddeal("train", "-o", "short", "--resume", "--workers", 0, "--device", "cpu").status == 0
    assert ddeal(*words, "-o", "whole").status == 0
    ends = [load_checkpoint(tmp_path / name / "weights.safetensors") for name in ("short", "whole")]
    for name, tensor in ends[0].state.items():
        assert tensor.equal(ends[1].state[name]), name


@pytest.mark.skipif(
    sys.platform != "linux" or shutil.which("bash") is None, reason="needs bash and GNU split"
)
def test_the_script_for_rented_machines(packed, tmp_path):
    def call(*words, **variables):
        environment = {"PYTHON": sys.executable, "WORKERS": "0", "DEVICE": "cpu"}
        environment |= {"SECONDS_LEFT": "31", "OUT": "results", "OMP_NUM_THREADS": "1"}
        done = subprocess.run(
            ["bash", str(ROOT / "scripts" / "train_on_gpu.sh"), *map(str, words)],
            env={**os.environ, **environment, **variables},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    shutil.make_archive("packed", "tar", tmp_path, "packed")
    small = ["--size", "64x48", "--frames", "3", "--clips", "1", "--steps", "20000"]
    begun = call("packed.tar", "compact", *small)
    assert begun["steps"] >= 1
    names = {path.name for path in (tmp_path / "results").iterdir()}
    assert names >= {"log.csv", "log.png", "weights.safetensors", "best.safetensors"}
    assert "checkpoint.pt.00" in names
    assert all(path.stat().st_size < 16 << 20 for path in (tmp_path / "results").iterdir())
    more = call("packed", "compact", *small, CHECKPOINT_FROM="results", OUT="more")
    assert more["steps"] > begun["steps"]
