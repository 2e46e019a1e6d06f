"""The training loop: exact resumption, what it writes, what it leaves alone."""

import math
from dataclasses import replace

import pytest
import torch
from tiny_run import TINY, make_data, make_recipe

from ddeal_core.errors import InputError, OutputError, WeightsError
from ddeal_core.network import PRESETS, Ddeal
from ddeal_core.network.resnet import ResNet
from ddeal_core.training import Recipe, Stage, Trainer, TrainingData, World
from ddeal_core.training.checkpoint import load_run
from ddeal_core.weights import load_checkpoint, load_network, save_checkpoint


def run(trainer, count=None):
    """Train ``count`` steps, or to the end; the rows."""
    rows = []
    for row in trainer.run():
        rows.append(row)
        if len(rows) == count:
            break
    return rows


def test_rows(straight, read_rows):
    folder, rows, _ = straight
    recipe = make_recipe()
    assert [row.step for row in rows] == list(range(8))
    assert [row.stage for row in rows] == ["small"] * 4 + ["large"] * 4
    expected = [recipe.stages[i].rate(step) for i, step in map(recipe.locate, range(8))]
    assert [row.learning_rate for row in rows] == expected
    assert [row.validated for row in rows] == [False] * 4 + [True, False, False, True]
    assert all(math.isfinite(row.loss) and row.loss > 0 for row in rows)
    assert all(0 <= row.data_share <= 1 for row in rows)
    assert [row.seconds for row in rows] == sorted(row.seconds for row in rows)
    assert [float(row["loss"]) for row in read_rows(folder)] == [row.loss for row in rows]


def test_files(straight):
    folder, rows, state = straight
    assert sorted(p.name for p in folder.iterdir()) == [
        "best.safetensors",
        "checkpoint.pt",
        "log.csv",
        "log.png",
        "weights.safetensors",
    ]
    checkpoint = load_checkpoint(folder / "weights.safetensors")
    assert checkpoint.config == TINY
    assert checkpoint.provenance["steps"] == 8
    assert checkpoint.provenance["recipe"]["name"] == "tiny"
    assert checkpoint.provenance["held_out_j"] == rows[-1].held_out_j
    assert not load_network(folder / "best.safetensors").training
    # The averaged weights are shipped, not the last ones.
    name = "fusion.conv1.weight"
    assert not torch.allclose(checkpoint.state[name], state[name], atol=1e-4)
    average = torch.load(folder / "checkpoint.pt", weights_only=True)["average"]
    assert torch.equal(checkpoint.state[name], average[name].half().float())


def test_resuming_is_exact(straight, tmp_path, make_trainer, read_rows):
    """Left in mid-stage, past a checkpoint; between stages, see `test_killed_and_resumed`."""
    folder, _rows, state = straight
    before = run(make_trainer(tmp_path / "run"), 3)
    torch.manual_seed(99)  # nothing may hang on the global random state
    trainer = make_trainer(tmp_path / "run", resume=True)
    assert trainer.step == 2  # a checkpoint every other step
    torch.rand(3)
    rest = run(trainer)
    assert [row.step for row in rest] == list(range(2, trainer.recipe.steps))
    assert rest[0].seconds > before[1].seconds
    assert read_rows(tmp_path / "run") == read_rows(folder)
    for name, tensor in trainer.network.state_dict().items():
        assert torch.equal(tensor, state[name]), name
    for name in ("weights.safetensors", "best.safetensors"):
        theirs, ours = load_checkpoint(folder / name), load_checkpoint(tmp_path / "run" / name)
        assert theirs.provenance == ours.provenance
        assert all(torch.equal(ours.state[k], v) for k, v in theirs.state.items())


def test_a_run_ended_before_its_first_checkpoint_keeps_its_recipe(tmp_path, make_trainer):
    run(make_trainer(tmp_path / "run"), 1)
    state = load_run(tmp_path / "run" / "checkpoint.pt")
    assert state["step"] == 0
    assert Recipe.from_dict(state["recipe"]) == make_recipe()


