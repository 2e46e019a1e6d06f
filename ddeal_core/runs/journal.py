"""What a run has found so far, on the disk: a killed run goes on from it.

A hidden folder beside the first output holds

    run.json             what the run is: a run that differs from it does not go on from it
    back.log             results of the backward pass, where objects are followed backwards
    back.safetensors     what the tracker knew after some frame of it, and how long the log was
    forward.log          the same of the forward pass
    forward.safetensors
    finishing            the name of the output that is about to appear
    lock                 held while a process writes here

Outputs are made anew from the logs, without the network: an encoder cannot go on in the middle of
a video, and a result that is read from a log is what it was, to the byte. So it matters little when
a run is killed: frames after the last tracker state are segmented again.
"""

from __future__ import annotations

import json
import os
import shutil
import stat
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import torch

from ddeal_core.errors import InputError, OutputError
from ddeal_core.media.frame import Frame
from ddeal_core.runs.result_log import ResultLog
from ddeal_core.tracking.batches import is_out_of_memory
from ddeal_core.tracking.result import Result
from ddeal_core.tracking.tracker import Tracker
from ddeal_core.tracking.tracker_state import TrackerState, pack, unpack
from ddeal_core.whole_files import write_whole, writing

_RUN, _FINISHING, _LOCK = "run.json", "finishing", "lock"
_BACK, _FORWARD = "back", "forward"
_LOG, _STATE = ".log", ".safetensors"
_FILES = (_RUN, _FINISHING, _LOCK, *(n + e for n in (_BACK, _FORWARD) for e in (_STATE, _LOG)))
_LEAST_PAUSE = 1.0  # seconds between two states at least,
_SHARE = 100  # and at least so many times as long as it took to write one


class Pass:
    """One pass over a video, forward or backward: its results, and the tracker after some of them.

    Args:
        log: Where results go.
        path: The state's file; None where no state is kept.

    Attributes:
        done: Frames that need not be found again.
        state: What the tracker knew after them; None at the beginning.
        is_sound: False once something that was kept made no sense.
    """

    def __init__(self, log: ResultLog, path: Path | None = None) -> None:
        self.log = log
        self.done = 0
        self.state: TrackerState | None = None
        self.is_sound = True
        self._path = path
        self._unproven = False  # whether a tracker was restored and has done nothing yet
        # a state newer than the file's, with the number of frames and the log's length then
        self._latest: tuple[TrackerState, int, int] | None = None
        self._pause, self._told = _LEAST_PAUSE, time.monotonic()

    def recover(self, device: torch.device) -> None:
        """Read the state's file if there is one, and keep the log up to it.

        Raises OSError or ValueError where one of them cannot be read, or is damaged.
        """
        if self._path is None or not self._path.is_file():
            return
        state, notes = unpack(self._path.read_bytes(), device)
        done, end = notes.get("done", -1), notes.get("offset", -1)
        self.log.recover(done, end)
        self.state, self.done = state, done

    def restore(self, tracker: Tracker) -> None:
        """Let a tracker go on from the state, if there is one."""
        if self.state is not None:
            tracker.restore(self.state)
            self._unproven = True

    @contextmanager
    def first_step_proves(self) -> Iterator[None]:
        """Blame the state, whose values nobody has checked, if the step after `restore` fails.

        Raises:
            OutputError: The state has shapes or values of no tracker.
        """
        unproven, self._unproven = self._unproven, False
        try:
            yield
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError,
                RuntimeError) as error:  # fmt: skip
            if not unproven or is_out_of_memory(error):
                raise
            raise self.damaged() from error

    def get(self, frame: Frame, device: torch.device) -> Result | None:
        """Read the result of a frame, or None if there is none: see `ResultLog.get`."""
        try:
            return self.log.get(frame.index, frame.size, device)
        except ValueError:
            raise self.damaged() from None

    def reached(self, done: int, state: TrackerState) -> None:
        """Note what the tracker knows after so many frames in the log; save it if it is time."""
        self._latest = state, done, self.log.end
        if time.monotonic() - self._told >= self._pause:
            self.save()

    def save(self) -> None:
        """Save the state that was reached."""
        if self._path is None or self._latest is None:
            return
        began = time.monotonic()
        state, done, end = self._latest
        with writing(self._path.parent):
            os.fsync(self.log.fileno())  # never a state ahead of its log
            write_whole(self._path, pack(state, done=done, offset=end))
        self.state, self.done, self._latest = state, done, None
        self._told = time.monotonic()
        self._pause = max(_LEAST_PAUSE, _SHARE * (self._told - began))

    def damaged(self) -> OutputError:
        """What to raise where something that was kept makes no sense."""
        self.is_sound = False
        folder = "a temporary file" if self._path is None else self._path.parent
        return OutputError(f"the run kept in {folder} is damaged", remedy="overwrite")


