"""One dataset and one run without a break, shared by the tests that only look."""

import csv

import pytest
import torch
from tiny_run import TINY, make_data, make_recipe, write_davis

from ddeal_core.network import PRESETS
from ddeal_core.training import Trainer, World

ALONE = World(0, 1, torch.device("cpu"))


@pytest.fixture(scope="module", autouse=True)
def _tiny_preset():
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(PRESETS, "tiny", TINY)
        yield


@pytest.fixture(scope="session")
def root(tmp_path_factory):
    return write_davis(tmp_path_factory.mktemp("davis"))


@pytest.fixture
def make_trainer(root):
    """``make_trainer(folder, recipe=None, **options)``: the tiny run, alone and without workers."""

    def make(folder, *, recipe=None, **options):
        options = {"world": ALONE, "workers": 0, **options}
        return Trainer(recipe or make_recipe(), make_data(root), folder, **options)

    return make


@pytest.fixture(scope="session")
def straight(root, tmp_path_factory):
    """A run without a break: its folder, its rows, and the network's last state."""
    folder = tmp_path_factory.mktemp("straight") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(PRESETS, "tiny", TINY)
        trainer = Trainer(make_recipe(), make_data(root), folder, world=ALONE, workers=0)
        rows = list(trainer.run())
    return folder, rows, trainer.network.state_dict()


@pytest.fixture(scope="session")
def read_rows():
    """What a run's CSV says, as text, every digit; but for times."""

    def read(folder):
        with (folder / "log.csv").open(newline="") as file:
            return [
                {k: v for k, v in row.items() if k not in ("seconds", "data_share")}
                for row in csv.DictReader(file)
            ]

    return read
