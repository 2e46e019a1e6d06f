"""Results of frames on the disk: added one after the other, and read again in any order.

A record (see `framed`) has for its payload the length of a head, the head in JSON, the packed
probabilities at the network's size, from which labels and all else grow to what they were, and
the packed label map of what was given on that frame. The file that `SoftWriter` leaves is such a
log, with a record of its own in front.
"""

from __future__ import annotations

import json
import struct
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Self

import numpy as np
import torch
from numpy.typing import NDArray

from ddeal_core.errors import InputError, OutputError
from ddeal_core.media.outputs.soft_writer import HEADER, RECORD, check_header, framed
from ddeal_core.media.pixel_limit import check_pixels
from ddeal_core.tracking.maps import GivenLabels, Maps
from ddeal_core.tracking.quantisation import from_uint16, to_uint16
from ddeal_core.tracking.result import Result
from ddeal_core.tracking.tracker_state import are_ids
from ddeal_core.whole_files import output_error

_LEVEL = 1  # of zlib: others take longer than they save


class ResultLog:
    """Results by the number of their frame; memory holds a few numbers a frame.

    One thread at a time may use it; results that were read may be used anywhere.

    Args:
        file: Open for reading and writing, without a buffer.
        path: Its name; None where it is temporary.

    Attributes:
        end: Bytes of the records so far.
    """

    def __init__(self, file: IO[bytes], path: Path | None = None) -> None:
        self._file, self._path = file, path
        self._places: dict[int, int] = {}
        self.end = 0

    @classmethod
    def at(cls, path: Path) -> Self:
        """Open a file, or make it; `recover` says what is kept of it."""
        return cls(path.open("r+b" if path.exists() else "w+b", buffering=0), path)

    @classmethod
    def temporary(cls) -> Self:
        """Make a file of which nothing stays, even after a kill.

        Raises:
            OutputError: The temporary folder does not take it.
        """
        try:
            return cls(tempfile.TemporaryFile(prefix="ddeal-", buffering=0))
        except OSError as error:
            raise _temporary_error(error) from None

    @classmethod
    def of_soft_file(cls, path: Path, size: tuple[int, int]) -> Self:
        """Open what `SoftWriter` wrote, for reading; it must be of a video of that (H, W).

        Raises:
            InputError: It cannot be read, is damaged, or belongs to a video of another size.
        """
        try:
            file = path.open("rb", buffering=0)
        except OSError as error:
            raise InputError(f"{path} cannot be read: {error.strerror or error}") from None
        log = cls(file, path)
        try:
            records = dict(log._heads(file.seek(0, 2)))
            place = records.pop(HEADER, None)
            if place != 0:
                raise ValueError("it has no header")
            check_header(log._payload(place), size)
        except (OSError, ValueError) as error:
            file.close()
            raise InputError(f"{path} holds no soft masks that can be used here: {error}") from None
        log._places = records
        return log

    def recover(self, count: int, end: int) -> None:
        """Keep so many records that were written before, and drop what lies behind them.

        Raises:
            ValueError: The records do not end there.
        """
        places = dict(self._heads(end))
        if self._file.seek(0, 2) < end or len(places) != count:
            raise ValueError("the records end elsewhere")
        self._file.truncate(end)
        self._places, self.end = places, end

    def _heads(self, end: int) -> Iterator[tuple[int, int]]:
        """Frames and places of all records, which must end there."""
        place = 0
        while place < end:
            self._file.seek(place)
            head = self._file.read(RECORD.size)
            if len(head) < RECORD.size:
                raise ValueError("a record is missing")
            length, _, frame = RECORD.unpack(head)
            yield frame, place
            place += RECORD.size + length
        if place != end:
            raise ValueError("a record is cut short")

    def add(
        self,
        frame: int,
        result: Result,
        object_ids: tuple[int, ...] | None = None,
        *,
        payload: bytes | None = None,
    ) -> None:
        """Keep the result of a frame.

        Args:
            frame: Its number in the whole video.
            result: What was found in it.
            object_ids: Objects of it to keep; all if None. Others fall to the background.
            payload: What `encode_result` made of all of it, where that is known.

        Raises:
            OutputError: The disk does not take it.
        """
        record = framed(frame, payload or encode_result(result, object_ids))
        try:
            self._file.seek(self.end)
            written = self._file.write(record)
            if written < len(record):  # a full disk takes a part, and then says why
                self._file.write(record[written:])
        except OSError as error:
            raise self._failed(error) from None
        self._places[frame] = self.end
        self.end += len(record)

    def __contains__(self, frame: int) -> bool:
        return frame in self._places

    def __len__(self) -> int:
        return len(self._places)

    @property
    def frames(self) -> tuple[int, ...]:
        """Frames with a result, rising."""
        return tuple(sorted(self._places))

    def get(self, frame: int, size: tuple[int, int], device: torch.device) -> Result | None:
        """Read the result of a frame, or None if there is none.

        Args:
            frame: Its number in the whole video.
            size: (H, W) of the frame.
            device: Where the result's probabilities are made.

        Raises:
            OutputError: The file cannot be read.
            ValueError: The record is damaged.
        """
        place = self._places.get(frame)
        if place is None:
            return None
        try:
            payload = self._payload(place)
        except OSError as error:
            raise self._failed(error) from None
        return _decoded(payload, size, device)

    def _payload(self, place: int) -> bytes:
        self._file.seek(place)
        length, checksum, _ = RECORD.unpack(self._file.read(RECORD.size))
        payload = self._file.read(length)
        if zlib.crc32(payload) != checksum:
            raise ValueError("a record's checksum is wrong")
        return payload

    def fileno(self) -> int:
        """Number of the open file, to wait for the disk."""
        return self._file.fileno()

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def _failed(self, error: OSError) -> OutputError:
        if self._path is not None:
            return output_error(self._path, error)
        return _temporary_error(error)


