"""Ray itself, on this machine alone: two workers."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from waiting import HANG

import ddeal_core

ROOT = str(Path(ddeal_core.__file__).parents[1])


def call(*words, cwd, **environment):
    process = subprocess.run(
        [sys.executable, "-m", "ddeal_cli", "segment", *map(str, words)],
        capture_output=True,
        text=True,
        cwd=cwd,
        timeout=HANG,
        env={**os.environ, "PYTHONPATH": ROOT, **environment},
    )
    assert "Traceback" not in process.stderr
    return process


def test_without_ray_it_says_what_to_install(make_clips, tmp_path):
    clips = make_clips("a")
    hidden = tmp_path / "hidden/ray"
    hidden.mkdir(parents=True)
    (hidden / "__init__.py").write_text("raise ModuleNotFoundError('No module named ray')")
    words = [clips.videos, "--mask-dir", clips.masks, "--engine", "ray"]
    process = call(*words, cwd=tmp_path, PYTHONPATH=f"{tmp_path / 'hidden'}{os.pathsep}{ROOT}")
    assert process.returncode == 2
    assert "error: Ray is not installed: pip install 'ddeal[ray]'" in process.stderr


def test_a_cluster_gives_the_same_bytes(make_clips, tmp_path):
    pytest.importorskip("ray", exc_type=ImportError)
    clips = make_clips("ab")
    (clips.videos / "c.mp4").write_text("no video")
    (clips.masks / "c.png").write_bytes((clips.masks / "a.png").read_bytes())
    words = ["clips", "--mask-dir", "first", "--weights", "tiny.safetensors", "--device", "cpu"]
    for name, engine in (("plain", "local"), ("ray", "ray")):
        process = call(
            *words,
            *("--engine", engine, "--jobs", 2, "--json"),
            *("-o", f"{name}/{{stem}}.mov", "-o", f"{name}/masks"),
            cwd=tmp_path,
        )
        assert process.returncode == 2, process.stderr
        record = json.loads(process.stdout)
        assert [video["status"] for video in record["videos"]] == ["done", "done", "failed"]
        assert "c.mp4 is no video that can be read" in record["videos"][2]["error"]
    plain = sorted(path for path in (tmp_path / "plain").rglob("*") if path.is_file())
    assert len(plain) >= 2 * (1 + 8)
    for path in plain:
        other = tmp_path / "ray" / path.relative_to(tmp_path / "plain")
        assert other.read_bytes() == path.read_bytes(), path
