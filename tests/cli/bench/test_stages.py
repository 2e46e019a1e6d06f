"""What is charged to a stage, and what is counted for it."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from ddeal_cli.bench.case import Effort, NetworkChoice
from ddeal_cli.bench.clip import BenchClip
from ddeal_cli.bench.counting import OperationCounter
from ddeal_cli.bench.model import load_model
from ddeal_cli.bench.stages import OTHER, STAGES, StageClock, places, watch
from ddeal_core.errors import InputError
from ddeal_core.network import Ddeal, NetworkConfig
from ddeal_core.operators.product import product
from ddeal_core.tracking import Tracker


@pytest.mark.parametrize("preset", ["compact", "released-resnet50"])
def test_every_stage_of_the_model_is_charged_and_all_is_put_back(make_preset, preset):
    network = make_preset(preset)
    frames = list(BenchClip.sample((64, 96), 2).frames(2))
    mask = BenchClip.sample((64, 96), 2).mask
    before = [(owner, name, vars(owner).get(name)) for _, owner, name in places(network)]
    plain = Tracker(network)
    plain.step(frames[0], mask)
    expected = plain.step(frames[1]).probabilities

    clock = StageClock(lambda: None)
    tracker = Tracker(network)
    with watch(network, clock):
        tracker.step(frames[0], mask)
        clock.lap()
        got = tracker.step(frames[1]).probabilities
    charged = clock.lap()
    assert set(charged) == set(STAGES) - {"decode", "write"}
    np.testing.assert_array_equal(got, expected)
    assert all(vars(owner).get(name) is function for owner, name, function in before)
    tracker.step(frames[0])
    assert clock.lap() == {}


def test_a_stage_inside_another_is_charged_once():
    ticks = iter(range(100))
    clock = StageClock(lambda: None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("time.perf_counter", lambda: next(ticks))
        with clock.within("backbone"):  # 0
            assert clock.stage == "backbone"
            with clock.within("merge"):  # 1
                pass  # 2
            with clock.within("merge"):  # 3
                pass  # 4
        # 5
    assert clock.stage == OTHER
    assert clock.lap() == {"backbone": 3, "merge": 2}


def test_operations_and_bytes_of_a_convolution_and_a_product():
    x, weight = torch.zeros(1, 3, 10, 12), torch.zeros(5, 3, 3, 3)
    counter = OperationCounter(lambda: "fusion")
    with counter, torch.inference_mode():
        y = F.conv2d(x, weight, padding=1)
        y[:, :2].transpose(1, 2)  # a view moves nothing
    fusion = counter.counts["fusion"]
    assert fusion.operations == 2 * 5 * 3 * 9 * 120
    assert fusion.bytes == 4 * (3 * 120 + 5 * 27 + 5 * 120)
    counter = OperationCounter(lambda: "matching")
    with counter, torch.inference_mode():
        torch.zeros(4, 6) @ torch.zeros(6, 8)
        product(torch.zeros(1, 4, 6), torch.zeros(1, 6, 8))  # the same by oneDNN
    assert counter.counts["matching"].operations == 2 * (2 * 4 * 6 * 8)


def test_random_weights_are_the_same_each_time_and_settled():
    clip = BenchClip.sample((64, 96), 1)
    models = [load_model(NetworkChoice.of_preset("compact"), clip) for _ in range(2)]
    for name, tensor in models[0].state.items():
        assert torch.equal(tensor, models[1].state[name]), name
        assert torch.isfinite(tensor).all()
    network = Ddeal(models[0].config).eval()
    network.load_state_dict(models[0].state)
    image = torch.from_numpy(clip.images[0]).permute(2, 0, 1)[None].float() / 255
    with torch.no_grad():
        assert 0.01 < network.encode(image).s16.abs().mean() < 100


@pytest.mark.parametrize("objects", [1, 2, 3, 20])
def test_the_sample_has_as_many_objects_as_asked(objects):
    clip = BenchClip.sample((240, 426), objects)
    assert clip.objects == objects
    assert clip.mask.shape == (240, 426)
    frames = list(clip.frames(20))
    assert len(frames) == 20
    np.testing.assert_array_equal(frames[0], frames[14])  # eight to and fro
    assert not np.array_equal(frames[7], frames[8])


def test_measuring_begins_when_the_memory_is_as_full_as_in_a_long_video():
    config = NetworkConfig.from_preset("compact")  # 8 frames, one in 5
    assert Effort().settled(config).warm_up == 45
    assert Effort().settled(config, at_most=10).warm_up == 10
    assert Effort().settled(config, look_ahead=4).before == 48
    assert Effort().settled(config, look_ahead=4, at_most=10).warm_up == 10
    assert Effort(warm_up=3).settled(config).warm_up == 3
    assert Effort().settled(NetworkConfig.from_preset("paper-resnet50")).warm_up == 2


@pytest.mark.parametrize("words", [{"frames": 0}, {"warm_up": 0}, {"limit": 0.0}])
def test_an_effort_of_nothing_is_refused(words):
    with pytest.raises(InputError):
        Effort(**words)
