"""The authors' checkpoint: its names, and the safe way in."""

import sys
import types

import pytest
import torch

from ddeal_core.errors import WeightsError
from ddeal_core.network import PRESETS
from ddeal_core.network.resnet import ResNet
from ddeal_core.weights import (
    Checkpoint,
    convert_released,
    load_checkpoint,
    read_released,
    save_checkpoint,
)
from ddeal_core.weights.blank import blank_network
from ddeal_core.weights.imagenet import read_imagenet

# The released names, part by part: theirs, ours, shape of the weight.
PARTS = [
    ("gmcos.conv_in", "matching.conv", (512, 2048, 1, 1)),
    ("appmod.conv_in", "appearance.embedding.conv", (512, 2048, 1, 1)),
    ("dynmod.layers.layer00.conv", "propagation.conv_in", (512, 4100, 1, 1)),
    ("dynmod.layers.layer01.conv0", "propagation.pyramid.0", (512, 512, 3, 3)),
    ("dynmod.layers.layer01.conv1", "propagation.pyramid.1", (512, 512, 3, 3)),
    ("dynmod.layers.layer01.conv2", "propagation.pyramid.2", (512, 512, 3, 3)),
    ("dynmod.layers.layer02.conv", "propagation.conv_out", (512, 1536, 3, 3)),
    ("fusmod.layers.layer00.conv", "fusion.conv1", (512, 518, 3, 3)),
    ("fusmod.layers.layer01.conv", "fusion.conv2", (128, 512, 3, 3)),
    ("fusmod.predictor.layer00.conv", "fusion.predictor", (2, 128, 1, 1)),
    ("segmod.project_s8.conv", "upsampling.project_s8", (128, 512, 1, 1)),
    ("segmod.blend_s8.conv", "upsampling.blend_s8", (128, 256, 3, 3)),
    ("segmod.project_s4.conv", "upsampling.project_s4", (128, 256, 1, 1)),
    ("segmod.blend_s4.conv", "upsampling.blend_s4", (128, 256, 3, 3)),
    ("segmod.predictor.conv", "upsampling.predictor", (2, 128, 3, 3)),
]
BLOCKS = {"resnet50": (3, 4, 6, 3), "resnet101": (3, 4, 23, 3)}
ENTRIES = {"resnet50": 351, "resnet101": 657}


def released_shapes(depth):
    """(theirs, ours or None where it is dropped, shape) of each entry."""
    rows = []

    def norm(name, channels):
        parts = ("weight", "bias", "running_mean", "running_var")
        rows.extend((f"{name}.{part}", (channels,)) for part in parts)
        rows.append((f"{name}.num_batches_tracked", ()))

    rows.append(("conv1.weight", (64, 3, 7, 7)))
    norm("bn1", 64)
    inputs = 64
    for stage, blocks in enumerate(BLOCKS[depth]):
        width = 64 * 2**stage
        for index in range(blocks):
            name = f"layer{stage + 1}.{index}"
            rows.append((f"{name}.conv1.weight", (width, inputs, 1, 1)))
            norm(f"{name}.bn1", width)
            rows.append((f"{name}.conv2.weight", (width, width, 3, 3)))
            norm(f"{name}.bn2", width)
            rows.append((f"{name}.conv3.weight", (4 * width, width, 1, 1)))
            norm(f"{name}.bn3", 4 * width)
            if index == 0:
                rows.append((f"{name}.downsample.0.weight", (4 * width, inputs, 1, 1)))
                norm(f"{name}.downsample.1", 4 * width)
            inputs = 4 * width
    result = [(f"backbone.{name}", f"backbone.{name}", shape) for name, shape in rows]
    result.append(("backbone.fc.weight", None, (1000, 2048)))
    result.append(("backbone.fc.bias", None, (1000,)))
    result.append(("appmod.k_reg", "appearance.raw_concentration", (2,)))
    for theirs, ours, shape in PARTS:
        result.append((f"{theirs}.weight", f"{ours}.weight", shape))
        result.append((f"{theirs}.bias", f"{ours}.bias", shape[:1]))
    return result


def released_state(depth, *, prefix="trackseg.", device="meta"):
    return {
        prefix + theirs: torch.zeros(shape, device=device, dtype=torch.long)
        if theirs.endswith("num_batches_tracked")
        else torch.empty(shape, device=device)
        for theirs, _, shape in released_shapes(depth)
    }


@pytest.mark.parametrize(
    ("depth", "prefix"), [("resnet50", "trackseg."), ("resnet50", ""), ("resnet101", "module.")]
)
def test_every_name_finds_its_place(depth, prefix):
    state = released_state(depth, prefix=prefix)
    assert len(state) == ENTRIES[depth]
    config, converted = convert_released(state)
    assert config == PRESETS[f"released-{depth}"]
    for theirs, ours, _ in released_shapes(depth):
        if ours is not None:
            assert converted[ours] is state[prefix + theirs]
    assert not any("fc" in name.split(".") for name in converted)
    network = blank_network(config, "meta")
    network.load_state_dict(converted, assign=True)


def test_strange_entries_are_named():
    state = released_state("resnet50") | {"trackseg.newmod.weight": torch.zeros(1)}
    with pytest.raises(WeightsError, match=r"trackseg\.newmod\.weight"):
        convert_released(state)


def test_missing_entries_are_named():
    state = released_state("resnet50")
    del state["trackseg.segmod.blend_s4.conv.bias"]
    with pytest.raises(WeightsError, match=r"lacks upsampling\.blend_s4\.bias"):
        convert_released(state)


