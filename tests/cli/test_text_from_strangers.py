"""Files of text that other people and other systems wrote, given to the commands that read them."""

import json

import numpy as np
import pytest

from ddeal_core.datasets import DavisLayout
from ddeal_core.media import write_mask
from ddeal_core.training import RECIPES


@pytest.fixture
def dataset(tmp_path):
    """A DAVIS folder with one sequence and an empty place for its list."""
    for place in ("JPEGImages", "Annotations"):
        folder = tmp_path / "davis" / place / "480p" / "café"
        folder.mkdir(parents=True)
        write_mask(folder / "00000.png", np.ones((8, 8), np.uint8))
    (tmp_path / "davis/ImageSets").mkdir()
    return tmp_path / "davis"


@pytest.mark.parametrize(
    "content",
    ["café\n".encode("latin-1"), "café\n".encode("utf-16"), b"bear\0\n"],
    ids=["latin-1", "utf-16", "nul"],
)
def test_a_list_in_another_encoding_is_refused_in_one_line(ddeal, dataset, content):
    (dataset / "ImageSets/val.txt").write_bytes(content)
    run = ddeal("eval", dataset, "--set", "val")
    assert run.status == 2
    assert "val.txt cannot be read" in run.complaint
    assert "save it as UTF-8" in run.complaint


def test_a_list_as_windows_saves_it_is_taken(dataset):
    (dataset / "ImageSets/val.txt").write_bytes("\ufeffcafé\r\n\r\n".encode())
    assert [sequence.name for sequence in DavisLayout(dataset).sequences("val")] == ["café"]


@pytest.mark.parametrize(
    ("name", "value"),
    [("clips_per_pass", 0), ("clips", -1), ("epochs", "4"), ("frames", None), ("learning_rate", 0)],
)
def test_numbers_of_a_recipe_have_ranges(ddeal, tmp_path, name, value):
    recipe = RECIPES["compact"].to_dict()
    recipe["stages"][1][name] = value
    (tmp_path / "mine.json").write_text(json.dumps(recipe))
    run = ddeal("train", "--recipe", "mine.json", "-o", "run")
    assert run.status == 2
    assert f"mine.json cannot be read as a recipe: stages 2: {name} is" in run.complaint
    assert not (tmp_path / "run").exists()
