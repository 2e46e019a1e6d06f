"""Configurations that people write: whatever they hold, it is taken or refused in one line."""

import dataclasses
import json
from dataclasses import dataclass
from typing import Annotated, Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ddeal_core.datasets.degradation import DegradationConfig
from ddeal_core.datasets.packing import PackConfig
from ddeal_core.datasets.real import RealConfig
from ddeal_core.datasets.synthetic_config import SyntheticConfig
from ddeal_core.errors import ConfigError
from ddeal_core.network import PRESETS, NetworkConfig, TrackerConfig
from ddeal_core.settings import ASCENDING, Range, check_settings, read_settings
from ddeal_core.training import RECIPES, LossWeights, Recipe, Stage

KINDS = {
    "network": (NetworkConfig, PRESETS["compact"]),
    "tracker": (TrackerConfig, PRESETS["compact"].tracker),
    "recipe": (Recipe, RECIPES["compact"]),
    "stage": (Stage, RECIPES["compact"].stages[0]),
    "losses": (LossWeights, LossWeights()),
    "synthetic": (SyntheticConfig, SyntheticConfig()),
    "degradation": (DegradationConfig, DegradationConfig()),
    "real": (RealConfig, RealConfig()),
    "packing": (PackConfig, PackConfig()),
}

# A few letters of every kind: hypothesis first makes a table of all of Unicode to draw from it.
TEXT = st.text("a_0 é\n\0\x1b\u202e\ud800😀", max_size=8)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-3, 3)
    | st.sampled_from([2**31, 2**63, 10**400, -(10**400)])
    | st.floats()
    | TEXT
    | st.sampled_from(["resnet18", "raw", "adam", "auto", "\ud800", "\0"])
)
ANYTHING = (
    SCALARS
    | st.lists(SCALARS, max_size=3)
    | st.dictionaries(TEXT, SCALARS, max_size=2)
    | st.builds(lambda: [[[[[[[[1]]]]]]]])  # a new one each time: `damaged` changes what it draws
)


def plain(record):
    return json.loads(json.dumps(dataclasses.asdict(record)))


@st.composite
def damaged(draw, values):
    """The settings with one to three places changed, added or taken out."""
    values = json.loads(json.dumps(values))
    for _ in range(draw(st.integers(1, 3))):
        place = values
        while True:
            keys = list(place) if isinstance(place, dict) else list(range(len(place)))
            if not keys or draw(st.integers(0, 9)) == 0:
                if isinstance(place, dict):
                    place[draw(TEXT)] = draw(ANYTHING)
                else:
                    place.append(draw(ANYTHING))
                break
            key = draw(st.sampled_from(keys))
            if isinstance(place[key], dict | list) and draw(st.integers(0, 4)):
                place = place[key]
                continue
            if draw(st.integers(0, 5)) == 0:
                del place[key]
            else:
                place[key] = draw(ANYTHING)
            break
    return values


@pytest.mark.parametrize("name", KINDS)
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_json_is_taken_or_refused_in_one_line(name, data):
    kind, good = KINDS[name]
    values = data.draw(damaged(plain(good)) | ANYTHING)
    try:
        made = read_settings(kind, values)
    except ConfigError as error:
        said = str(error)
    else:
        said = ""
        assert read_settings(kind, plain(made)) == made
    assert "\n" not in said
    assert len(said) < 400


@pytest.mark.parametrize("name", KINDS)
def test_what_was_written_is_read_back(name):
    kind, good = KINDS[name]
    assert read_settings(kind, plain(good)) == good
    assert read_settings(kind, dataclasses.asdict(good)) == good  # a checkpoint keeps tuples


@pytest.mark.parametrize("name", KINDS)
def test_every_number_has_a_range(name):
    """NaN, infinity and what no machine could hold are refused for each number by its name."""
    kind, good = KINDS[name]
    for field in dataclasses.fields(kind):
        value = getattr(good, field.name)
        if isinstance(value, int | float) and not isinstance(value, bool):
            for odd in (float("nan"), float("inf"), -float("inf"), 10**30, -(10**30), "1", True):
                with pytest.raises(ConfigError, match=field.name):
                    dataclasses.replace(good, **{field.name: odd})


@dataclass(frozen=True)
class Inner:
    share: Annotated[float, Range(0, 1, above=True)] = 0.5

    def __post_init__(self):
        check_settings(self)


@dataclass(frozen=True)
class Outer:
    count: Annotated[int, Range(1, 9)]
    mode: Literal["a", "b"] = "a"
    span: Annotated[tuple[float, float], ASCENDING] = (0.0, 1.0)
    side: Annotated[int, Range(16, 64)] | None = None
    parts: tuple[Inner, ...] = ()
    loud: bool = False

    def __post_init__(self):
        check_settings(self)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([], "named values"),
        ({}, "count is missing"),
        ({"count": 0}, r"count is a whole number in \[1, 9\], not 0"),
        ({"count": 1.0}, "count is a whole number"),
        ({"count": 1, "size": 2}, "unknown settings: 'size'"),
        ({"count": 1, "mode": "c"}, "mode is one of a, b, not 'c'"),
        ({"count": 1, "mode": ["a"]}, "mode is one of"),
        ({"count": 1, "span": [2, 1]}, "span is written from low to high"),
        ({"count": 1, "span": [1]}, "span has 2 values"),
        ({"count": 1, "span": 3}, "span is a list"),
        ({"count": 1, "side": 8}, r"side is a whole number in \[16, 64\]"),
        ({"count": 1, "parts": [{}, {"share": 0}]}, r"parts 2: share is a number in \(0, 1\]"),
        ({"count": 1, "parts": ["x"]}, "parts 1: settings are named values"),
        ({"count": 1, "loud": 1}, "loud is true or false"),
    ],
    ids=str,
)
def test_messages_name_the_place_and_what_fits(values, message):
    with pytest.raises(ConfigError, match=message):
        read_settings(Outer, values)


def test_lists_objects_and_whole_numbers_become_what_the_fields_are():
    made = read_settings(Outer, {"count": 2, "span": [0, 2], "parts": [{"share": 1}]})
    assert made == Outer(2, span=(0.0, 2.0), parts=(Inner(1.0),))
    assert isinstance(made.span[1], float)
    assert read_settings(Outer, {"count": 2, "side": None}).side is None
