"""Injure a run from outside and see that nothing is lost and nothing half-written looks whole.

    python -m reliability.faults --kills 50 --seed 1

Runs of `ddeal segment` are killed at random moments, and write to a full disk, to a folder that
may not be written, and from a file that is cut off.
"""

import argparse
import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import torch
from PIL import Image

from ddeal_core.media import write_mask
from ddeal_core.network import Ddeal
from ddeal_core.weights import Checkpoint, save_checkpoint
from reliability.samples import TINY, make_clip

__all__ = ["Case", "Finding", "cut_off", "full_disk", "killed", "main", "read_only"]

FRAMES = 60
_SUITES = ("killed", "cut-off", "full-disk", "read-only")
_OUTPUTS = ("masks", "cut.mov", "overlay.mp4", "all.json")
_ROOT = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that must not be.

    Attributes:
        fault: What was done.
        what: What came of it.
    """

    fault: str
    what: str


class Case:
    """A clip, its mask and tiny weights in a folder, and the outputs that a whole run gives.

    Args:
        folder: Where to make them.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clip = make_clip(folder / "clip.mp4", FRAMES, sound=True)
        labels = np.zeros((32, 48), np.uint8)
        labels[4:14, 2:12] = 1
        write_mask(folder / "first.png", labels)
        torch.manual_seed(0)
        self.weights = folder / "tiny.safetensors"
        save_checkpoint(Checkpoint(TINY, Ddeal(TINY).state_dict(), {}), self.weights)
        self.expected = folder / "expected"
        self.seconds = self.run(self.expected)[1]

    def start(self, out: Path, *outputs: str, clip: Path | None = None) -> "subprocess.Popen[str]":
        """Begin a run into a folder."""
        words = [str(clip or self.clip), "--mask", str(self.folder / "first.png"), "--overwrite"]
        for name in outputs or _OUTPUTS:
            words += ["-o", str(out / name)]
        words += ["--weights", str(self.weights), "--device", "cpu"]
        return subprocess.Popen(
            [sys.executable, "-m", "ddeal_cli", "segment", *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(_ROOT), "OMP_NUM_THREADS": "1"},
        )

    def run(self, out: Path, *outputs: str, clip: Path | None = None) -> tuple[str, float, int]:
        """Run to the end; gives what was said, seconds, and the exit code."""
        began = time.monotonic()
        process = self.start(out, *outputs, clip=clip)
        _, said = process.communicate(timeout=300)
        return said, time.monotonic() - began, process.returncode


def killed(case: Case, numbers: range, seed: int) -> Iterator[Finding | None]:
    """Kill runs at random moments; then let one finish, which must give what it always gives.

    Yields:
        A finding, or None, for each.
    """
    for number in numbers:
        out = case.folder / "killed"
        process = case.start(out)
        moment = random.Random(f"{seed} {number}").uniform(0.3, 1.0) * case.seconds
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(moment)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        fault = f"kill {number} after {moment:.2f} of {case.seconds:.2f} s"
        finding = _half_written(out, fault)
        if finding is None:
            said, _, code = case.run(out)
            if code:
                finding = Finding(fault, f"the next run failed: {said}")
            else:
                finding = _different(out, case.expected, fault)
        shutil.rmtree(out, ignore_errors=True)
        yield finding


def full_disk(
    case: Case, sizes: tuple[int, ...], outputs: tuple[str, ...] = _OUTPUTS
) -> Iterator[Finding | None]:
    """Write each output to a disk of so many kilobytes; the run must end and say why."""
    for size in sizes:
        for name in outputs:
            with _disk(case.folder / "disk", f"size={size}k") as out:
                said, _, code = case.run(out / "o", name)
                fault = f"{name} on a disk of {size} kB"
                yield _half_written(out / "o", fault, failed=code != 0) or _said(
                    said, code, fault, "disk is full"
                )


def read_only(case: Case) -> Iterator[Finding | None]:
    """Write each output to a disk that may only be read."""
    for name in _OUTPUTS:
        with _disk(case.folder / "disk", "size=1m,ro") as out:
            said, _, code = case.run(out / "o", name)
            fault = f"{name} on a read-only disk"
            yield _said(said, code, fault, "Read-only file system", must_fail=True)


