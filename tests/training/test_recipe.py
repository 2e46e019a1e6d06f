"""Recipes: the paper's settings, the schedules, the way into a checkpoint and back."""

import json
from dataclasses import replace

import pytest
from tiny_run import make_recipe

from ddeal_core.errors import ConfigError
from ddeal_core.network import PRESETS
from ddeal_core.training import RECIPES, LossWeights, Recipe, Stage
from ddeal_core.training.overrides import override


@pytest.mark.parametrize("name", ["paper-resnet50", "paper-resnet101"])
def test_the_papers_recipe(name):
    """Section IV-A, number by number."""
    recipe = RECIPES[name]
    assert recipe.preset == name
    assert recipe.optimiser == "adam"
    assert recipe.loss == LossWeights(fine=1.0, coarse=1.0, dice=0.0, cues=0.0)
    assert recipe.ema == 0
    assert recipe.clip_gradient == 0
    first, second = recipe.stages
    facts = ("size", "clips", "frames", "learning_rate", "weight_decay", "decay", "epochs")
    assert [getattr(first, f) for f in facts] == [(240, 432), 4, 8, 1e-4, 1e-5, 0.95, 100]
    assert [getattr(second, f) for f in facts] == [(480, 864), 2, 12, 1e-5, 1e-6, 0.985, 120]
    for stage in recipe.stages:
        assert stage.clips_per_pass == stage.clips
        assert stage.warmup_steps == stage.cooldown == stage.truth == stage.corruption == 0
        assert stage.objects == 1
        assert stage.clips_per_epoch == 60 + 3471


def test_every_recipe_trains_a_preset():
    assert "compact" in RECIPES
    for name, recipe in RECIPES.items():
        assert recipe.name == name
        assert recipe.preset in PRESETS


def make_stage(**changes):
    options = {
        "name": "s",
        "size": (32, 48),
        "frames": 2,
        "clips": 4,
        "clips_per_pass": 2,
        "epochs": 3,
        "clips_per_epoch": 40,
        "learning_rate": 1.0,
    }
    return Stage(**{**options, **changes})


def test_the_rate_decays_by_the_epoch():
    stage = make_stage(decay=0.5)
    assert stage.steps_per_epoch == 10
    assert stage.steps == 30
    rates = [stage.rate(step) for step in range(30)]
    assert rates == [1.0] * 10 + [0.5] * 10 + [0.25] * 10


def test_the_papers_rate_after_its_epochs():
    first, second = RECIPES["paper-resnet50"].stages
    assert first.rate(0) == 1e-4
    assert first.rate(first.steps_per_epoch) == pytest.approx(0.95e-4)
    assert first.rate(first.steps - 1) == pytest.approx(1e-4 * 0.95**99)
    assert second.rate(second.steps - 1) == pytest.approx(1e-5 * 0.985**119)


def test_the_rate_warms_up():
    stage = make_stage(warmup_steps=4)
    assert [stage.rate(step) for step in range(6)] == [0.25, 0.5, 0.75, 1.0, 1.0, 1.0]


def test_the_rate_cools_down():
    stage = make_stage(cooldown=0.2)  # over the last 6 of 30 steps
    rates = [stage.rate(step) for step in range(22, 30)]
    assert rates == pytest.approx([1, 1, 1, 5 / 6, 4 / 6, 3 / 6, 2 / 6, 1 / 6])


def test_truth_is_withdrawn_over_the_first_half():
    stage = make_stage(truth=0.8, corruption=0.3)
    assert stage.recurrence(0).truth == 0.8
    assert stage.recurrence(0).corruption == 0.3
    assert stage.recurrence(7).truth == pytest.approx(0.8 * (1 - 14 / 30))
    assert [stage.recurrence(step).truth for step in (15, 20, 29)] == [0, 0, 0]


def test_steps_find_their_stage():
    recipe = make_recipe()
    assert recipe.steps == 8
    assert [recipe.locate(step) for step in (0, 3, 4, 7)] == [(0, 0), (0, 3), (1, 0), (1, 3)]
    with pytest.raises(ConfigError, match="8"):
        recipe.locate(8)


@pytest.mark.parametrize("name", RECIPES)
def test_round_trip_through_json(name):
    recipe = RECIPES[name]
    assert Recipe.from_dict(json.loads(json.dumps(recipe.to_dict()))) == recipe


def test_settings_that_are_gone_are_passed_over_where_nothing_is_lost():
    recipe = make_recipe()
    values = json.loads(json.dumps(recipe.to_dict()))
    values["stages"][0] |= {"learns": [], "remembering": 0.5}
    assert Recipe.from_dict(values) == recipe
    values["stages"][0]["learns"] = ["fusion"]
    with pytest.raises(ConfigError, match="unknown settings: 'learns'"):
        Recipe.from_dict(values)


@pytest.mark.parametrize(
    "change",
    [
        {"colour": 1},
        {"loss": {"colour": 1}},
        {"stages": [{"name": "s"}]},
        {"stages": None},
        {"ema": 2},
    ],
    ids=str,
)
def test_recipes_that_do_not_fit(change):
    with pytest.raises(ConfigError):
        Recipe.from_dict({**make_recipe().to_dict(), **change})
    with pytest.raises(ConfigError):
        Recipe.from_dict({"name": "x"})


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("size", (240, 430), "430"),
        ("size", (16, 48), "16"),
        ("frames", 1, "1"),
        ("clips", 3, "3"),
        ("clips_per_pass", 3, "3"),
        ("epochs", 0, "epochs"),
        ("objects", 0, "objects"),
    ],
)
def test_stages_that_make_no_sense(field, value, message):
    with pytest.raises(ConfigError, match=message):
        make_stage(**{field: value})


def test_recipes_that_make_no_sense():
    with pytest.raises(ConfigError, match="stage"):
        replace(make_recipe(), stages=())
    with pytest.raises(ConfigError, match="ema"):
        replace(make_recipe(), ema=1.0)


@pytest.mark.parametrize("frames", [2, 3, 12])
def test_short_clips_shorten_the_burn_in(frames):
    changed = override(RECIPES["compact"], frames=frames)
    for stage, before in zip(changed.stages, RECIPES["compact"].stages, strict=True):
        assert stage.frames == frames
        assert stage.burn_in == min(before.burn_in, frames - 2)
