"""The network for inference: folded, fused, and faster ways to the same answers."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from ddeal_core.inference.folding import fold_backbone
from ddeal_core.inference.network import for_inference
from ddeal_core.network.backbone import Backbone
from ddeal_core.operators import masked_maximum as matching
from ddeal_core.operators.fused_convolution import FusedConv2d
from ddeal_core.operators.masked_maximum import masked_maximum
from ddeal_core.operators.winograd import WinogradConv2d, best_tile, transforms, winograd_pays


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("preset", ["compact", "paper-resnet50"])
def test_every_part_of_an_encoding_agrees(make_preset, preset):
    network = make_preset(preset)
    images = torch.rand(2, 3, 48, 64, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        plain, fast = network.encode(images), for_inference(network).encode(images)
    for name in ("s16", "matching", "propagation", "dense"):
        if getattr(plain, name) is not None:
            torch.testing.assert_close(getattr(fast, name), getattr(plain, name), atol=1e-5, rtol=0)
    torch.testing.assert_close(fast.appearance, plain.appearance, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(fast.skips, plain.skips, atol=1e-5, rtol=1e-5)


def test_no_batch_norm_is_left(make_preset):
    network = make_preset("compact")
    before = {name: x.clone() for name, x in network.state_dict().items()}
    fast = for_inference(network)
    assert any(isinstance(m, nn.BatchNorm2d) for m in network.modules())
    assert not any(isinstance(m, nn.BatchNorm2d) for m in fast.modules())
    assert not any(p.requires_grad for p in fast.parameters())
    # The one it is made of can still be trained and saved.
    assert all(p.requires_grad for p in network.parameters())
    assert network.state_dict().keys() == before.keys()
    for name, x in network.state_dict().items():
        assert torch.equal(x, before[name])
    assert for_inference(fast) is fast


class OfItsOwn(Backbone):
    """A backbone of a class that folding does not know."""

    def __init__(self, layers: Backbone) -> None:
        super().__init__()
        self.layers = layers
        self.stages, self.channels = ("layers",), layers.channels

    def forward(self, images):
        return self.layers(images)

    def load_imagenet(self, state):
        self.layers.load_imagenet(state)


def test_a_backbone_that_cannot_be_folded_goes_on_learning(make_network):
    network = make_network("compact")
    network.backbone = OfItsOwn(network.backbone)
    network.train()
    quick = for_inference(network)
    assert network.backbone.training
    assert all(p.requires_grad for p in network.parameters())
    assert not any(p.requires_grad for p in quick.parameters())
    image = draw(1, 3, 48, 64)
    network.eval()
    torch.testing.assert_close(quick.encode(image).s16, network.encode(image).s16)


@pytest.mark.parametrize("preset", ["compact", "paper-resnet50"])
def test_a_partly_folded_backbone_answers_the_same_and_learns_at_its_end(make_preset, preset):
    backbone = make_preset(preset).backbone
    backbone.train_last_stages(2)
    folded = fold_backbone(backbone, learning=2)
    images = draw(1, 3, 48, 64)
    found = folded(images)
    for ours, plain in zip(found, backbone(images), strict=True):
        torch.testing.assert_close(ours, plain, atol=1e-4, rtol=1e-4)
    found.s16.sum().backward()
    learnt = {name.split(".")[0] for name, p in backbone.named_parameters() if p.grad is not None}
    assert learnt == set(backbone.stages[-2:])
    assert fold_backbone(backbone, learning=len(backbone.stages)) is backbone


def test_the_inference_network_answers_under_autocast(make_preset):
    network = make_preset("compact")
    images = torch.rand(1, 3, 32, 48, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        plain, fast = network.encode(images), for_inference(network).encode(images)
    assert fast.matching.dtype == torch.float32
    assert (fast.matching - plain.matching).abs().max() < 0.05


@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("with_shortcut", [False, True])
def test_fused_convolution(relu, with_shortcut):
    conv, norm = nn.Conv2d(8, 16, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(16).eval()
    norm.running_mean, norm.running_var = draw(16), draw(16, seed=1).square() + 0.2
    x = draw(2, 8, 9, 12, seed=2)
    shortcut = draw(2, 16, 5, 6, seed=3) if with_shortcut else None
    with torch.no_grad():
        expected = norm(conv(x))
        expected = expected if shortcut is None else expected + shortcut
        expected = expected.relu() if relu else expected
        module = FusedConv2d.of(conv, norm, activation="relu" if relu else "none")
        found = module(x, shortcut)
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
        # and again at another size: weights are laid out once
        other = draw(1, 8, 20, 6, seed=4)
        expected = norm(conv(other)).relu() if relu else norm(conv(other))
        torch.testing.assert_close(module(other), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("size", [(1, 1), (5, 9), (12, 13), (30, 17)], ids="{0[0]}x{0[1]}".format)
@pytest.mark.parametrize("dilation", [1, 2, 3, 6])
def test_winograd_is_the_convolution(size, dilation):
    torch.manual_seed(0)
    conv = nn.Conv2d(7, 5, 3, padding=dilation, dilation=dilation)
    x = draw(2, 7, *size).double()
    with torch.no_grad():
        found = WinogradConv2d(FusedConv2d.of(conv, activation="relu"))(x.float())
        expected = F.relu(
            F.conv2d(x, conv.weight.double(), conv.bias.double(), 1, dilation, dilation)
        )
    assert found.shape == expected.shape
    torch.testing.assert_close(found.double(), expected, atol=1e-5, rtol=0)


def test_winograd_follows_the_size_of_the_map():
    conv = nn.Conv2d(4, 4, 3, padding=1)
    module = WinogradConv2d(FusedConv2d.of(conv, activation="none"))
    with torch.no_grad():
        for size in ((8, 8), (9, 6), (8, 8)):
            x = draw(1, 4, *size)
            torch.testing.assert_close(module(x), conv(x), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("outputs", [2, 3, 4])
def test_transforms_make_a_convolution(outputs):
    leave, weigh, enter = (torch.from_numpy(m.copy()) for m in transforms(outputs))
    x, w = draw(outputs + 2).double(), draw(3, seed=1).double()
    expected = F.conv1d(x[None, None], w[None, None])[0, 0]
    torch.testing.assert_close(leave @ ((weigh @ w) * (enter @ x)), expected)


def test_tiles_waste_little():
    assert best_tile(16, 1) == 4
    assert best_tile(9, 1) == 3
    assert best_tile(54, 6) == 3
    assert best_tile(2, 1) == 2


def test_winograd_is_for_wide_layers():
    assert winograd_pays(nn.Conv2d(256, 256, 3, padding=2, dilation=2))
    assert not winograd_pays(nn.Conv2d(256, 64, 3, padding=1))
    assert not winograd_pays(nn.Conv2d(256, 256, 1))
    assert not winograd_pays(nn.Conv2d(256, 256, 3, stride=2, padding=1))


# Kernels of equal weights


def memory(objects, height=24, width=32, *, soft=0):
    """Masks that are 0 or 1 but for ``soft`` positions, ``[1, K, 2, L]``."""
    masks = torch.zeros(objects, height, width)
    for k in range(objects):
        masks[k, 2:-2, 1 + 6 * k : 6 + 6 * k] = 1
    masks = masks.flatten(1)
    where = torch.randperm(height * width, generator=torch.Generator().manual_seed(3))[:soft]
    masks[:, where] = torch.rand(objects, soft, generator=torch.Generator().manual_seed(4))
    return torch.stack([1 - masks, masks], dim=1)[None]


@pytest.mark.parametrize(
    ("kind", "objects", "soft"),
    [("scale", 1, 50), ("scale", 5, 0), ("shift", 3, 300), ("both", 5, 50), ("both", 1, 0)],
)
def test_equal_weights_compete_once_with_the_same_bytes(monkeypatch, kind, objects, soft):
    masks = memory(objects, soft=soft)
    weights = {"scale": masks} if kind != "shift" else {}
    if kind != "scale":
        weights["shift"] = (masks + 1e-3).log()
    query, kernels = draw(1, 6, 40), draw(1, 6, masks.shape[-1], seed=1)
    taken = []
    reduce_groups = matching._reduce_groups
    monkeypatch.setattr(
        matching, "_reduce_groups", lambda *args: taken.append(1) or reduce_groups(*args)
    )
    found = masked_maximum(query, kernels, **weights)
    assert taken, "the shorter way was not taken"
    monkeypatch.setattr(matching, "_equal_weights", lambda *_: None)
    assert torch.equal(found, masked_maximum(query, kernels, **weights))


def test_weights_that_are_all_different_take_the_long_way():
    assert matching._equal_weights(draw(1, 2, 2, 500).abs(), None) is None


def test_weights_that_only_look_equal_are_told_apart(monkeypatch):
    monkeypatch.setattr(matching, "_MIX", 0)  # now all columns look the same
    assert matching._equal_weights(memory(3), None) is None


def test_signed_zeros_weigh_the_same():
    masks = memory(2)
    masks[masks == 0] = -0.0
    query, kernels = draw(1, 6, 40), draw(1, 6, masks.shape[-1], seed=1)
    expected = masked_maximum(query, kernels, scale=masks.abs())
    assert torch.equal(masked_maximum(query, kernels, scale=masks), expected)
