"""Runs in processes of their own: killed and resumed, and two that train together."""

import os
import re
import signal

import pytest
import torch
from forked import Forked
from tiny_run import train

from ddeal_core.training import join_world
from ddeal_core.weights import load_checkpoint


def paused(folder, root):
    train(folder, root, pause_after=4)


def following(folder, root, environment):
    os.environ |= environment
    train(folder, root)


def test_killed_and_resumed(straight, root, tmp_path, make_trainer, read_rows):
    folder = tmp_path / "run"
    process = Forked(tmp_path, paused, folder, root)
    process.wait_for(lambda: "step 4 " in process.out.read_text())
    process.send_signal(signal.SIGKILL)  # step 4 is in the log and not in the checkpoint
    assert process.ended() == -signal.SIGKILL, process.err.read_text()
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
    other = Forked(tmp_path, following, folder, root, {**environment, "RANK": "1"})
    for name, value in {**environment, "RANK": "0"}.items():
        monkeypatch.setenv(name, value)
    world = join_world(torch.device("cpu"))
    try:
        rows = list(make_trainer(folder, world=world).run())
    finally:
        world.leave()
    assert other.ended() == 0, other.err.read_text()[-3000:]
    losses = [float(x) for x in re.findall(r"step \d loss (\S+)", other.out.read_text())]
    assert losses == [row.loss for row in rows]
    assert losses == pytest.approx([row.loss for row in straight[1]], abs=1e-4)
    assert len(read_rows(folder)) == 8  # one process writes
    assert (folder / "weights.safetensors").exists()
