"""``ddeal train --recipe first-mask`` and ``ddeal eval-first-mask``."""

import numpy as np
import pytest
from PIL import Image

from ddeal_core.media import write_mask


@pytest.fixture
def davis(tiny_clip, tmp_path):
    root = tmp_path / "davis"
    images, masks = (root / kind / "480p" / "square" for kind in ("JPEGImages", "Annotations"))
    images.mkdir(parents=True)
    masks.mkdir(parents=True)
    for i in range(2):
        Image.fromarray(tiny_clip.frames[i]).save(images / f"{i:05d}.jpg", quality=95)
        write_mask(masks / f"{i:05d}.png", tiny_clip.masks[i])
    return root


def test_what_is_trained_is_measured_beside_grabcut(ddeal, davis, monkeypatch):
    monkeypatch.setattr("ddeal_core.evaluation.first_masks.MOST_CLICKS", 4)
    words = ["train", davis, "-o", "run", "--recipe", "first-mask", "--workers", "0"]
    few = ["--steps", "1", "--size", "64x64", "--clips", "2", "--from-scratch"]
    run = ddeal(*words, *few, "--json")
    assert run.status == 0, run.err
    assert (run.json["steps"], run.json["weights"]) == (1, "run/weights.safetensors")
    assert "exists" not in run.err
    again = ddeal("train", "-o", "run", "--resume", "--steps", "1")
    assert again.status == 0, again.err
    assert "had reached its end" in again.err
    run = ddeal(
        "eval-first-mask", davis, "--weights", "run/weights.safetensors", "--each", "--json"
    )
    assert run.status == 0, run.err
    (by,) = run.json.values()
    assert set(by) == {"network", "grabcut"}
    assert by["grabcut"]["objects"] == 1
    assert by["grabcut"]["box"][0] > 0.8
    assert np.isfinite(by["network"]["box"]).all()
    assert "NoC 85" in run.err
    assert "square" in run.err  # the object's own rows, beside those of the set


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--frames", "4"], "has no frames"),
        (["--size", "64x96"], "square"),
        (["--size", "80x80"], "multiple of 32"),
        (["--moving", "."], "--stills"),
    ],
)
def test_what_the_recipe_does_not_have_is_refused(ddeal, davis, words, says):
    run = ddeal("train", davis, "-o", "run", "--recipe", "first-mask", *words)
    assert run.status == 2
    assert says in run.complaint


def test_nothing_to_measure_on_is_one_line(ddeal):
    run = ddeal("eval-first-mask")
    assert run.status == 2
    assert "--stills" in run.complaint
