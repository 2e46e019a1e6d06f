"""Short versions of the long tests, and that they would notice."""

import json

import numpy as np
import pytest
from misbehaving import misbehave
from waiting import HANG

from reliability import faults, soak
from reliability.fuzz import Inputs, main
from reliability.mutations import damaged
from reliability.samples import make_clip, make_samples
from reliability.targets import TARGETS
from reliability.workers import Worker


def test_a_worker_tells_what_happens(tmp_path):
    patient, hasty = Worker(misbehave, seconds=HANG), Worker(misbehave, seconds=0.5)
    try:
        seen = {
            kind: (hasty if kind == "hang" else patient).try_out(kind, tmp_path, 0)
            for kind in ("read", "refuse", "fail", "lines", "hang", "die", "again")
        }
    finally:
        patient.close()
        hasty.close()
    kinds = {kind: outcome.kind for kind, outcome in seen.items()}
    assert kinds == {
        "read": "read",
        "refuse": "refused",
        "fail": "traceback",
        "lines": "several lines",
        "hang": "hung",
        "die": "died",
        "again": "read",  # in a new process
    }
    assert "KeyError" in seen["fail"].detail
    assert [k for k, outcome in seen.items() if outcome.is_bad] == ["fail", "lines", "hang", "die"]


@pytest.fixture(scope="module")
def samples(tmp_path_factory):
    return make_samples(tmp_path_factory.mktemp("samples"))


def test_samples_are_whole(samples, tmp_path):
    """A fuzzer that is refused at the first byte finds nothing."""
    read = 0
    assert set(samples) == set(TARGETS)
    for kind, paths in samples.items():
        if kind == "pickle":  # networks that are none of the authors'
            continue
        for path in paths:
            place = tmp_path / f"{kind}-{path.name}"
            place.mkdir()
            copy = place / path.name
            copy.write_bytes(path.read_bytes())
            TARGETS[kind](copy, 2)
            read += 1
    assert read > 20


def test_an_input_is_the_same_every_time(samples, tmp_path):
    first, second = Inputs(samples, 5), Inputs(make_samples(tmp_path), 5)
    some = [first.input(number) for number in range(12)]
    assert some == [second.input(number) for number in range(12)]
    assert len({tried.kind for tried in some}) > 4
    other = Inputs(samples, 6)
    assert some != [other.input(number) for number in range(12)]
    rng = np.random.default_rng(0)
    assert any(damaged(b"abc" * 99, b"", rng) != b"abc" * 99 for _ in range(3))


def test_what_once_was_a_traceback_is_among_the_inputs():
    """A list of sequences in another encoding, and a recipe that divides by zero."""
    rng = np.random.default_rng(0)
    text = [damaged(b"bear\nswan\n", b"", rng, form="text") for _ in range(100)]
    encodings = {content.decode("utf-8", "replace").count("\ufffd") > 0 for content in text}
    assert encodings == {True, False}
    assert any(b"\0" in content for content in text)
    assert any(b"\r" in content for content in text)
    recipe = json.dumps({"clips": 4, "size": [32, 48], "stages": [{"clips_per_pass": 2}]}).encode()
    zeros = [
        damaged(recipe, b"", rng, form="json").count(b'"clips_per_pass": 0') for _ in range(200)
    ]
    assert any(zeros)


def test_fuzzing_finds_nothing(capsys, tmp_path):
    words = ["--inputs", "10", "--seed", "3", "--workers", "1", "--seconds", str(HANG), "--json"]
    assert main([*words, "--keep", str(tmp_path / "kept")]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["bad"] == 0
    seen = {outcome for counts in record["counts"].values() for outcome in counts}
    assert seen == {"read", "refused"}
    assert not (tmp_path / "kept").exists()


def test_half_written_files_would_be_noticed(tmp_path):
    clip = make_clip(tmp_path / "whole.mov", faults.FRAMES)
    whole = clip.read_bytes()
    clip.unlink()
    (tmp_path / "cut.mov").write_bytes(whole[: len(whole) // 2])
    assert faults._half_written(tmp_path, "made up") is not None
    (tmp_path / "cut.mov").write_bytes(whole)
    assert faults._half_written(tmp_path, "made up") is None
    (tmp_path / "00000.png").write_bytes(b"\x89PNG")
    assert faults._half_written(tmp_path, "made up") is not None


def test_memory_stays_flat(tmp_path):
    long = soak.one_long(tmp_path, 100, every=2)  # caches fill for some sixty frames
    assert len(long) == 50
    # tens of kilobytes a frame would be a frame that is kept
    assert soak.growth(long) < 4608 * 3
    short = soak.many_short(tmp_path, 4, frames=3)
    assert {reading.threads for reading in short[2:]} == {short[1].threads}
    assert {reading.files for reading in short[2:]} == {short[1].files}


def test_growth_is_seen():
    leaking = [soak.Reading(i, 10**8 + 5000 * i, 3, 9) for i in range(100)]
    assert abs(soak.growth(leaking) - 5000) < 1
