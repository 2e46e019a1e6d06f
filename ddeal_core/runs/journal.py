"""What a run has found so far, on the disk: a killed run goes on from it.

A hidden folder beside the first output holds

    run.json             what the run is: a run that differs from it does not go on from it
    results.log          every frame's labels, and its probabilities at the network's size
    tracker.safetensors  what the tracker knew after some frame, and how long the log was then
    lock                 held while a process writes here

Outputs are made anew from the log, without the network: an encoder cannot go on in the middle of
a video, and results grow from the log to the bytes that they had. So it matters little when a run
is killed: what lies behind the last tracker state is found again.
"""

import json
import os
import shutil
import stat
import struct
import time
import zlib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ddeal_core.errors import InputError, OutputError
from ddeal_core.media.outputs.result_writer import output_error
from ddeal_core.media.pixel_limit import check_pixels
from ddeal_core.runs.file_lock import FileLock
from ddeal_core.tracking.maps import Given, Maps
from ddeal_core.tracking.result import Result
from ddeal_core.tracking.steps import from_steps, to_steps
from ddeal_core.tracking.tracker_state import TrackerState, are_ids, pack, unpack
from ddeal_core.whole_files import write_whole

__all__ = ["Journal"]

_RUN, _LOG, _STATE, _LOCK = "run.json", "results.log", "tracker.safetensors", "lock"
_FINISHING = "finishing"  # the name of an output
_HEAD = struct.Struct("<II")  # length and CRC-32 of what follows
_LEAST_PAUSE = 1.0  # seconds between two states,
_SHARE = 100  # and so many times what writing one took


@dataclass(frozen=True, slots=True)
class Kept:
    """A frame of the log.

    Attributes:
        object_ids: Of the objects known by then.
        index: Position among the frames that the tracker was fed.
        steps: ``[K, h, w]`` uint16, see `to_steps`; None before any object was given.
        labels: ``[H, W]`` uint8, as they were; None with `steps`.
        given_ids: Objects whose given masks are results as they are.
    """

    object_ids: tuple[int, ...]
    index: int
    steps: NDArray[np.uint16] | None
    labels: NDArray[np.uint8] | None
    given_ids: tuple[int, ...]

    def result(
        self, size: tuple[int, int], given: NDArray[np.integer] | None, device: torch.device
    ) -> Result:
        """Make the result that it was.

        Args:
            size: (H, W) of the frame.
            given: The mask that was given last.
            device: Where results are made.
        """
        if self.steps is None or self.labels is None:
            return Result.without_objects(self.index, size)
        if self.labels.shape != size:
            raise OutputError(f"the kept result {self.index} is damaged: use --overwrite")
        own = None
        if self.given_ids:
            if given is None:
                raise OutputError(f"the kept result {self.index} is damaged: use --overwrite")
            own = Given(given, list(self.given_ids))
        maps = Maps(from_steps(self.steps, device), size, own)
        return Result.of_maps(
            maps, labels=self.labels, index=self.index, object_ids=self.object_ids
        )


