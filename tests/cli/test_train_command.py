import json

import pytest

from ddeal_core.training import RECIPES, Recipe
from ddeal_core.weights import load_checkpoint

SMALL = ["--size", "64x48", "--frames", 3, "--clips", 1, "--workers", 0, "--device", "cpu"]
SMALL += ["--precision", "float32"]


@pytest.fixture
def clips(ddeal, tmp_path):
    """Two small procedural sequences."""
    run = ddeal(
        "make-synthetic", tmp_path / "clips", "--clips", 2, "--frames", 4, "--size", "64x48"
    )
    assert run.status == 0, run.err
    return tmp_path / "clips"


def test_a_run_from_its_beginning_to_another_that_begins_with_its_weights(ddeal, clips, tmp_path):
    words = [
        "train", clips, *SMALL, "--steps", 1, "-o", "run", "--held-out", f"{clips}:train",
        "--synthetic", "--option", "max_objects=1", "--validation-frames", 3,
    ]  # fmt: skip
    run = ddeal(*words, "--resume", "--json")
    assert run.status == 0, run.err
    assert "run holds no checkpoint" in run.err
    assert "step 1: held-out J" in run.err
    assert run.json["steps"] == 1
    assert 0 <= run.json["held_out_J"] <= 1
    for name in ("weights", "best", "log", "curves"):
        assert (tmp_path / run.json[name]).is_file()
        assert run.json[name] in run.err
    weights = tmp_path / "run" / "weights.safetensors"
    provenance = load_checkpoint(weights).provenance
    assert provenance["data"] == [
        "2 sequences of clips", "synthetic clips of made-up shapes", "held out: clips:train"
    ]  # fmt: skip
    assert str(tmp_path) not in json.dumps(provenance)  # data are named without their paths

    def chosen():
        return json.loads((tmp_path / "run" / "data.json").read_text())

    assert chosen()["datasets"] == [[str(clips), None]]
    assert chosen()["options"] == ["max_objects=1"]
    refused = ddeal(*words)  # not overwritten
    assert refused.status == 2
    assert "run" in refused.complaint
    # Recipe and data are the run's own: no need to name them again.
    again = ["train", "-o", "run", "--resume", "--workers", 0, "--device", "cpu"]
    assert "reached its end" in ddeal(*again).err
    assert chosen()["validation_frames"] == 3
    run = ddeal(*again, "--steps", 2, "--validation-frames", 4)
    assert run.status == 0, run.err
    assert "step 2: held-out J" in run.err
    assert chosen()["validation_frames"] == 4
    assert chosen()["datasets"], "naming the frames is not naming other data"

    tube = tmp_path / "tube"
    for kind in ("JPEGImages", "Annotations"):
        (tube / kind).parent.mkdir(exist_ok=True)
        (clips / kind / "480p").rename(tube / kind)
    videos = {p.name: {"objects": {}} for p in (tube / "JPEGImages").iterdir()}
    (tube / "meta.json").write_text(json.dumps({"videos": videos}))
    run = ddeal("train", tube, *SMALL, "--steps", 1, "-o", "second", "--initial", weights)
    assert run.status == 0, run.err
    assert "2 sequences of tube" in run.err
    assert (tmp_path / "second/log.png").is_file()  # with nothing to validate on, too


class TestRecipes:
    """Shown as JSON that comes back the same."""

    def shown(self, ddeal, *words):
        run = ddeal("train", "--show-recipe", *words)
        assert run.status == 0, run.err
        return Recipe.from_dict(json.loads(run.out))

    @pytest.mark.parametrize("name", RECIPES)
    def test_packaged(self, ddeal, tmp_path, name):
        recipe = self.shown(ddeal, "--recipe", name)
        assert recipe == RECIPES[name]
        (tmp_path / "mine.json").write_text(json.dumps(recipe.to_dict()))
        assert self.shown(ddeal, "--recipe", "mine.json") == recipe

    def test_changes(self, ddeal):
        recipe = self.shown(
            ddeal, "--size", "96x64", "--frames", 5, "--clips", 7, "--epochs", 3,
            "--learning-rate", "0.5", "--seed", 9, "--validate-every", 7, "--checkpoint-every", 8,
        )  # fmt: skip
        assert (recipe.seed, recipe.validate_every, recipe.checkpoint_every) == (9, 7, 8)
        for stage in recipe.stages:
            assert stage.size == (64, 96)
            assert (stage.frames, stage.clips, stage.clips_per_pass, stage.epochs) == (5, 7, 7, 3)
            assert stage.learning_rate == 0.5

    @pytest.mark.parametrize("steps", [1, 7, 883 * 100 // 2, 100 * 882 + 1, 300001])
    def test_length(self, ddeal, steps):
        before, recipe = (
            RECIPES["paper-resnet50"],
            self.shown(ddeal, "--recipe", "paper-resnet50", "--steps", steps),
        )
        assert recipe.steps == steps
        assert recipe.stages[:-1] == before.stages[: len(recipe.stages) - 1]
        last, old = recipe.stages[-1], before.stages[len(recipe.stages) - 1]
        # The rate still falls by as much over as many steps.
        per_step = last.decay ** (1 / last.steps_per_epoch)
        assert per_step == pytest.approx(old.decay ** (1 / old.steps_per_epoch))


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["--recipe", "huge"], "huge"),
        (["--recipe", "no.json"], "no.json"),
        (["--recipe", "bad.json"], "bad.json"),
        (["--steps", "0"], "steps is a whole number"),
        (["--size", "64x50"], "multiples of 16"),
        (["--size", "240x432"], "432x240"),
        (["--learning-rate", "-1"], "learning_rate"),
        (["--no-synthetic"], "nothing to train on"),
        (["nowhere"], "nowhere"),
        (["--held-out", "nowhere"], "nowhere"),
        (["--initial", "no.safetensors"], "no.safetensors"),
        (["--imagenet", "no.pth"], "no.pth"),
        (["--imagenet", "bad.json"], "bad.json"),
        (["--stills", "nowhere"], "nowhere"),
    ],
)
def test_refusals_are_one_line(ddeal, tmp_path, words, part):
    (tmp_path / "bad.json").write_text("{]")
    run = ddeal("train", "-o", "run", "--quiet", *words)
    assert run.status == 2, run.err
    assert part in run.complaint
    assert not (tmp_path / "run" / "checkpoint.pt").exists()


def test_a_run_needs_a_folder(ddeal):
    run = ddeal("train")
    assert run.status == 2
    assert "-o" in run.complaint
