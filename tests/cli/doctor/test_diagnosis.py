"""What a report of the machine promises."""

import getpass
from pathlib import Path

import pytest

from ddeal_cli.doctor.checks import (
    Finding,
    _writable,
    check_codecs,
    check_places,
    without_personal_names,
)
from ddeal_cli.doctor.command import examine
from ddeal_core.media.outputs import sound_track, video_recipes
from ddeal_core.weights import BUNDLED


def test_every_encoder_that_outputs_use_is_looked_up():
    looked_up = {finding.name for finding in check_codecs()}
    endings, kinds = video_recipes.WRITTEN_ENDINGS, ("overlay", None)
    used = {
        video_recipes.recipe_for(ending, kind, size=(64, 64)).codec
        for ending in endings
        for kind in kinds
    }
    used |= set(sound_track._ENCODERS.values())
    assert used <= looked_up


def test_a_check_that_fails_is_a_finding():
    def fails():
        yield Finding("first", "seen")
        raise ZeroDivisionError("by nought")

    found = list(examine(fails, title="bad"))
    assert [one.state for one in found] == ["fine", "broken"]
    assert "ZeroDivisionError: by nought" in found[-1].to_text()


def test_what_is_broken_says_what_to_do():
    with pytest.raises(ValueError, match="what to do"):
        Finding("name", "value", "broken")


def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    gone = tmp_path / "gone"
    assert _writable("temporary folder", gone, "gone", needed=True).state == "broken"
    assert _writable("current folder", gone, "", needed=False).state == "absent"
    assert _writable("temporary folder", tmp_path, "here", needed=True).state == "fine"
    assert not list(tmp_path.iterdir())


def test_names_of_people_are_left_out():
    home, user = str(Path.home()), getpass.getuser()
    assert without_personal_names(f"{home}/film\n.mp4") == "~/film .mp4"
    assert without_personal_names(f"{home}2/film") != "~2/film"
    assert without_personal_names(f"/tmp/{user}/film") == "/tmp/USER/film"
    assert without_personal_names(f"{user} core") == f"{user} core"


def test_damaged_weights_are_found(tmp_path, monkeypatch):
    import ddeal_core.weights as weights

    half = tmp_path / "compact.safetensors"
    half.write_bytes(BUNDLED.read_bytes()[:100_000])
    monkeypatch.setattr(weights, "BUNDLED", half)
    found = {one.name: one for one in check_places()}
    assert found["bundled weights"].state == "broken"
