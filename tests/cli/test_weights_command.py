import re

import pytest
import torch

from ddeal_core.network import PRESETS
from ddeal_core.weights import load_checkpoint
from ddeal_core.weights.blank import blank_network

# The authors' names, from ours.
_RULES = (
    (r"backbone\.(.+)", r"backbone.\1"),
    (r"matching\.conv\.(\w+)", r"gmcos.conv_in.\1"),
    (r"appearance\.embedding\.conv\.(\w+)", r"appmod.conv_in.\1"),
    (r"appearance\.raw_concentration", r"appmod.k_reg"),
    (r"propagation\.conv_in\.(\w+)", r"dynmod.layers.layer00.conv.\1"),
    (r"propagation\.pyramid\.(\d)\.(\w+)", r"dynmod.layers.layer01.conv\1.\2"),
    (r"propagation\.conv_out\.(\w+)", r"dynmod.layers.layer02.conv.\1"),
    (r"fusion\.conv1\.(\w+)", r"fusmod.layers.layer00.conv.\1"),
    (r"fusion\.conv2\.(\w+)", r"fusmod.layers.layer01.conv.\1"),
    (r"fusion\.predictor\.(\w+)", r"fusmod.predictor.layer00.conv.\1"),
    (r"upsampling\.(\w+)\.(\w+)", r"segmod.\1.conv.\2"),
)


def authors_name(name):
    for pattern, replacement in _RULES:
        if re.fullmatch(pattern, name):
            return re.sub(pattern, replacement, name)
    raise AssertionError(name)


@pytest.fixture(scope="module")
def authors_file(tmp_path_factory):
    """Random weights of the authors' ResNet-50, saved as they do; no two entries are the same."""
    torch.manual_seed(1)
    numbers = torch.rand(8_000_000)  # of which each entry has others: quick to draw and to write
    state = {}
    network = blank_network(PRESETS["released-resnet50"], "meta")
    for place, (name, entry) in enumerate(network.state_dict().items()):
        part = numbers[place : place + entry.numel()].view(entry.shape)
        state[authors_name(name)] = part if entry.is_floating_point() else torch.tensor(1)
    path = tmp_path_factory.mktemp("authors") / "released.pth.tar"
    torch.save({"net": state, "epoch": 3}, path)
    return path


def test_convert_and_info(ddeal, authors_file, tmp_path):
    run = ddeal("weights", "convert", authors_file, "-o", "mine.safetensors", "--half", "--json")
    assert run.status == 0, run.err
    path = tmp_path / "mine.safetensors"
    assert run.json["bytes"] == path.stat().st_size
    assert run.json["config"]["preset"] == "released-resnet50"
    state = load_checkpoint(path).state
    given = torch.load(authors_file, weights_only=True)["net"]
    assert len(state) == len(given)
    for name, tensor in state.items():
        assert torch.equal(tensor, given[authors_name(name)].half().to(tensor.dtype))
    info = ddeal("weights", "info", path, "--json")
    assert info.json == run.json | {"file": str(path)}
    text = ddeal("weights", "info", path).out
    assert "preset: released-resnet50" in text
    assert f"{path.stat().st_size / 1e6:.1f} MB" in text
    assert "converted_from: released.pth.tar" in text
    again = ddeal("weights", "convert", authors_file, "-o", "mine.safetensors")
    assert again.status == 2
    assert "--overwrite" in again.complaint


class Harmful:
    def __reduce__(self):
        return (print, ("code ran",))


def test_a_file_with_code_is_refused_and_not_run(ddeal, tmp_path):
    torch.save({"net": Harmful()}, tmp_path / "bad.pth.tar")
    run = ddeal("weights", "convert", "bad.pth.tar", "-o", "x.safetensors")
    assert run.status == 2
    assert "bad.pth.tar" in run.complaint  # which also checks that nothing was printed
    assert not (tmp_path / "x.safetensors").exists()


@pytest.mark.parametrize(
    "words",
    [
        ["convert", "no.pth.tar", "-o", "x.safetensors"],
        ["convert", "no.pth.tar", "-o", "x.pth"],
        ["info", "no.safetensors"],
    ],
)
def test_refusals_are_one_line(ddeal, words):
    run = ddeal("weights", *words)
    assert run.status == 2
    assert run.complaint
