"""Runs in processes of their own: killed and resumed, and two that train together."""

import csv
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from tiny_run import TINY, make_data, make_recipe, write_davis
from waiting import HANG

from ddeal_core.network import PRESETS
from ddeal_core.training import Trainer, World
from ddeal_core.weights import load_checkpoint

SCRIPT = Path(__file__).with_name("tiny_run.py")
# The library is found where this test found it, installed or not.
PATHS = os.pathsep.join(p for p in [str(SCRIPT.parents[2]), *sys.path] if p)
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": PATHS}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return write_davis(tmp_path_factory.mktemp("davis"))


def start(arguments, **options):
    return subprocess.Popen(
        [sys.executable, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT,
        **options,
    )


def finish(process):
    out, err = process.communicate(timeout=HANG)
    assert process.returncode == 0, err[-3000:]
    return out


def train(folder, root, **options):
    """The same run in this process, to its end, on one thread as in the others."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setitem(PRESETS, "tiny", TINY)
            world = World(0, 1, torch.device("cpu"))
            trainer = Trainer(
                make_recipe(), make_data(root), folder, world=world, workers=0, **options
            )
            for _ in trainer.run():
                pass
    finally:
        torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def straight(root, tmp_path_factory):
    folder = tmp_path_factory.mktemp("straight") / "run"
    train(folder, root)
    return folder


def read_rows(folder):
    with (folder / "log.csv").open(newline="") as file:
        return [
            {k: v for k, v in row.items() if k not in ("seconds", "data_share")}
            for row in csv.DictReader(file)
        ]


def test_killed_and_resumed(straight, root, tmp_path):
    folder = tmp_path / "run"
    words = [SCRIPT, folder, root, "--pause-after", 4, "--workers", 1]
    process = start(words, start_new_session=True)
    for line in process.stdout:
        if "step 4 " in line:
            break
    os.killpg(process.pid, signal.SIGKILL)  # step 4 is in the log, the checkpoint is of step 3
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert len(read_rows(folder)) == 5
    # What a kill in the middle of a write leaves behind.
    with (folder / "log.csv").open("a") as file:
        file.write("5,large,0.1")
    (folder / f".checkpoint.pt.{process.pid}.part").write_bytes(b"half a checkpoint")
    train(folder, root, resume=True)
    assert read_rows(folder) == read_rows(straight)
    ours, theirs = (load_checkpoint(f / "weights.safetensors") for f in (folder, straight))
    assert all(torch.equal(ours.state[name], x) for name, x in theirs.state.items())
    assert not list(folder.glob("*.part"))


@pytest.mark.skipif(not torch.distributed.is_available(), reason="torch without distributed")
def test_two_processes_train_as_one(straight, root, tmp_path):
    folder = tmp_path / "run"
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", 2]
    out = finish(start([*launcher, SCRIPT, folder, root]))
    pattern = re.compile(r"rank (\d) step (\d+) loss (\S+)")
    losses = {0: [], 1: []}
    for rank, step, loss in pattern.findall(out):
        assert int(step) == len(losses[int(rank)])
        losses[int(rank)].append(float(loss))
    assert losses[0] == losses[1]
    assert losses[0] == pytest.approx([float(r["loss"]) for r in read_rows(straight)], abs=1e-4)
    assert len(read_rows(folder)) == 8  # one process writes
    assert (folder / "weights.safetensors").exists()
