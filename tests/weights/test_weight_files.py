"""Weights on disk: whole and as they were, or refused in one line."""

import json
import pickle
import shutil
import struct
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from ddeal_core.errors import OutputError, WeightsError
from ddeal_core.network import Ddeal
from ddeal_core.weights import Checkpoint, load_checkpoint, load_network, save_checkpoint


@pytest.fixture(scope="module")
def network(make_preset):
    return make_preset("compact")


@pytest.fixture(scope="module")
def saved(network, tmp_path_factory):
    file = tmp_path_factory.mktemp("saved") / "tiny.safetensors"
    save_checkpoint(Checkpoint(network.config, network.state_dict(), {"data": ["a"]}), file)
    return file


@pytest.fixture
def path(saved, tmp_path):
    (tmp_path / "runs").mkdir()
    return shutil.copy(saved, tmp_path / "runs" / saved.name)


def rewrite(path, *, change=None, metadata=None):
    """Write the file again with other entries or other metadata."""
    state = load_file(path)
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        old = dict(file.metadata())
    if change is not None:
        change(state)
    save_file(state, path, metadata={**old, **(metadata or {})})


def refuses(path, message):
    with pytest.raises(WeightsError, match=message) as caught:
        load_checkpoint(path)
    text = str(caught.value)
    assert path.name in text
    assert "\n" not in text
    return text


def test_round_trip(path, network):
    checkpoint = load_checkpoint(path)
    assert checkpoint.config == network.config
    assert checkpoint.provenance == {"data": ["a"]}
    assert checkpoint.state.keys() == network.state_dict().keys()
    for name, tensor in network.state_dict().items():
        assert torch.equal(checkpoint.state[name], tensor), name
        assert checkpoint.state[name].dtype == tensor.dtype
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_round_trip_in_half(path, network):
    size = path.stat().st_size
    save_checkpoint(Checkpoint(network.config, network.state_dict()), path, half=True)
    assert path.stat().st_size < 0.75 * size  # of a tiny network, whose names weigh
    stored = load_file(path)
    assert stored["fusion.conv1.weight"].dtype == torch.float16
    checkpoint = load_checkpoint(path)
    for name, tensor in network.state_dict().items():
        read = checkpoint.state[name]
        assert read.dtype == tensor.dtype
        if tensor.is_floating_point():
            assert torch.equal(read, tensor.half().float()), name
        else:
            assert torch.equal(read, tensor)


def test_load_network_is_ready_to_use(path, network):
    loaded = load_network(path)
    assert isinstance(loaded, Ddeal)
    assert not loaded.training
    image = torch.rand(1, 3, 32, 48, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.equal(loaded.encode(image).s16, network.encode(image).s16)


def test_missing(tmp_path):
    refuses(tmp_path / "none.safetensors", "no weights")
    refuses(tmp_path, "no weights")


def test_a_file_of_torch_save(tmp_path):
    path = tmp_path / "checkpoint.pt"
    torch.save({"step": 1}, path)
    refuses(path, "torch.save, not a .safetensors file")


def test_truncated_and_other_files(path):
    content = path.read_bytes()
    for length in (0, 7, 8, 100, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:length])
        refuses(path, "no whole weights")
    others = {
        "text": b"hello world" * 100,
        "png": b"\x89PNG\r\n\x1a\n" + bytes(200),
        "empty header": struct.pack("<Q", 2) + b"{}",
        "bad header": struct.pack("<Q", 8) + b"not json",
        "zeros": bytes(1000),
    }
    (length,) = struct.unpack("<Q", content[:8])
    for claim in (0, 1, length - 1, length + 1, 1 << 31, 1 << 62, 1 << 63):
        others[f"header of {claim}"] = struct.pack("<Q", claim) + content[8:]
    for other in others.values():
        path.write_bytes(other)
        refuses(path, "weights")


def test_foreign_safetensors(path):
    save_file({"a": torch.zeros(3)}, path)
    refuses(path, "no ddeal weights")
    save_file({"a": torch.zeros(3)}, path, metadata={"format": "pt"})
    refuses(path, "no ddeal weights")


def test_wrong_shape(path):
    def change(state):
        state["fusion.predictor.weight"] = torch.zeros(2, 7, 1, 1)

    rewrite(path, change=change)
    refuses(path, r"fusion\.predictor\.weight is \(2, 7, 1, 1\), not \(2, 6, 1, 1\)")


def test_missing_and_unknown_entries(path):
    rewrite(path, change=lambda state: state.pop("matching.conv.bias"))
    refuses(path, r"lacks matching\.conv\.bias")
    rewrite(path, change=lambda state: state.pop("matching.conv.weight"))
    refuses(path, "and 1 more")


def test_unknown_entries(path):
    rewrite(path, change=lambda state: state.update({"matching.conv.extra": torch.zeros(1)}))
    refuses(path, r"unknown entry matching\.conv\.extra")


