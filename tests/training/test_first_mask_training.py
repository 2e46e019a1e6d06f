"""Training of the network for first masks, and how its masks are measured."""

import json

import numpy as np
import pytest
import torch

from ddeal_core.datasets.layouts import DavisLayout
from ddeal_core.evaluation.first_masks import FirstMaskScore, MaskTask, try_out
from ddeal_core.interaction.simulated_user import next_click
from ddeal_core.interaction.weights import load_first_mask
from ddeal_core.training import FirstMaskRecipe, FirstMaskTrainer, TrainingData, join_world

TINY = FirstMaskRecipe(size=64, crops=2, rounds=2, steps=2, checkpoint_every=1)


def test_a_run_that_was_stopped_goes_on_to_the_same_weights(root, tmp_path):
    data = TrainingData(sequences=DavisLayout(root).sequences())

    def trainer(name, **options):
        world = join_world(torch.device("cpu"))
        return FirstMaskTrainer(TINY, data, tmp_path / name, world=world, workers=0, **options)

    whole = trainer("whole")
    before = {k: v.clone() for k, v in whole.network.state_dict().items()}
    rows = list(whole.run())
    assert [row.step for row in rows] == [0, 1]
    run = trainer("stopped").run()
    next(run)
    run.close()
    list(trainer("stopped", resume=True).run())
    first, second = (tmp_path / name / "weights.safetensors" for name in ("whole", "stopped"))
    assert first.read_bytes() == second.read_bytes()
    learned = load_first_mask(first).state_dict()
    changed = {k for k in before if not torch.equal(before[k].half(), learned[k].half())}
    learning = tuple(f"backbone.stage{i}." for i in (2, 3, 4, 5))  # the last four
    its = {name for name in changed if name.startswith("backbone.")}
    assert changed - its
    assert its
    assert all(name.startswith(learning) for name in its)
    assert not any("running" in name for name in its)  # batch norms keep what ImageNet taught


def test_the_simulated_user_clicks_into_the_middle_of_the_largest_error():
    truth = np.zeros((40, 60), bool)
    truth[10:31, 10:31] = True
    assert next_click(np.zeros_like(truth), truth) == ((20, 20), 1)
    found = truth.copy()
    found[0:9, 40:49] = True
    found[12:15, 12:15] = False
    assert next_click(found, truth) == ((44, 4), 2)
    assert next_click(truth, truth) is None


def test_clicks_are_counted_until_the_mask_is_good():
    truth = np.zeros((40, 60), bool)
    truth[10:30, 10:30] = True
    task = MaskTask("square", np.zeros((40, 60, 3), np.uint8), truth, np.ones_like(truth))

    def learns(image):
        def answer(hints):
            found = truth.copy()
            if len(hints.inside) + len(hints.outside) < 3:
                found[20:] = False
            return found

        return answer

    trial = try_out(learns, task)
    assert trial.clicks == pytest.approx((0.5, 0.5, 1.0))
    assert trial.box == pytest.approx((0.5, 0.5, 0.5, 1.0))
    score = FirstMaskScore((trial, try_out(lambda image: lambda hints: ~truth, task)))
    assert score.number_of_clicks(0.85) == (3 + 20) / 2
    assert json.loads(json.dumps(score.to_dict()))["noc85"] == 11.5
