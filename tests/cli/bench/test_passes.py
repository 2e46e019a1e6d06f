"""What a pass times: no measured frame may be worked on before the clock starts."""

import time

import numpy as np
import pytest

from ddeal_cli.bench.case import Effort
from ddeal_cli.bench.clip import BenchClip
from ddeal_cli.bench.passes import time_command, time_model
from ddeal_core.tracking.segmenter import Segmenter
from ddeal_core.tracking.tracker import Tracker

PAUSE = 0.02


@pytest.mark.parametrize("look_ahead", [1, 4])
@pytest.mark.parametrize("timed", [time_model, time_command])
def test_every_measured_frame_is_worked_on_while_the_clock_runs(
    make_preset, monkeypatch, timed, look_ahead
):
    """Each frame takes a pause at least, so the mean of those that are timed is no less."""
    plain = Tracker._encode

    def slow(self, images):
        time.sleep(PAUSE * len(images))
        return plain(self, images)

    monkeypatch.setattr(Tracker, "_encode", slow)
    network = make_preset("paper-resnet50")
    segmenter = Segmenter(network, look_ahead=look_ahead)
    images = np.random.default_rng(0).integers(0, 256, (4, 64, 64, 3), dtype=np.uint8)
    mask = np.zeros((64, 64), np.uint8)
    mask[16:40, 16:40] = 1
    effort = Effort(frames=6).settled(network.config, look_ahead=look_ahead)
    clip = BenchClip("noise", images, mask)
    more = {"frames": 6} if timed is time_command else {}
    times = timed(segmenter, clip, effort, lambda *_: None, **more)
    assert times["frame_seconds"]["count"] == 6
    assert times["frame_seconds"]["mean"] >= PAUSE
