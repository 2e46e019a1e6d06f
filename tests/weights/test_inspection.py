"""Checkpoints from the internet: nothing in them runs, and no memory is taken on their word."""

import os
import pickle
import zipfile
from collections import OrderedDict

import pytest
import torch

from ddeal_core.errors import WeightsError
from ddeal_core.training.checkpoint import load_run
from ddeal_core.weights import Checkpoint, load_checkpoint, read_released, save_checkpoint
from ddeal_core.weights.imagenet import read_imagenet
from ddeal_core.weights.inspection import inspect_checkpoint, load_checked

LOADERS = (load_checked, read_released, read_imagenet, load_run)


class Evil:
    """A pickle that makes a file when it is loaded by the book."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return os.mkdir, (str(self.mark),)


def refused(path, message):
    for load in LOADERS:
        with pytest.raises(WeightsError, match=message) as caught:
            load(path)
        text = str(caught.value)
        assert "\n" not in text
        assert "weights_only" not in text  # torch's advice
    return text


@pytest.mark.parametrize("new", [True, False], ids=["zip", "legacy"])
def test_code_is_named_and_not_run(tmp_path, new):
    path, mark = tmp_path / "evil.pth", tmp_path / "mark"
    content = {"net": {"w": torch.ones(2)}, "extra": Evil(mark)}
    torch.save(content, path, _use_new_zipfile_serialization=new)
    refused(path, r"would call \w+\.mkdir; it was not loaded")
    assert not mark.exists()
    torch.load(path, weights_only=False)  # that it would have
    assert mark.exists()


def test_a_bare_pickle_and_a_program(tmp_path):
    bare, mark = tmp_path / "bare.pth", tmp_path / "mark"
    bare.write_bytes(pickle.dumps(Evil(mark)))
    refused(bare, "mkdir")
    assert not mark.exists()
    program = tmp_path / "program.pt"
    with zipfile.ZipFile(program, "w") as archive:
        archive.writestr("m/data.pkl", pickle.dumps({}, 2))
        archive.writestr("m/constants.pkl", b"")
    refused(program, "TorchScript")


@pytest.mark.parametrize("new", [True, False], ids=["zip", "legacy"])
def test_what_torch_saves_is_loaded(tmp_path, new):
    layer = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4))
    optimiser = torch.optim.Adam(layer.parameters())
    layer(torch.ones(1, 3, 8, 8)).sum().backward()
    optimiser.step()
    everything = torch.arange(6.0)
    content = {
        "net": layer.state_dict(),
        "optimiser": optimiser.state_dict(),
        "views": [everything, everything[2:4], everything.expand(3, 6)],
        "kinds": [torch.ones(2, dtype=d) for d in (torch.half, torch.bfloat16, torch.bool)],
        "parameter": torch.nn.Parameter(torch.ones(2)),
        "plain": OrderedDict(a=1, b=[None, 2.5, "x", (True, b"y")], c={1, 2}),
        "random": torch.get_rng_state(),
        "type": torch.float16,
    }
    path = tmp_path / "fine.pth"
    torch.save(content, path, _use_new_zipfile_serialization=new)
    loaded = load_checked(path)
    assert loaded["plain"] == content["plain"]
    assert loaded["type"] is torch.float16
    for name, tensor in content["net"].items():
        assert torch.equal(loaded["net"][name], tensor)


def test_packed_archives(tmp_path):
    """A kilobyte could become gigabytes."""
    fine, path = tmp_path / "fine.pth", tmp_path / "packed.pth"
    torch.save({"w": torch.zeros(1 << 20)}, fine)
    with (
        zipfile.ZipFile(fine) as source,
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        for entry in source.infolist():
            archive.writestr(entry.filename, source.read(entry))
    assert path.stat().st_size < 20_000
    refused(path, "packed archive")


def lying(path, count):
    """A checkpoint whose storage claims `count` floats and holds two."""

    class Storage:
        def __init__(self, size):
            self.size = size

    class Tensor:
        def __reduce__(self):
            shape = (count,)
            return torch._utils._rebuild_tensor_v2, (Storage(count), 0, shape, (1,), False, {})

    class Pickler(pickle._Pickler):
        def persistent_id(self, item):
            if isinstance(item, Storage):
                return ("storage", torch.FloatStorage, "0", "cpu", item.size)
            return None

    with zipfile.ZipFile(path, "w") as archive:
        with archive.open("m/data.pkl", "w") as file:
            Pickler(file, 2).dump({"w": Tensor()})
        archive.writestr("m/data/0", bytes(8))
        archive.writestr("m/version", b"3\n")
    return path


def test_claims_of_sizes(tmp_path):
    inspect_checkpoint(lying(tmp_path / "honest.pth", 2))
    refused(lying(tmp_path / "liar.pth", 10**11), r"claims 4\d+ bytes of weights where it holds 8")
    path = tmp_path / "expanded.pth"
    torch.save({"w": torch.zeros(1).expand(10**12)}, path)
    refused(path, "claims a tensor of shape")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x80",
        b"PK\x03\x04",
        b"\x80\x04r\xff\xff\xff\x7f.",  # a place of the memo that would take gigabytes
        b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\x00\x00.",  # bytes without end
        b"\x80\x04" + b"]" * 20_000 + b"a" * 19_999 + b".",  # lists in lists
    ],
    ids=["empty", "begun", "zip", "memo", "bytes", "deep"],
)
def test_odd_files(tmp_path, data):
    path = tmp_path / "odd.pth"
    path.write_bytes(data)
    refused(path, "it was not loaded")


@pytest.mark.parametrize("new", [True, False], ids=["zip", "legacy"])
def test_cut_off_anywhere(tmp_path, new):
    path = tmp_path / "cut.pth"
    torch.save({"net": {"w": torch.ones(50)}}, path, _use_new_zipfile_serialization=new)
    whole = path.read_bytes()
    for length in range(0, len(whole) - 1, 37):
        path.write_bytes(whole[:length])
        with pytest.raises(WeightsError, match="not loaded"):
            load_checked(path)


def test_a_file_larger_than_any_network(make_preset, tmp_path):
    """Holes of a sparse file cost its maker nothing."""
    network, path = make_preset("compact"), tmp_path / "w.safetensors"
    save_checkpoint(Checkpoint(network.config, network.state_dict()), path)
    assert load_checkpoint(path).state
    os.truncate(path, 9_000_000_000)
    with pytest.raises(WeightsError, match="9 GB, more than"):
        load_checkpoint(path)
