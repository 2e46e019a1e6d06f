"""The configuration: presets, checks, and the way into a checkpoint and back."""

import json
from dataclasses import replace

import pytest

from ddeal_core.errors import ConfigError
from ddeal_core.network import DEFAULT_PRESET, PRESETS, Ablation, NetworkConfig, TrackerConfig


def test_presets_by_name():
    assert set(PRESETS) == {
        "paper-resnet50",
        "paper-resnet101",
        "released-resnet50",
        "released-resnet101",
        "compact",
    }
    assert DEFAULT_PRESET == "compact"
    for name, config in PRESETS.items():
        assert NetworkConfig.from_preset(name) is config
        assert config.preset == name
    with pytest.raises(ConfigError, match="paper-resnet50"):
        NetworkConfig.from_preset("papier")


@pytest.mark.parametrize("depth", ["resnet50", "resnet101"])
def test_paper_and_released_differ_where_the_readme_says(depth):
    paper, released = PRESETS[f"paper-{depth}"], PRESETS[f"released-{depth}"]
    assert paper.backbone == released.backbone == depth
    choices = {
        "concentrations": ("shared", "per-class"),
        "mask_resize": ("nearest", "average"),
        "supplementary_features": ("unit", "raw"),
        "residual_posterior": ("updated", "fresh"),
        "recurrence": ("coarse", "fine"),
    }
    for field, (text, code) in choices.items():
        assert getattr(paper, field) == text
        assert getattr(released, field) == code
    for config in (paper, released):
        assert config.directional_channels == 512
        assert config.concentration == 30
        assert config.update_rate == 0.1
        assert config.dense_channels == 0
        assert config.ablation == Ablation()


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("line", [1, 4])
def test_round_trip_through_json(name, line):
    config = replace(PRESETS[name], ablation=Ablation.table_v(line))
    assert NetworkConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


def test_lines_of_table_v():
    marks = {1: (1, 1, 1), 2: (1, 0, 0), 3: (0, 1, 1), 4: (1, 1, 0), 5: (0, 1, 0)}
    for line, (matching, base, supplementary) in marks.items():
        assert Ablation.table_v(line) == Ablation(bool(matching), bool(base), bool(supplementary))
    for line in (0, 6):
        with pytest.raises(ConfigError, match="1 to 5"):
            Ablation.table_v(line)
    with pytest.raises(ConfigError, match="supplementary"):
        Ablation(base=False)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("backbone", "resnet34"),
        ("backbone_width", 0),
        ("backbone_width", 10**9),
        ("backbone_width", 2.0),
        ("backbone_width", True),
        ("directional_channels", "512"),
        ("propagation_channels", -1),
        ("dense_channels", 5000),
        ("fusion_channels", (512,)),
        ("fusion_channels", (512, 0)),
        ("update_rate", 1.5),
        ("update_rate", float("nan")),
        ("concentration", 0.0),
        ("concentration", float("inf")),
        ("concentrations", "both"),
        ("recurrence", "merged"),
        ("short_side", 15),
        ("reach", 3),
    ],
)
def test_bad_values_are_named(field, value):
    with pytest.raises(ConfigError, match=field):
        NetworkConfig.from_dict({**PRESETS["compact"].to_dict(), field: value})


@pytest.mark.parametrize(
    "values",
    [
        [],
        7,
        {},
        {"preset": "compact"},
        {**PRESETS["compact"].to_dict(), "colour": "red"},
        {**PRESETS["compact"].to_dict(), "ablation": {"colour": True}},
        {**PRESETS["compact"].to_dict(), "ablation": None},
        {**PRESETS["compact"].to_dict(), "fusion_channels": 5},
        {**PRESETS["compact"].to_dict(), "update_rate": "fast"},
        {**PRESETS["compact"].to_dict(), "backbone": ["resnet18"]},
    ],
    ids=str,
)
def test_settings_that_do_not_fit(values):
    with pytest.raises(ConfigError):
        NetworkConfig.from_dict(values)


def test_dense_matching_needs_a_last_frame_for_every_object():
    with pytest.raises(ConfigError, match="keep_given_mask"):
        replace(PRESETS["compact"], tracker=TrackerConfig(keep_given_mask=False))


def test_a_checkpoints_text_is_flat():
    values = PRESETS["compact"].to_dict()
    assert (values["short_side"], values["keep_given_mask"], values["reach"]) == (384, True, 0.1)
    assert "tracker" not in values
    del values["reach"]  # as before there was one
    assert NetworkConfig.from_dict(values).tracker == TrackerConfig(short_side=384)
