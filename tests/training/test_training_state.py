"""What a run keeps: averaged weights, its checkpoint, its log."""

from dataclasses import replace

import pytest
import torch

from ddeal_core.errors import OutputError, WeightsError
from ddeal_core.training import LogRow, TrainingLog
from ddeal_core.training.averaging import MovingAverage
from ddeal_core.training.checkpoint import load_run, save_run

# Moving average


def make_layers(value):
    layers = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.BatchNorm1d(2))
    for tensor in layers.state_dict().values():
        tensor.fill_(value)
    return layers


def test_the_average_by_hand():
    network = make_layers(0)
    average = MovingAverage(network, 0.5)
    expected = 0.0
    for step in range(12):
        value = step + 1.0
        for tensor in network.state_dict().values():
            tensor.fill_(value)
        average.update(network, step)
        decay = min(0.5, (1 + step) / (10 + step))  # the first steps are soon forgotten
        expected = decay * expected + (1 - decay) * value
        for name, tensor in average.network.state_dict().items():
            if name.endswith("num_batches_tracked"):
                assert tensor == value
            else:
                torch.testing.assert_close(tensor, torch.full_like(tensor, expected))
    assert not any(p.requires_grad for p in average.network.parameters())
    assert not average.network.training
    assert network.training
    assert all(p.requires_grad for p in network.parameters())


# Checkpoint

STATE = {"step": 3, "network": {"a": torch.arange(4.0)}, "recipe": {"name": "x", "size": (1, 2)}}


def test_round_trip(tmp_path):
    save_run(STATE, tmp_path / "checkpoint.pt")
    state = load_run(tmp_path / "checkpoint.pt")
    assert state["step"] == 3
    assert torch.equal(state["network"]["a"], torch.arange(4.0))
    assert [p.name for p in tmp_path.iterdir()] == ["checkpoint.pt"]


@pytest.mark.parametrize("size", [0, 5000])
def test_a_write_that_fails_leaves_the_old_one(tmp_path, full_disk, size):
    path = tmp_path / "checkpoint.pt"
    save_run(STATE, path)
    before = path.read_bytes()
    with full_disk(size), pytest.raises(OutputError, match=r"checkpoint\.pt.*too large"):
        save_run({"step": 4, "network": torch.zeros(10_000)}, path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["checkpoint.pt"]


def test_the_folder_is_a_file(tmp_path):
    (tmp_path / "run").write_text("mine")
    with pytest.raises(OutputError, match=r"checkpoint\.pt"):
        save_run(STATE, tmp_path / "run" / "checkpoint.pt")


def test_missing_and_damaged(tmp_path):
    path = tmp_path / "checkpoint.pt"
    with pytest.raises(WeightsError, match="no training run"):
        load_run(path)
    save_run(STATE, path)
    content = path.read_bytes()
    for share in (0, 0.3, 0.9):
        path.write_bytes(content[: int(share * len(content))])
        with pytest.raises(WeightsError, match=r"checkpoint\.pt") as caught:
            load_run(path)
        assert "\n" not in str(caught.value)


# Log


def make_row(step, **changes):
    row = LogRow(
        step=step,
        stage="small",
        seconds=1.5 * (step + 1),
        learning_rate=1e-4 / 3,
        loss=1 / (step + 3),
        jaccard=0.1 * step,
        data_share=0.25,
    )
    return replace(row, **changes)


def write_log(folder, count):
    log = TrainingLog(folder)
    for step in range(count):
        log.append(make_row(step))
    log.close()
    return folder / "log.csv"


def same(a, b):
    return str(a) == str(b)  # NaN is not equal to itself


def test_rows_come_back_with_every_digit(tmp_path):
    path = write_log(tmp_path, 4)
    log = TrainingLog(tmp_path, step=4)
    assert same(log.rows, [make_row(step) for step in range(4)])
    assert log.seconds == 6.0
    log.close()
    assert path.read_text().splitlines()[0].startswith("step,stage,seconds,learning_rate,loss")


def test_later_rows_are_dropped_on_resuming(tmp_path):
    path = write_log(tmp_path, 6)
    log = TrainingLog(tmp_path, step=4)
    assert [row.step for row in log.rows] == [0, 1, 2, 3]
    log.append(make_row(4, loss=7.0))
    assert len(path.read_text().splitlines()) == 1 + 5, "on disk at once"
    log.close()
    assert ",7.0," in path.read_text().splitlines()[-1]
    log = TrainingLog(tmp_path, step=5)
    assert log.rows[-1].loss == 7.0
    log.close()


def test_a_line_cut_short_by_the_kill(tmp_path):
    path = write_log(tmp_path, 4)
    whole = path.read_text()
    for cut in range(1, 30):
        path.write_text(whole[:-cut])
        log = TrainingLog(tmp_path, step=3)
        log.close()
        assert same(log.rows, [make_row(step) for step in range(3)])


def test_a_new_run_begins_with_an_empty_log(tmp_path):
    write_log(tmp_path, 4)
    log = TrainingLog(tmp_path, step=0)
    assert log.rows == []
    assert log.seconds == 0.0
    log.close()
    assert len((tmp_path / "log.csv").read_text().splitlines()) == 1


@pytest.mark.parametrize("count", [1, 120])
def test_the_picture(tmp_path, count):
    log = TrainingLog(tmp_path)
    for step in range(count):
        held = {"held_out_j": 0.5, "held_out_f": 0.4} if step % 50 == 0 else {}
        log.append(make_row(step, **held))
    path = log.draw()
    log.close()
    assert path.read_bytes().startswith(b"\x89PNG")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["log.csv", "log.png"]
