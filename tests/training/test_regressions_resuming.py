"""What a resumed run must not forget, and how a worker's error arrives."""

import pytest
import torch
from tiny_run import TINY, make_data, make_recipe, write_davis

from ddeal_core.datasets.layouts import DavisLayout
from ddeal_core.errors import DatasetError, WeightsError
from ddeal_core.network import PRESETS
from ddeal_core.network.resnet import ResNet
from ddeal_core.training import Recipe, Trainer, TrainingData, World
from ddeal_core.training.checkpoint import load_run

pytestmark = pytest.mark.usefixtures("one_thread")

ALONE = World(0, 1, torch.device("cpu"))


@pytest.fixture(autouse=True)
def tiny_preset(monkeypatch):
    monkeypatch.setitem(PRESETS, "tiny", TINY)


@pytest.fixture
def root(tmp_path):
    return write_davis(tmp_path / "davis")


def make_trainer(root, folder, **options):
    options = {"workers": 0, **options}
    return Trainer(make_recipe(), make_data(root), folder, world=ALONE, **options)


def test_a_run_ended_before_its_first_checkpoint_keeps_its_recipe(root, tmp_path):
    rows = make_trainer(root, tmp_path / "run").run()
    next(rows)
    rows.close()
    state = load_run(tmp_path / "run" / "checkpoint.pt")
    assert state["step"] == 0
    assert Recipe.from_dict(state["recipe"]) == make_recipe()


def test_a_frozen_backbone_stays_frozen_without_its_file(root, tmp_path):
    torch.manual_seed(0)
    imagenet = ResNet("resnet18", width=TINY.backbone_width).state_dict()
    whole = [r.loss for r in make_trainer(root, tmp_path / "whole", imagenet=imagenet).run()]
    rows = make_trainer(root, tmp_path / "cut", imagenet=imagenet).run()
    first = [next(rows).loss for _ in range(3)]
    rows.close()
    resumed = make_trainer(root, tmp_path / "cut", resume=True)  # the file is not named again
    assert resumed.step == 2
    assert first[:2] + [r.loss for r in resumed.run()] == whole
    stem = resumed.network.backbone.conv1.weight
    assert not stem.requires_grad
    assert torch.equal(stem, imagenet["conv1.weight"])


def test_a_checkpoint_of_something_else_is_named(tmp_path):
    torch.save([1, 2], tmp_path / "checkpoint.pt")
    with pytest.raises(WeightsError, match=r"checkpoint\.pt is no training checkpoint"):
        load_run(tmp_path / "checkpoint.pt")


@pytest.mark.parametrize("workers", [0, 1])
def test_a_damaged_frame_is_told_in_one_line(root, tmp_path, workers):
    for path in root.glob("JPEGImages/480p/left/*.jpg"):
        path.write_bytes(b"rubbish")
    data = TrainingData(sequences=DavisLayout(root).sequences()[:1])
    trainer = Trainer(make_recipe(), data, tmp_path / "run", world=ALONE, workers=workers)
    with pytest.raises(DatasetError) as caught:
        list(trainer.run())
    assert "\n" not in str(caught.value)
    assert ".jpg" in str(caught.value)
