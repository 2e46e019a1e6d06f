"""The program run in this process, with tiny weights."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

from ddeal_cli.main import main
from ddeal_core.network import Ddeal, NetworkConfig, TrackerConfig
from ddeal_core.weights import Checkpoint, save_checkpoint

TINY = NetworkConfig(
    preset="tiny",
    backbone="resnet18",
    backbone_width=8,
    directional_channels=16,
    propagation_channels=16,
    fusion_channels=(16, 8),
    tracker=TrackerConfig(short_side=64),
)


@dataclass(frozen=True)
class Run:
    """What one call of the program left behind."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        record = json.loads(self.out)
        assert isinstance(record, dict)
        return record

    @property
    def complaint(self) -> str:
        """The one line of a failure; fails the test if there is more than it."""
        lines = [line for line in self.err.splitlines() if line.startswith("error: ")]
        assert len(lines) == 1, self.err
        assert self.err.splitlines()[-1] == lines[0]
        assert "Traceback" not in self.err
        assert self.out == ""
        return lines[0]


Program = Callable[..., Run]


@pytest.fixture
def ddeal(capsys: pytest.CaptureFixture[str]) -> Program:
    """`ddeal("segment", path, ...) -> Run`, in this process."""

    def call(*words: object) -> Run:
        capsys.readouterr()
        status = main([str(word) for word in words])
        captured = capsys.readouterr()
        return Run(status, captured.out, captured.err)

    return call


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Default outputs go to the current folder."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def start() -> Callable[..., "subprocess.Popen[str]"]:
    """`start("segment", path, ...)`: the program as a process; options are those of `Popen`."""

    def call(*words: object, **options: Any) -> "subprocess.Popen[str]":
        # Tests that run in a shell's background ignore Ctrl-C, and would hand that on.
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            return subprocess.Popen(
                [sys.executable, "-m", "ddeal_cli", *map(str, words)],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                **options,
            )
        finally:
            signal.signal(signal.SIGINT, before)

    return call


@pytest.fixture(scope="session")
def tiny_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights of a network that is small enough for tests."""
    torch.manual_seed(3)
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    save_checkpoint(Checkpoint(TINY, Ddeal(TINY).state_dict(), {"data": ["none"]}), path)
    return path