def _temporary_error(error: OSError) -> OutputError:
    return OutputError(
        "results of the way back do not fit into the temporary folder "
        f"{tempfile.gettempdir()} ({error.strerror or error}): free some space, or name another "
        "folder by the environment variable TMPDIR"
    )


def encode_result(result: Result, object_ids: tuple[int, ...] | None = None) -> bytes:
    """Give the payload of a record: see `ResultLog.add`."""
    maps = result.maps
    kept = result.object_ids if object_ids is None else object_ids
    own = [] if maps.given is None else [i for i in kept if i in maps.given.ids]
    packed, mask, shape = b"", b"", None
    if kept:
        places = [result.object_ids.index(number) for number in kept]
        objects = to_uint16(maps.merged)[places]
        packed, shape = zlib.compress(objects.astype("<u2").tobytes(), _LEVEL), objects.shape
    if own and maps.given is not None:
        mask = zlib.compress(maps.given.labels.astype(np.uint8).tobytes(), _LEVEL)
    head = {"index": result.index, "ids": kept, "given": own, "shape": shape, "mask": len(mask)}
    if result.is_final:
        head["final"] = True
    text = json.dumps(head).encode()
    return struct.pack("<I", len(text)) + text + packed + mask


def _decoded(payload: bytes, size: tuple[int, int], device: torch.device) -> Result:
    """Make the result that was encoded.

    Raises:
        ValueError: It is no result of a frame of that size.
    """
    try:
        (length,) = struct.unpack_from("<I", payload)
        head = json.loads(payload[4 : 4 + length])
        ids, given, index = tuple(head["ids"]), list(head["given"]), int(head["index"])
        if not are_ids(ids) or given != list(ids[len(ids) - len(given) :]):
            raise ValueError("ids are wrong")
        if not ids:
            return Result.of_labels(np.zeros(size, np.uint8), index=index)
        count, height, width = (int(side) for side in head["shape"])
        if count != len(ids) or min(height, width) < 1:
            raise ValueError("maps have a wrong shape")
        check_pixels(width, height, named="a kept map")
        flat = _unpacked(payload[4 + length :], 2 * count * height * width)
        objects = np.frombuffer(flat, "<u2").reshape(count, height, width)
        mask: NDArray[np.uint8] | None = None
        if given:
            flat = _unpacked(payload[len(payload) - int(head["mask"]) :], size[0] * size[1])
            mask = np.frombuffer(flat, np.uint8).reshape(size)
        final = head.get("final", False) is True
    except (ArithmeticError, KeyError, TypeError, struct.error, zlib.error) as error:
        raise ValueError(f"a record makes no sense: {error}") from None
    own = None if mask is None else GivenLabels(mask, given)
    maps = Maps(from_uint16(objects, device), size, own)
    return Result(maps, index=index, object_ids=ids, is_final=final)


def _unpacked(packed: bytes, size: int) -> bytes:
    """Unpack, but never more than what belongs there."""
    return zlib.decompressobj().decompress(packed, size)