def test_values_that_no_training_gives(path, network):
    for entry, bad, message in (
        ("fusion.conv1.weight", float("nan"), "not finite"),
        ("backbone.bn0.running_var", float("inf"), "not finite"),
        ("backbone.bn0.running_var", -1.0, "negative variances"),
    ):
        state = {name: tensor.clone() for name, tensor in network.state_dict().items()}
        state[entry].view(-1)[-1] = bad
        rewrite(path, change=lambda old, new=state: old.update(new))
        refuses(path, message)
        before = path.read_bytes()
        if bad != -1:
            with pytest.raises(WeightsError, match=entry):
                save_checkpoint(Checkpoint(network.config, state), path)
            assert path.read_bytes() == before


def test_too_large_for_half(path, network):
    state = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    state["fusion.conv1.weight"].view(-1)[0] = 1e6
    save_checkpoint(Checkpoint(network.config, state), path)
    with pytest.raises(WeightsError, match=r"fusion\.conv1\.weight"):
        save_checkpoint(Checkpoint(network.config, state), path, half=True)
    assert load_checkpoint(path).state["fusion.conv1.weight"].max() == 1e6


def settings(network, **changes):
    return {"config": json.dumps({**network.config.to_dict(), **changes})}


@pytest.mark.parametrize(
    "changes",
    [
        {"backbone_width": 10**9},
        {"directional_channels": -3},
        {"directional_channels": 1e400},
        {"fusion_channels": [2**40, 2**40]},
        {"fusion_channels": "ab"},
        {"backbone": "resnet9000"},
        {"update_rate": "fast"},
        {"ablation": {"matching": True, "colour": 1}},
        {"ablation": 3},
        {"surprise": 1},
    ],
    ids=lambda c: next(iter(c)),
)
def test_absurd_configurations(path, network, changes):
    rewrite(path, metadata=settings(network, **changes))
    refuses(path, "no whole weights")


def test_the_largest_configuration_takes_no_memory(path, network):
    rewrite(path, metadata=settings(network, backbone_width=4096, directional_channels=4096))
    refuses(path, "million numbers")  # though its weights would fill terabytes


def test_configurations_and_provenance_that_are_none(path):
    for config in ("", "[]", "7", "null", '"compact"', "{", "[" * 100000):
        rewrite(path, metadata={"config": config})
        refuses(path, "no whole weights")
    for provenance in ("[1]", "3", "{", '"x"'):
        rewrite(path, metadata={"provenance": provenance})
        refuses(path, "no whole weights")


def test_integers_are_no_weights(path):
    def change(state):
        state["fusion.conv1.weight"] = state["fusion.conv1.weight"].to(torch.int32)

    rewrite(path, change=change)
    refuses(path, r"fusion\.conv1\.weight")


class Evil:
    """Unpickling this makes a file."""

    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return Path.touch, (self.target,)


def test_a_pickle_under_this_name_is_never_run(path, tmp_path):
    trace = tmp_path / "trace"
    path.write_bytes(pickle.dumps(Evil(trace)))
    refuses(path, "weights")
    torch.save({"net": Evil(trace)}, path)
    refuses(path, "weights")
    assert not trace.exists()
    pickle.loads(pickle.dumps(Evil(trace)))
    assert trace.exists(), "the trap itself works"


@pytest.mark.parametrize("size", [0, 5000])
def test_nothing_is_left_of_a_write_that_failed(path, network, full_disk, size):
    before = path.read_bytes()
    assert len(before) > 5000
    checkpoint = Checkpoint(network.config, network.state_dict())
    with full_disk(size), pytest.raises(OutputError, match=r"tiny\.safetensors"):
        save_checkpoint(checkpoint, path)
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_the_folder_is_a_file(network, tmp_path):
    (tmp_path / "runs").write_text("mine")
    target = tmp_path / "runs" / "weights.safetensors"
    with pytest.raises(OutputError, match=r"weights\.safetensors"):
        save_checkpoint(Checkpoint(network.config, network.state_dict()), target)
    assert (tmp_path / "runs").read_text() == "mine"


def test_the_place_is_a_folder(network, tmp_path):
    (tmp_path / "weights.safetensors").mkdir()
    with pytest.raises(OutputError, match=r"weights\.safetensors"):
        save_checkpoint(
            Checkpoint(network.config, network.state_dict()), tmp_path / "weights.safetensors"
        )
    assert [p.name for p in tmp_path.iterdir()] == ["weights.safetensors"]


def test_a_configuration_decides_nothing_but_its_fields(path, network):
    """The preset's name is for people; files outlive presets."""
    rewrite(path, metadata=settings(network, preset="of long ago"))
    assert load_checkpoint(path).config == replace(network.config, preset="of long ago")


def test_names_of_earlier_versions_are_read(make_preset, tmp_path):
    """As `log_sigma` was called before; in files of weights and in checkpoints of training."""
    network = make_preset("compact")
    state = dict(network.state_dict())
    state["dense_matching.log_reach"] = state.pop("dense_matching.log_sigma") + 1
    path = tmp_path / "old.safetensors"
    save_checkpoint(Checkpoint(network.config, state), path)
    network.load_state_dict(state)
    for found in (load_checkpoint(path).state, load_network(path).state_dict(),
                  network.state_dict()):  # fmt: skip
        assert torch.equal(found["dense_matching.log_sigma"], state["dense_matching.log_reach"])
