"""ONNX graphs, run by onnxruntime as docs/segment_with_onnxruntime.py does."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ddeal_core.export.onnx_files import OPSET, export_onnx
from ddeal_core.tracking import Tracker
from ddeal_core.tracking.motion_gate import apply_motion_gate
from ddeal_core.weights.files import Checkpoint

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

EXAMPLE = Path(__file__).parents[2] / "docs" / "segment_with_onnxruntime.py"


def exported(network, folder):
    checkpoint = Checkpoint(network.config, network.state_dict(), {"data": "none"})
    return export_onnx(checkpoint, folder / "tiny.onnx")


def example():
    spec = importlib.util.spec_from_file_location("segment_with_onnxruntime", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("preset", ["compact", "paper-resnet50"])
def test_labels_are_those_of_torch(tmp_path, make_preset, tiny_clip, preset):
    network = make_preset(preset, reach=0.0)  # a random network's specks hang by single pixels
    files = exported(network, tmp_path)
    assert len(files) == (5 if preset == "compact" else 4)
    module = example()
    model = module.Model(str(tmp_path / "tiny"))
    for height, width, count in ((96, 128, 1), (90, 115, 2)):  # the second one is padded
        frames = [image[:height, :width] for image in tiny_clip.frames[:7]]
        labels = tiny_clip.masks[0][:height, :width].copy()
        if count == 2:
            labels[labels.shape[0] // 2 :, :20] = 38
        tracker = Tracker(network)
        tracker.step(frames[0], labels)
        runner = module.Tracker(model, frames[0], labels)
        for frame in frames[1:]:
            result = tracker.step(frame)
            merged = runner.step(frame)
            # rounding makes 1e-5 of it; where two are nearly equal either may win
            assert np.abs(merged - result.probabilities).max() < 2e-3
            ordered = np.sort(result.probabilities, axis=0)
            sure = ordered[-1] - ordered[-2] > 4e-3
            found = runner.labels(merged, frame.shape[:2])
            assert np.array_equal(found[sure], result.labels[sure])
    assert bool(runner.memory) == (preset == "compact")


def test_the_example_takes_the_same_jumps_away(tmp_path, make_preset):
    module = example()
    exported(make_preset("compact", reach=0.2), tmp_path)
    masks = np.zeros((96, 128), np.uint8)
    masks[20:60, 20:50], masks[70:90, 100:120] = 3, 38
    tracker = module.Tracker(
        module.Model(str(tmp_path / "tiny")), np.zeros((96, 128, 3), np.uint8), masks
    )
    merged = np.full((3, 96, 128), 0.1, np.float32)
    merged[0] = 0.8
    for k, (top, left, side) in enumerate([(24, 24, 30), (30, 100, 12), (66, 98, 16), (4, 4, 9)]):
        merged[:, top : top + side, left : left + side] = 0.1
        merged[1 + k // 2, top : top + side, left : left + side] = 0.8
    shares = torch.from_numpy(np.exp(tracker.state["last_log_masks"][:, :, 1]))
    shares = shares.view(1, 2, 12, 16)
    expected = apply_motion_gate(torch.from_numpy(merged)[None], shares, 0.2)[0].numpy()
    assert not np.array_equal(expected, merged)
    assert np.allclose(tracker._without_jumps(merged.copy()), expected, atol=1e-6)


def test_the_example_needs_no_torch_and_the_files_say_what_they_are(
    tmp_path, make_preset, tiny_clip
):
    network = make_preset("compact")
    for file in exported(network, tmp_path):
        model = onnx.load(file)
        assert [entry.version for entry in model.opset_import if not entry.domain] == [OPSET]
        known = {prop.key: prop.value for prop in model.metadata_props}
        assert json.loads(known["config"]) == json.loads(json.dumps(network.config.to_dict()))
        assert known["license"] == "MIT"
    assert len(EXAMPLE.read_text().splitlines()) <= 150
    code = (
        "import runpy, sys; sys.modules['torch'] = sys.modules['ddeal_core'] = None; "
        f"sys.argv[1:] = {[str(tmp_path / 'tiny'), str(tiny_clip.video)]!r} + "
        f"{[str(tiny_clip.first_mask), str(tmp_path / 'masks')]!r}; "
        f"runpy.run_path({str(EXAMPLE)!r}, run_name='__main__')"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    masks = sorted((tmp_path / "masks").iterdir())
    assert len(masks) == 8
    assert np.array_equal(np.asarray(Image.open(masks[0])), tiny_clip.masks[0])
