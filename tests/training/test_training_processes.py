"""Runs in processes of their own: killed and resumed, and two that train together."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from waiting import HANG

from ddeal_core.training import join_world
from ddeal_core.weights import load_checkpoint

SCRIPT = Path(__file__).with_name("tiny_run.py")
# The library is found where this test found it, installed or not.
PATHS = os.pathsep.join(p for p in [str(SCRIPT.parents[2]), *sys.path] if p)


def start(*arguments, **environment):
    return subprocess.Popen(
        [sys.executable, str(SCRIPT), *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": PATHS, **environment},
        start_new_session=True,
    )


def test_killed_and_resumed(straight, root, tmp_path, make_trainer, read_rows):
    folder = tmp_path / "run"
    process = start(folder, root, "--pause-after", 4)
    for line in process.stdout:
        if "step 4 " in line:
            break
    os.killpg(process.pid, signal.SIGKILL)  # step 4 is in the log and not in the checkpoint
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert len(read_rows(folder)) == 5
    # What a kill in the middle of a write leaves behind.
    with (folder / "log.csv").open("a") as file:
        file.write("5,large,0.1")
    (folder / f".checkpoint.pt.{process.pid}.part").write_bytes(b"half a checkpoint")
    trainer = make_trainer(folder, resume=True)
    assert trainer.step == 4  # between stages
    for _ in trainer.run():
        pass
    assert read_rows(folder) == read_rows(straight[0])
    ours, theirs = (load_checkpoint(f / "weights.safetensors") for f in (folder, straight[0]))
    assert all(torch.equal(ours.state[name], x) for name, x in theirs.state.items())
    assert not list(folder.glob("*.part"))


@pytest.mark.filterwarnings("ignore:Grad strides do not match:UserWarning")
@pytest.mark.skipif(not torch.distributed.is_available(), reason="torch without distributed")
def test_two_processes_train_as_one(straight, root, tmp_path, make_trainer, read_rows, monkeypatch):
    """This process leads and another follows, each as torchrun would start it."""
    folder = tmp_path / "run"
    store = torch.distributed.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    environment = {
        "WORLD_SIZE": "2",
        "LOCAL_RANK": "0",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(store.port),
        "TORCHELASTIC_USE_AGENT_STORE": "True",  # the store is there already
    }
    other = start(folder, root, RANK="1", **environment)
    for name, value in {**environment, "RANK": "0"}.items():
        monkeypatch.setenv(name, value)
    world = join_world(torch.device("cpu"))
    try:
        rows = list(make_trainer(folder, world=world).run())
    finally:
        world.leave()
    out, err = other.communicate(timeout=HANG)
    assert other.returncode == 0, err[-3000:]
    losses = [float(loss) for loss in re.findall(r"rank 1 step \d loss (\S+)", out)]
    assert losses == [row.loss for row in rows]
    assert losses == pytest.approx([row.loss for row in straight[1]], abs=1e-4)
    assert len(read_rows(folder)) == 8  # one process writes
    assert (folder / "weights.safetensors").exists()