def test_a_finished_run_stays_finished_and_is_not_overwritten_unasked(straight, make_trainer):
    folder, *_ = straight
    before = (folder / "log.csv").read_bytes()
    assert run(make_trainer(folder, resume=True)) == []
    assert (folder / "log.csv").read_bytes() == before
    with pytest.raises(InputError, match="holds a run"):
        make_trainer(folder)


def test_another_seed_is_another_run(straight, tmp_path, make_trainer):
    rows = run(make_trainer(tmp_path / "run", recipe=make_recipe(seed=4)), 1)
    assert rows[0].loss != straight[1][0].loss


def test_passes_add_up_to_a_step(tmp_path, make_trainer, monkeypatch):
    """In two passes or in one, a step has the same gradient but for batch norm's statistics."""
    monkeypatch.setitem(PRESETS, "tiny", replace(TINY, memory_frames=0))
    stage = replace(make_recipe().stages[0], corruption=0.0, truth=0.0)
    losses, gradients = [], []
    for count in (1, 2):
        stages = (replace(stage, clips_per_pass=count),)
        recipe = make_recipe(stages=stages, validate_every=99, clip_gradient=0.0)
        trainer = make_trainer(tmp_path / str(count), recipe=recipe)
        network = trainer.network.eval()
        network.train = lambda mode=True, network=network: network  # stay in evaluation mode
        losses.append([row.loss for row in run(trainer, 1)])
        gradients.append({name: p.grad.clone() for name, p in network.named_parameters()})
    assert losses[0] == pytest.approx(losses[1], abs=1e-5)
    for name, gradient in gradients[0].items():
        scale = float(gradient.abs().max())
        assert scale > 0, name
        torch.testing.assert_close(gradients[1][name], gradient, atol=1e-3 * scale, rtol=1e-3)


def test_every_pass_of_every_step_has_its_own_chance(tmp_path, make_trainer):
    seeds = []
    trainer = make_trainer(tmp_path / "run")
    trainer._module.register_forward_pre_hook(lambda _, args: seeds.append(args[2].initial_seed()))
    run(trainer, 3)
    assert len(seeds) == len(set(seeds)) == 6


def test_the_papers_optimiser_decays_everything_and_trains_all_of_the_backbone(
    tmp_path, make_trainer
):
    adam = make_trainer(tmp_path / "a", recipe=make_recipe(optimiser="adam"))
    adamw = make_trainer(tmp_path / "b")
    assert type(adam._optimiser) is torch.optim.Adam
    assert type(adamw._optimiser) is torch.optim.AdamW
    for trainer, decays in ((adam, {0.01}), (adamw, {0.01, 0.0})):
        groups = trainer._optimiser.param_groups
        assert sum(len(g["params"]) for g in groups) == len(list(trainer.network.parameters()))
        before = {k: v.clone() for k, v in trainer.network.backbone.state_dict().items()}
        run(trainer, 2)
        after = trainer.network.backbone.state_dict()
        assert not any(torch.equal(after[name], tensor) for name, tensor in before.items())
        assert {g["weight_decay"] for g in groups} == decays


def make_imagenet():
    torch.manual_seed(5)
    backbone = ResNet("resnet18", width=TINY.backbone_width)
    for module in backbone.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
    return backbone.state_dict() | {
        "fc.weight": torch.zeros(1000, 32),
        "fc.bias": torch.zeros(1000),
    }


def test_imagenet_weights_freeze_all_but_the_last_stage_even_where_a_run_goes_on_without_them(
    tmp_path, make_trainer
):
    state, (small, large) = make_imagenet(), make_recipe().stages
    options = {"imagenet": state, "recipe": make_recipe(stages=(replace(small, epochs=1), large))}
    whole = [r.loss for r in run(make_trainer(tmp_path / "whole", **options), 3)]
    first = [r.loss for r in run(make_trainer(tmp_path / "cut", **options), 2)]
    # The file is not named again, and the next stage begins.
    trainer = make_trainer(tmp_path / "cut", recipe=options["recipe"], resume=True)
    assert trainer.step == 2
    assert first + [r.loss for r in run(trainer, 1)] == whole
    changed = {
        name
        for name, tensor in trainer.network.backbone.state_dict().items()
        if not torch.equal(tensor, state[name])
    }
    assert all(name.startswith("layer4.") for name in changed)
    assert {"layer4.0.conv1.weight", "layer4.1.bn2.weight"} <= changed
    assert not any("running" in name for name in changed)