class Journal:
    """Keeps results and states of one run; one process at a time.

    Args:
        folder: Made if it is not there.

    Attributes:
        folder: Where it is.
        done: Frames that need not be found again.

    Raises:
        BlockingIOError: Another process writes here.
        InputError: What is there leads to another place, or is no file.
        OSError: The folder cannot be written to.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.done = 0
        self._pause = _LEAST_PAUSE
        self._told = time.monotonic()
        self._state: TrackerState | None = None  # of the file
        # newer than the file's, with the number of frames and the log's length then
        self._latest: tuple[TrackerState, int, int] | None = None
        self._log: Any = None
        self._offset = 0
        _check_own(folder)
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = FileLock(folder / _LOCK)

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
        return (self.folder / _STATE).is_file()

    def start(self, description: Mapping[str, Any]) -> None:
        """Forget what is there and begin with the first frame.

        Raises:
            OSError: The folder cannot be written to.
        """
        # In this order it is never taken for another run's.
        for name in (_FINISHING, _STATE, _LOG, _RUN):
            (self.folder / name).unlink(missing_ok=True)
        write_whole(self.folder / _RUN, json.dumps(description, indent=1).encode())
        self._log = (self.folder / _LOG).open("ab", buffering=0)

    def resume(self, device: torch.device) -> bool:
        """Take up what is there; False if it is damaged, and `start` remains.

        Args:
            device: Where the tracker computes.
        """
        try:
            state, notes = unpack((self.folder / _STATE).read_bytes(), device)
            done, offset = notes["done"], notes["offset"]
            if not 0 <= done * _HEAD.size <= offset <= (self.folder / _LOG).stat().st_size:
                return False
            self._log = (self.folder / _LOG).open("r+b", buffering=0)
            self._log.truncate(offset)
            self._log.seek(offset)
        except (OSError, ValueError, KeyError):
            return False
        self._state, self.done, self._offset = state, done, offset
        return True

    @property
    def state(self) -> TrackerState | None:
        """What the tracker knew after frame `done`; None at the beginning."""
        return self._state

    def replay(self) -> Iterator[Kept]:
        """Give the frames that are done, in order.

        Raises:
            OutputError: One of them is damaged.
        """
        try:
            with (self.folder / _LOG).open("rb") as file:
                left = self._offset
                for _ in range(self.done):
                    length, checksum = _HEAD.unpack(file.read(_HEAD.size))
                    left -= _HEAD.size + length
                    payload = file.read(length) if left >= 0 else b""
                    if zlib.crc32(payload) != checksum:
                        raise self.damaged()
                    yield _decoded(payload)
        except OSError as error:
            raise output_error(self.folder, error) from None
        except (ArithmeticError, KeyError, TypeError, ValueError, struct.error, zlib.error):
            raise self.damaged() from None

    def damaged(self) -> OutputError:
        """What to raise where something that was kept makes no sense."""
        self.done = 0  # nothing to go on from
        return OutputError(f"{self.folder} is damaged: start afresh with --overwrite, or remove it")

    def add(self, result: Result) -> None:
        """Keep what was found in the next frame.

        Raises:
            OutputError: The disk does not take it.
        """
        payload = _encoded(result)
        record = _HEAD.pack(len(payload), zlib.crc32(payload)) + payload
        try:
            written = self._log.write(record)
            if written < len(record):  # a full disk takes a part
                self._log.write(record[written:])
        except OSError as error:
            raise output_error(self.folder, error) from None
        self._offset += len(record)

    def reached(self, done: int, state: TrackerState) -> None:
        """Note that so many results are kept and written; save the state if it is time.

        Args:
            done: Frames so far.
            state: What the tracker knows after them.

        Raises:
            OutputError: The disk does not take it.
        """
        self._latest = state, done, self._offset
        if time.monotonic() - self._told >= self._pause:
            try:
                self._save()
            except OSError as error:
                raise output_error(self.folder, error) from None

    def finishing(self, output: Path) -> None:
        """Note that an output is about to appear: until its manifest is there it is this run's.

        Raises:
            OutputError: The disk does not take it.
        """
        try:
            write_whole(self.folder / _FINISHING, output.name.encode())
        except OSError as error:
            raise output_error(self.folder, error) from None

    def was_finishing(self, output: Path) -> bool:
        """Whether the run ended when this output was about to appear, or without a manifest."""
        try:
            return (self.folder / _FINISHING).read_bytes() == output.name.encode()
        except OSError:
            return False

    def close(self) -> None:
        """Save the state that was reached, if the disk takes it; without any, nothing stays."""
        if self._latest is not None:
            with suppress(OSError):
                self._save()
        if self._state is None:
            self.discard()
        else:
            self.release()

    def release(self) -> None:
        """Leave everything as it is."""
        if self._log is not None:
            self._log.close()
            self._log = None
        self._lock.release()

    def discard(self) -> None:
        """Remove everything."""
        with suppress(OSError):  # first: a removal cut short leaves nothing to go on from
            (self.folder / _STATE).unlink(missing_ok=True)
        self.release()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _save(self) -> None:
        assert self._latest is not None
        began = time.monotonic()
        os.fsync(self._log.fileno())  # never a state ahead of its log
        state, done, offset = self._latest
        write_whole(self.folder / _STATE, pack(state, done=done, offset=offset))
        self._state, self._latest = state, None
        self.done = done
        self._told = time.monotonic()
        self._pause = max(_LEAST_PAUSE, _SHARE * (self._told - began))


def _encoded(result: Result) -> bytes:
    maps = result.maps
    steps = None if maps is None else to_steps(maps.merged)
    head = {
        "ids": result.object_ids,
        "index": result.index,
        "shape": None if steps is None else steps.shape,
        "given": [] if maps is None or maps.given is None else maps.given.ids,
    }
    packed = labels = b""
    if steps is not None:
        packed = zlib.compress(steps.astype("<u2").tobytes(), 1)
        labels = zlib.compress(result.labels.tobytes(), 1)
        head |= {"packed": len(packed), "size": result.labels.shape}
    text = json.dumps(head).encode()
    return struct.pack("<I", len(text)) + text + packed + labels


def _decoded(payload: bytes) -> Kept:
    (length,) = struct.unpack_from("<I", payload)
    head = json.loads(payload[4 : 4 + length])
    ids, given, shape = tuple(head["ids"]), tuple(head["given"]), head["shape"]
    if not are_ids(ids) or given != ids[len(ids) - len(given) :]:
        raise ValueError("ids are wrong")
    steps = labels = None
    if shape is None:
        if ids:
            raise ValueError("objects have no maps")
    else:
        count, height, width = (int(side) for side in shape)
        if count != len(ids) or min(height, width) < 1:
            raise ValueError("maps have a wrong shape")
        check_pixels(width, height, named="a kept map")
        begin, end = 4 + length, 4 + length + int(head["packed"])
        flat = np.frombuffer(_unpacked(payload[begin:end], 2 * count * height * width), "<u2")
        steps = flat.reshape(count, height, width).astype(np.uint16)
        rows, columns = (int(side) for side in head["size"])
        check_pixels(columns, rows, named="kept labels")
        labels = np.frombuffer(_unpacked(payload[end:], rows * columns), np.uint8)
        labels = labels.reshape(rows, columns)
        known = np.zeros(256, bool)
        known[[0, *ids]] = True
        if not known[labels].all():
            raise ValueError("a label is no object's")
    return Kept(ids, int(head["index"]), steps, labels, given)


def _unpacked(packed: bytes, size: int) -> bytes:
    """Never more than what belongs there, whatever is packed."""
    return zlib.decompressobj().decompress(packed, max(1, size))


def _check_own(folder: Path) -> None:
    """Refuse what no run leaves behind, and by which writing here would change other files."""
    for path in (folder, *(folder / name for name in (_RUN, _LOG, _STATE, _LOCK, _FINISHING))):
        try:
            found = path.lstat()
        except OSError:  # also where the folder is none: told by who makes it
            continue
        own = stat.S_ISREG(found.st_mode) and found.st_nlink == 1
        if not (own if path != folder else not path.is_symlink()):
            raise InputError(f"{path} leads to another place, or is no file: remove it")