class Journal:
    """Keeps results and states of one run; one process at a time.

    Args:
        folder: Made if it is not there.

    Attributes:
        folder: Where it is.
        back: The backward pass, once `start` or `resume` was called.
        forward: The forward pass.

    Raises:
        BlockingIOError: Another process writes here.
        InputError: What is there leads to another place, or is no file.
        OSError: The folder cannot be written to.
    """

    back: Pass
    forward: Pass

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._passes: list[Pass] = []
        _check_own(folder)
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = _FileLock(folder / _LOCK)

    def description(self) -> dict[str, Any] | None:
        """What the run is that was begun here, or None if there is none."""
        try:
            record = json.loads((self.folder / _RUN).read_bytes())
        except (OSError, ValueError, RecursionError):
            return None
        return record if isinstance(record, dict) else None

    @property
    def has_state(self) -> bool:
        """Whether there is something to go on from."""
        return any((self.folder / f"{name}{_STATE}").is_file() for name in (_BACK, _FORWARD))

    @property
    def done(self) -> int:
        """Frames that need not be found again, both ways together; 0 where one is damaged."""
        return sum(each.done for each in self._passes) * all(p.is_sound for p in self._passes)

    def start(self, description: Mapping[str, Any]) -> None:
        """Forget what is there and begin with the first frame."""
        self._close_logs()
        # The states first: what is left of a removal cut short is never gone on from.
        for name in sorted({*_FILES} - {_LOCK}, key=lambda name: not name.endswith(_STATE)):
            (self.folder / name).unlink(missing_ok=True)
        write_whole(self.folder / _RUN, json.dumps(description, indent=1).encode())
        self._open()

    def resume(self, device: torch.device) -> bool:
        """Take up what is there; False if it is damaged or nothing, and `start` remains."""
        try:
            self._open()
            for each in self._passes:
                each.recover(device)
        except (OSError, ValueError):
            return False
        return self.has_state

    def finishing(self, output: Path) -> None:
        """Note that an output is about to appear: until its manifest is there it is this run's."""
        with writing(self.folder):
            write_whole(self.folder / _FINISHING, os.fsencode(output.name))

    def was_finishing(self, output: Path) -> bool:
        """Whether the run ended when this output was about to appear, or without a manifest."""
        try:
            return (self.folder / _FINISHING).read_bytes() == os.fsencode(output.name)
        except OSError:
            return False

    def close(self) -> None:
        """Save the states that were reached, if the disk takes them; discard all if none was."""
        for each in self._passes:
            with suppress(OutputError):
                each.save()
        if self.has_state:
            self.release()
        else:
            self.discard()

    def release(self) -> None:
        """Leave everything as it is."""
        self._close_logs()
        self._lock.release()

    def discard(self) -> None:
        """Remove everything."""
        with suppress(OSError):  # first: a removal cut short leaves nothing to go on from
            for name in (_BACK, _FORWARD):
                (self.folder / f"{name}{_STATE}").unlink(missing_ok=True)
        self.release()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _open(self) -> None:
        self.back, self.forward = (
            Pass(ResultLog.at(self.folder / f"{name}{_LOG}"), self.folder / f"{name}{_STATE}")
            for name in (_BACK, _FORWARD)
        )
        self._passes = [self.back, self.forward]

    def _close_logs(self) -> None:
        for each in self._passes:
            each.log.close()


def _check_own(folder: Path) -> None:
    """Refuse what no run leaves behind, and by which writing here would change other files."""
    for path in (folder, *(folder / name for name in _FILES)):
        try:
            found = path.lstat()
        except OSError:  # also where the folder is none: told by who makes it
            continue
        own = stat.S_ISREG(found.st_mode) and found.st_nlink == 1
        if not (own if path != folder else not path.is_symlink()):
            raise InputError(f"{path} leads to another place, or is no file: remove it")


class _FileLock:
    """A lock that the system takes back when its holder dies, however it dies."""

    def __init__(self, path: Path) -> None:
        self._number: int | None = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            _lock(self._number)
        except OSError as error:
            os.close(self._number)
            raise BlockingIOError(f"{path} is held by another process") from error

    def release(self) -> None:
        if self._number is not None:
            with suppress(OSError):
                os.close(self._number)
            self._number = None


if sys.platform == "win32":
    import msvcrt

    def _lock(number: int) -> None:
        msvcrt.locking(number, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(number: int) -> None:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
