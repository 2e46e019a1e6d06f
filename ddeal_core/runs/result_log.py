"""Results of frames on the disk: added one after the other, and read again in any order.

A record is the length of its payload, the payload's CRC-32 and the frame's number, each a
little-endian uint32; then the payload: the length of a head, the head in JSON, and the packed
probabilities at the network's size, from which labels and all else grow to what they were.
"""

from __future__ import annotations

import json
import struct
import tempfile
import zlib
from pathlib import Path
from typing import IO, Self

import numpy as np
import torch
from numpy.typing import NDArray

from ddeal_core.errors import OutputError
from ddeal_core.media.outputs.result_writer import output_error
from ddeal_core.media.pixel_limit import check_pixels
from ddeal_core.tracking.maps import Given, Maps
from ddeal_core.tracking.quantisation import from_uint16, to_uint16
from ddeal_core.tracking.result import Result
from ddeal_core.tracking.tracker_state import are_ids

__all__ = ["ResultLog"]

_RECORD = struct.Struct("<III")
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
        """Open a file, or make it; `recover` says what is kept of it.

        Raises:
            OSError: It cannot be opened.
        """
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

    def recover(self, count: int, end: int) -> None:
        """Keep so many records that were written before, and drop what lies behind them.

        Raises:
            OSError: The file cannot be read.
            ValueError: The records do not end there.
        """
        places: dict[int, int] = {}
        place = 0
        for _ in range(count):
            self._file.seek(place)
            head = self._file.read(_RECORD.size)
            if len(head) < _RECORD.size or place >= end:
                raise ValueError("a record is missing")
            length, _, frame = _RECORD.unpack(head)
            places[frame] = place
            place += _RECORD.size + length
        if place != end or self._file.seek(0, 2) < end or len(places) != count:
            raise ValueError("the records end elsewhere")
        self._file.truncate(end)
        self._places, self.end = places, end

    def add(self, frame: int, result: Result, object_ids: tuple[int, ...] | None = None) -> None:
        """Keep the result of a frame.

        Args:
            frame: Its number in the whole video.
            result: What was found in it.
            object_ids: Objects of it to keep; all if None. Others fall to the background.

        Raises:
            OutputError: The disk does not take it.
        """
        payload = _encoded(result, result.object_ids if object_ids is None else object_ids)
        record = _RECORD.pack(len(payload), zlib.crc32(payload), frame) + payload
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

    def get(
        self,
        frame: int,
        size: tuple[int, int],
        mask: NDArray[np.integer] | None,
        device: torch.device,
    ) -> Result | None:
        """Read the result of a frame, or None if there is none.

        Args:
            frame: Its number in the whole video.
            size: (H, W) of the frame.
            mask: The label map that was given last when the result was found.
            device: Where the result's probabilities are made.

        Raises:
            OutputError: The file cannot be read.
            ValueError: The record is damaged.
        """
        place = self._places.get(frame)
        if place is None:
            return None
        try:
            self._file.seek(place)
            length, checksum, _ = _RECORD.unpack(self._file.read(_RECORD.size))
            payload = self._file.read(length)
        except OSError as error:
            raise self._failed(error) from None
        if zlib.crc32(payload) != checksum:
            raise ValueError("a record's checksum is wrong")
        return _decoded(payload, size, mask, device)

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


def _encoded(result: Result, kept: tuple[int, ...]) -> bytes:
    maps = result.maps
    given = () if maps.given is None else maps.given.ids
    packed, shape = b"", None
    if kept:
        places = [result.object_ids.index(number) for number in kept]
        objects = to_uint16(maps.merged)[places]
        packed, shape = zlib.compress(objects.astype("<u2").tobytes(), _LEVEL), objects.shape
    head = {
        "index": result.index,
        "ids": kept,
        "given": [number for number in kept if number in given],
        "shape": shape,
    }
    text = json.dumps(head).encode()
    return struct.pack("<I", len(text)) + text + packed


def _decoded(
    payload: bytes, size: tuple[int, int], mask: NDArray[np.integer] | None, device: torch.device
) -> Result:
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
        if given and (mask is None or mask.shape != size):
            raise ValueError("the mask that was given is missing")
        flat = _unpacked(payload[4 + length :], 2 * count * height * width)
        objects = np.frombuffer(flat, "<u2").reshape(count, height, width)
    except (ArithmeticError, KeyError, TypeError, struct.error, zlib.error) as error:
        raise ValueError(f"a record makes no sense: {error}") from None
    own = Given(mask, given) if given and mask is not None else None
    return Result(Maps(from_uint16(objects, device), size, own), index=index, object_ids=ids)


def _unpacked(packed: bytes, size: int) -> bytes:
    """Never more than what belongs there, whatever is packed."""
    return zlib.decompressobj().decompress(packed, size)
