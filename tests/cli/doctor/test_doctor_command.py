"""``ddeal doctor``, also where something is broken."""

import os
import subprocess
import sys
from pathlib import Path

import ddeal_core

ROOT = str(Path(ddeal_core.__file__).parents[1])


def test_it_runs_the_whole_path_and_ends_with_0(ddeal):
    run = ddeal("doctor")
    assert run.status == 0, run.out
    assert run.out.splitlines()[-1] == "all fine"
    assert "frames/s" in run.out
    assert "\x1b" not in run.out


def test_for_machines_it_is_one_object(ddeal):
    run = ddeal("doctor", "--no-test", "--json")
    assert run.status == 0
    assert run.json["ok"] is True
    assert set(run.json) == {"ok", "versions", "machine", "codecs", "files"}
    assert all(run.json.values())
    assert run.json["codecs"]["libx264"]["state"] == "fine"
    assert run.json["files"]["bundled weights"]["state"] == "fine"


def test_libraries_that_cannot_be_imported_are_named_without_a_traceback(tmp_path):
    """Also torch, which is a part of every check of the machine and of weights."""
    (tmp_path / "cv2.py").write_text("raise ImportError('libGL.so.1: no such file')\n")
    (tmp_path / "torch.py").write_text("raise OSError('libtorch.so: no such file')\n")
    home = tmp_path / "home" / "anna"
    (home / "tmp").mkdir(parents=True)
    done = subprocess.run(
        [sys.executable, "-m", "ddeal_cli", "doctor", "--no-test"],
        capture_output=True,
        text=True,
        check=False,
        env={
            **os.environ,
            "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}",
            "HOME": str(home),
            "TMPDIR": str(home / "tmp"),
        },
    )
    assert done.returncode == 1
    for fault in ("libGL.so.1", "libtorch.so"):
        assert f"{fault}: no such file" in done.stdout
    for package in ("opencv-python-headless", "torch"):
        assert f"broken: {package}: pip install" in done.stdout
    assert "~/tmp, writable" in done.stdout
    assert "anna" not in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    assert "libx264" in done.stdout  # the other checks went on
