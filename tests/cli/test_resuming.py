"""`ddeal segment` interrupted: what it says, what it leaves, and how it goes on."""

import hashlib
import os
import shutil
import signal
import sys
import threading

import pytest
from forked import Forked, program
from waiting import wait_for

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


@pytest.fixture
def interrupted(ddeal):
    """`interrupted(*words, when=..., times=1)`: a run here, with Ctrl-C when that says so."""

    def call(*words, when, times=1):
        runs = True

        def ctrl_c(*_):
            if runs:
                raise KeyboardInterrupt

        def send():
            wait_for(lambda: when() or not runs)
            for _ in range(times):
                os.kill(os.getpid(), signal.SIGINT)  # the second one is our own handler's again
                wait_for(lambda: signal.getsignal(signal.SIGINT) is ctrl_c or not runs)

        before = signal.signal(signal.SIGINT, ctrl_c)
        thread = threading.Thread(target=send)
        try:
            thread.start()
            return ddeal(*words)
        finally:
            runs = False
            thread.join()
            signal.signal(signal.SIGINT, before)

    return call


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is sent in another way there")
def test_interrupted_in_every_way_and_resumed_it_ends_with_the_bytes_of_an_unbroken_run(
    ddeal, interrupted, words, tmp_path, tmp_path_factory, monkeypatch
):
    words = (*words, *OUTPUTS)

    def written(index):
        return lambda: (tmp_path / f"masks/{index:05d}.png").exists()

    stopped = interrupted(*words, when=written(3))
    assert stopped.status == 130, stopped.err
    assert "finishing the frames in hand; Ctrl-C again to stop at once" in stopped.err
    assert "--resume to go on" in stopped.err
    assert stopped.complaint == "error: interrupted"
    pictures = len(list((tmp_path / "masks").glob("*.png")))
    assert f"{pictures} frames are kept" in stopped.err
    assert not list(tmp_path.glob("*cut.mov"))

    refused = ddeal(*words)
    assert refused.status == 2
    assert "--resume goes on with it" in refused.complaint
    refused = ddeal(*words, "--hard", "--resume")
    assert refused.status == 2
    assert "hard was False and is True now" in refused.complaint

    stopped = interrupted(*words, "--resume", when=written(pictures + 2), times=2)
    assert stopped.status == 130, stopped.err
    assert "Ctrl-C again to stop at once" in stopped.err
    assert stopped.complaint == "error: interrupted"
    assert not list(tmp_path.glob("*cut.mov*.part"))

    pictures = len(list((tmp_path / "masks").glob("*.png")))
    process = Forked(tmp_path_factory.mktemp("told"), program, *words, "--resume")
    process.wait_for(written(pictures + 2))
    process.send_signal(signal.SIGTERM)
    assert process.ended() == 128 + signal.SIGTERM
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