def cut_off(case: Case) -> Iterator[Finding | None]:
    """Cut the video off behind its first half: what was there must be kept, and named so."""
    short = case.folder / "short.mkv"
    make_clip(short, FRAMES, sound=True)
    content = short.read_bytes()
    short.write_bytes(content[: len(content) // 2])
    out = case.folder / "cut"
    said, _, code = case.run(out, clip=short)
    fault = "a video without its second half"
    yield _said(said, code, fault, "is damaged at frame", must_fail=True)
    kept = sorted(path.name for path in out.iterdir())
    wanted = ["all.incomplete.json", "cut.incomplete.mov", "masks", "overlay.incomplete.mp4"]
    missing = sorted(set(wanted) - set(kept))
    yield Finding(fault, f"{missing} are not there, but {kept}") if missing else None


@contextmanager
def _disk(where: Path, options: str) -> Iterator[Path]:
    where.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(where)], check=True)
    try:
        yield where
    finally:
        subprocess.run(["umount", str(where)], check=True)


def can_mount() -> bool:
    """Whether this process may mount disks of its own."""
    if os.name != "posix" or os.geteuid() != 0 or shutil.which("mount") is None:
        return False
    with tempfile.TemporaryDirectory() as folder:
        try:
            with _disk(Path(folder) / "disk", "size=64k"):
                return True
        except (subprocess.CalledProcessError, OSError):
            return False


def _said(
    said: str, code: int, fault: str, words: str, *, must_fail: bool = False
) -> Finding | None:
    lines = [line for line in said.splitlines() if line.startswith("error: ")]
    if "Traceback" in said:
        return Finding(fault, said)
    if code == 0:
        return Finding(fault, "it went through") if must_fail else None
    if len(lines) != 1 or words not in lines[0]:
        return Finding(fault, f"it said: {said}")
    return None


def _half_written(out: Path, fault: str, *, failed: bool = True) -> Finding | None:
    """Look at every file that has its final name: each must be whole."""
    if not out.exists():
        return None
    for path in sorted(out.rglob("*")):
        if not path.is_file() or path.name.startswith("."):
            continue
        try:
            if path.suffix == ".png":
                with Image.open(path) as image:
                    image.load()
            elif path.suffix == ".json":
                json.loads(path.read_text())
            elif path.suffix in (".mov", ".mp4"):
                with av.open(path) as container:
                    count = sum(1 for _ in container.decode(video=0))
                if count != FRAMES and failed:
                    return Finding(fault, f"{path.name} has {count} frames")
        except Exception as error:
            return Finding(fault, f"{path.name} is half-written: {error!r}")
    return None


def _different(out: Path, expected: Path, fault: str) -> Finding | None:
    def files(folder: Path) -> dict[str, bytes]:
        return {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in folder.rglob("*")
            if path.is_file() and "manifest" not in path.name
        }

    mine, its = files(out), files(expected)
    if mine.keys() != its.keys():  # nothing is left over of the run that was killed, either
        return Finding(fault, f"files differ: {sorted(mine.keys() ^ its.keys())}")
    changed = [name for name in its if mine[name] != its[name]]
    return Finding(fault, f"bytes differ: {changed}") if changed else None


def main(arguments: list[str] | None = None) -> int:
    """Run the command; 1 if something is found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--kills", type=int, default=50, help="how many runs are killed")
    parser.add_argument("--first", type=int, default=0, help="number of the first of them")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", choices=_SUITES, action="append", help="only these; repeatable")
    given = parser.parse_args(arguments)
    findings = 0
    with tempfile.TemporaryDirectory() as scratch:
        case = Case(Path(scratch))
        numbers = range(given.first, given.first + given.kills)
        suites: dict[str, Callable[[], Iterator[Finding | None]]] = {
            "killed": lambda: killed(case, numbers, given.seed),
            "cut-off": lambda: cut_off(case),
            "full-disk": lambda: full_disk(case, (8, 24, 64)),
            "read-only": lambda: read_only(case),
        }
        for title in given.only or _SUITES:
            if title in ("full-disk", "read-only") and not can_mount():
                print(f"{title}: left out, mounting a disk needs root")
                continue
            results = list(suites[title]())
            found = [result for result in results if result is not None]
            findings += len(found)
            print(f"{title}: {len(results)} faults, {len(found)} findings", flush=True)
            for finding in found:
                print(f"  {finding.fault}: {finding.what}", flush=True)
    return int(findings > 0)


if __name__ == "__main__":
    sys.exit(main())
