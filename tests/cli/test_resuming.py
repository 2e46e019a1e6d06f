"""`ddeal segment` interrupted: what it says, what it leaves, and how it goes on."""

import hashlib
import shutil
import signal
import sys

import pytest
from waiting import HANG, wait_for

OUTPUTS = ("-o", "masks", "-o", "cut.mov")


@pytest.fixture(scope="module")
def long_folder(tiny_clip, tmp_path_factory):
    """More frames than are done before somebody interrupts."""
    folder = tmp_path_factory.mktemp("long") / "frames"
    folder.mkdir()
    for index in range(60):
        shutil.copy(tiny_clip.images / f"{index % 8:05d}.png", folder / f"{index:05d}.png")
    return folder


@pytest.fixture
def words(long_folder, tiny_clip, tiny_weights):
    return (
        *("segment", long_folder, "--mask", tiny_clip.first_mask, "--weights", tiny_weights),
        *("--device", "cpu"),
    )


def checksums(folder):
    return {
        str(path.relative_to(folder)): hashlib.md5(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is sent in another way there")
def test_interrupted_in_every_way_and_resumed_it_ends_with_the_bytes_of_an_unbroken_run(
    ddeal, start, words, tmp_path, monkeypatch
):
    words = (*words, *OUTPUTS)

    def begin(*more, after):
        process = start(*words, *more)
        wait_for(lambda: (tmp_path / f"masks/{after:05d}.png").exists() or process.poll())
        return process

    process = begin(after=3)
    process.send_signal(signal.SIGINT)  # Ctrl-C
    _, err = process.communicate(timeout=HANG)
    assert process.returncode == 130, err
    assert "finishing the frames in hand; Ctrl-C again to stop at once" in err
    assert "--resume to go on" in err
    assert err.splitlines()[-1].startswith("error: interrupted")
    assert "Traceback" not in err
    pictures = len(list((tmp_path / "masks").glob("*.png")))
    assert f"{pictures} frames are kept" in err
    assert not list(tmp_path.glob("*cut.mov"))

    refused = ddeal(*words)
    assert refused.status == 2
    assert "--resume goes on with it" in refused.complaint
    refused = ddeal(*words, "--hard", "--resume")
    assert refused.status == 2
    assert "hard was False and is True now" in refused.complaint

    process = begin("--resume", after=pictures + 2)
    process.send_signal(signal.SIGINT)
    while "Ctrl-C again to stop at once" not in process.stderr.readline():
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=HANG)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert err.splitlines()[-1].startswith("error: interrupted")
    assert not list(tmp_path.glob("*cut.mov*.part"))

    pictures = len(list((tmp_path / "masks").glob("*.png")))
    process = begin("--resume", after=pictures + 2)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=HANG)
    assert process.returncode == 128 + signal.SIGTERM
    assert not list(tmp_path.glob("*cut.mov*.part"))
    assert (tmp_path / ".masks.unfinished").is_dir()

    resumed = ddeal(*words, "--resume", "--json")
    assert resumed.status == 0, resumed.err
    assert resumed.json["frames"] == 60
    assert resumed.json["restored"] >= pictures
    assert not list(tmp_path.glob(".*"))
    again = ddeal(*words, "--resume")
    assert again.status == 0
    assert "whole already" in again.err
    assert ddeal("verify", "masks", "cut.mov").status == 0

    (tmp_path / "unbroken").mkdir()
    monkeypatch.chdir(tmp_path / "unbroken")
    assert ddeal(*words).status == 0
    unbroken = checksums(tmp_path / "unbroken")
    shutil.rmtree(tmp_path / "unbroken")
    assert checksums(tmp_path) == unbroken


def test_resume_with_nothing_to_go_on_from_just_runs(ddeal, words, tmp_path):
    run = ddeal(*words, "--end", 3, "-o", "cut.mov", "--resume")
    assert run.status == 0, run.err
    assert {p.name for p in tmp_path.iterdir()} == {"cut.mov", "cut.mov.manifest.json"}


def test_resume_does_not_replace_what_it_did_not_write(ddeal, words, tmp_path):
    (tmp_path / "cut.mov").write_bytes(b"somebody's")
    run = ddeal(*words, "--end", 3, "-o", "cut.mov", "--resume")
    assert run.status == 2
    assert "cut.mov exists" in run.complaint
    assert (tmp_path / "cut.mov").read_bytes() == b"somebody's"