def test_initial_weights(straight, tmp_path, make_trainer):
    path = straight[0] / "weights.safetensors"
    trainer = make_trainer(tmp_path / "run", initial=path)
    for name, tensor in load_checkpoint(path).state.items():
        assert torch.equal(trainer.network.state_dict()[name], tensor)


def test_weights_that_do_not_fit(straight, tmp_path, monkeypatch, make_trainer):
    folder, *_ = straight
    monkeypatch.setitem(PRESETS, "tiny", replace(TINY, fusion_channels=(8, 8)))
    with pytest.raises(WeightsError, match=r"weights\.safetensors .*fusion_channels"):
        make_trainer(tmp_path / "a", initial=folder / "weights.safetensors")
    with pytest.raises(InputError, match="another network"):
        make_trainer(folder, resume=True)
    monkeypatch.setitem(PRESETS, "tiny", TINY)
    stored = load_checkpoint(folder / "weights.safetensors")
    short = {name: x for name, x in stored.state.items() if name != "fusion.conv1.bias"}
    save_checkpoint(replace(stored, state=short), tmp_path / "short.safetensors")
    with pytest.raises(WeightsError, match=r"fusion\.conv1\.bias"):
        make_trainer(tmp_path / "a", initial=tmp_path / "short.safetensors")
    state = make_imagenet()
    del state["layer1.0.conv1.weight"]
    with pytest.raises(WeightsError, match="ImageNet"):
        make_trainer(tmp_path / "b", imagenet=state)
    assert not (tmp_path / "a").exists()
    assert not (tmp_path / "b").exists()


def test_a_damaged_checkpoint_is_named(tmp_path, make_trainer):
    (tmp_path / "checkpoint.pt").write_bytes(b"rubbish")
    with pytest.raises(WeightsError, match=r"checkpoint\.pt"):
        make_trainer(tmp_path, resume=True)
    torch.save([1, 2], tmp_path / "checkpoint.pt")
    with pytest.raises(WeightsError, match=r"checkpoint\.pt is no training checkpoint.*else"):
        make_trainer(tmp_path, resume=True)


def test_runs_that_cannot_begin(tmp_path, make_trainer):
    (tmp_path / "run").write_text("mine")
    with pytest.raises(OutputError, match="run"):
        make_trainer(tmp_path / "run")
    with pytest.raises(InputError, match="nothing to train on"):
        TrainingData()
    with pytest.raises(InputError, match="3 processes"):
        make_trainer(tmp_path, world=World(0, 3, torch.device("cpu")))


def test_a_loss_that_is_not_finite_stops_the_run(tmp_path, make_trainer):
    trainer = make_trainer(tmp_path / "run")
    run(trainer, 2)
    with torch.no_grad():
        trainer.network.fusion.conv1.bias.fill_(float("nan"))
    with pytest.raises(InputError, match="not finite at step 2"):
        run(trainer)
    # The last good checkpoint is still there.
    assert make_trainer(tmp_path / "run", resume=True).step == 2


def test_two_sequences_are_learnt(root, tmp_path):
    """The loop as a whole: the loss falls and the held-out J is that of the averaged weights."""
    stage = Stage(
        name="s",
        size=(32, 48),
        frames=3,
        clips=2,
        clips_per_pass=2,
        epochs=1,
        clips_per_epoch=48,
        learning_rate=1e-2,
        warmup_steps=5,
        cooldown=0.5,
    )
    recipe = make_recipe(stages=(stage,), ema=0.8, validate_every=24, checkpoint_every=24)
    data = make_data(root, synthetic=False)
    world = World(0, 1, torch.device("cpu"))
    rows = run(Trainer(recipe, data, tmp_path / "run", world=world, workers=0))
    first, last = (sum(r.loss for r in part) / 5 for part in (rows[:5], rows[-5:]))
    assert last < 0.6 * first
    assert rows[-1].validated
    assert isinstance(load_network(tmp_path / "run" / "best.safetensors"), Ddeal)