def test_other_shapes_are_named():
    state = released_state("resnet50")
    state["trackseg.appmod.k_reg"] = torch.zeros(4)
    with pytest.raises(WeightsError, match=r"appearance\.raw_concentration is \(4,\), not \(2,\)"):
        convert_released(state)


def test_other_depths_are_refused():
    state = {k: v for k, v in released_state("resnet50").items() if "layer3.5" not in k}
    with pytest.raises(WeightsError, match="5 blocks"):
        convert_released(state)
    with pytest.raises(WeightsError, match="0 blocks"):
        convert_released({})


@pytest.fixture(scope="module")
def small_state():
    """Whole, with numbers, yet one storage of zeros a kind of entry: quick to write."""
    state = {}
    for theirs, _, shape in released_shapes("resnet50"):
        if theirs.endswith("num_batches_tracked"):
            state[f"trackseg.{theirs}"] = torch.tensor(1)
        else:
            state[f"trackseg.{theirs}"] = torch.zeros(1).expand(shape)
    state["trackseg.appmod.k_reg"] = torch.tensor([8.0, 12.0])
    return state


def expand(state):
    return {name: tensor.contiguous() for name, tensor in state.items()}


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
def test_a_bare_state_dict(small_state, tmp_path, zipped):
    path = tmp_path / "released.pth.tar"
    torch.save(small_state, path, _use_new_zipfile_serialization=zipped)
    config, state = read_released(path)
    assert config == PRESETS["released-resnet50"]
    assert torch.equal(state["appearance.raw_concentration"], torch.tensor([8.0, 12.0]))


@pytest.fixture
def their_statistics(monkeypatch):
    """The class of the curves that their trainer pickles beside the weights."""
    package, module = types.ModuleType("utils"), types.ModuleType("utils.stats")

    class AverageMeter:
        def __init__(self):
            self.history, self.sum, self.count = [0.5, 0.25], 1.0, 2

    AverageMeter.__module__, AverageMeter.__qualname__ = "utils.stats", "AverageMeter"
    module.AverageMeter, package.stats = AverageMeter, module
    monkeypatch.setitem(sys.modules, "utils", package)
    monkeypatch.setitem(sys.modules, "utils.stats", module)
    return AverageMeter


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
def test_all_that_their_trainer_saves(small_state, tmp_path, their_statistics, monkeypatch, zipped):
    parameter = torch.nn.Parameter(torch.zeros(3))
    optimiser = torch.optim.Adam([parameter], lr=1e-4)
    parameter.sum().backward()
    optimiser.step()
    schedule = torch.optim.lr_scheduler.ExponentialLR(optimiser, 0.985)
    path = tmp_path / "main_runfile_beta_best.pth.tar"
    content = {
        "epoch": 93,
        "net_type": "AGAME",
        "net": small_state,
        "optimizer": optimiser.state_dict(),
        "lr_sched": schedule.state_dict(),
        "stats": {"train_vos loss": their_statistics(), "val_vos mIoU": their_statistics()},
        "use_gpu": True,
    }
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    monkeypatch.delitem(sys.modules, "utils.stats")
    monkeypatch.delitem(sys.modules, "utils")
    config, state = read_released(path)
    assert config == PRESETS["released-resnet50"]
    assert "fusion.conv1.weight" in state


@pytest.mark.parametrize(
    "content",
    [
        {"net": [1, 2]},
        {"net": {"a": 3}},
        {"net": {1: torch.zeros(1)}},
        {"epoch": 3},
        [torch.zeros(1)],
        torch.zeros(3),
        None,
    ],
    ids=str,
)
def test_other_content(tmp_path, content):
    path = tmp_path / "x.pth.tar"
    torch.save(content, path)
    with pytest.raises(WeightsError, match="no state dict"):
        read_released(path)


def test_damaged_and_missing_files(tmp_path):
    path = tmp_path / "x.pth.tar"
    with pytest.raises(WeightsError, match="no checkpoint"):
        read_released(path)
    path.write_bytes(b"hello")
    with pytest.raises(WeightsError, match="damaged"):
        read_released(path)


def test_imagenet_files(tmp_path):
    path = tmp_path / "resnet18.pth"
    with pytest.raises(WeightsError, match=r"resnet18\.pth"):
        read_imagenet(path)
    for content in ([torch.zeros(1)], {"a": 1}):
        torch.save(content, path)
        with pytest.raises(WeightsError, match=r"resnet18\.pth") as caught:
            read_imagenet(path)
        assert "\n" not in str(caught.value)
    torch.manual_seed(0)
    source, target = ResNet("resnet18", width=4), ResNet("resnet18", width=4)
    torch.save(source.state_dict() | {"fc.weight": torch.zeros(1000, 32)}, path)
    target.load_imagenet(read_imagenet(path))
    assert torch.equal(target.layer4[1].conv2.weight, source.layer4[1].conv2.weight)


def test_from_their_file_to_ours(small_state, tmp_path):
    source, target = tmp_path / "released.pth.tar", tmp_path / "converted.safetensors"
    torch.save({"net": small_state}, source)
    config, state = read_released(source)
    save_checkpoint(Checkpoint(config, expand(state)), target, half=True)
    checkpoint = load_checkpoint(target)
    assert checkpoint.config == PRESETS["released-resnet50"]
    network = blank_network(checkpoint.config, "meta")
    network.load_state_dict(checkpoint.state, assign=True)
