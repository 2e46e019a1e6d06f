"""Soft masks as one file, from which ``ddeal render`` makes every other output.

The file is a row of records, each framed by the length of its payload, the payload's CRC-32 and
the frame's number, little-endian uint32. The first stands for no frame: it says in JSON what the
file is. The others are what `ddeal_core.runs.result_log` makes of the results, before finishing.
"""

from __future__ import annotations

import json
import struct
import zlib
from pathlib import Path

from ddeal_core.media.frame import Frame
from ddeal_core.media.identity import Settings
from ddeal_core.media.matting.cutout import Cutout
from ddeal_core.media.outputs.result_writer import RecordWriter, check_size

SOFT_ENDING = ".soft"
RECORD = struct.Struct("<III")
HEADER = 0xFFFFFFFF
"""Number of the record that stands for no frame."""

_FORMAT, _VERSION = "ddeal soft masks", 1


def framed(frame: int, payload: bytes) -> bytes:
    """Give the bytes of a record."""
    return RECORD.pack(len(payload), zlib.crc32(payload), frame) + payload


def check_header(payload: bytes, size: tuple[int, int]) -> None:
    """Hold the first record against a video of (height, width).

    Raises:
        ValueError: It is no header, or one of another version or size.
    """
    try:
        head = json.loads(payload)
        kind, version = head["format"], head["version"]
        own = (int(head["height"]), int(head["width"]))
    except (KeyError, TypeError, ValueError, RecursionError):
        raise ValueError("its header is damaged") from None
    if kind != _FORMAT or version != _VERSION:
        raise ValueError(f"it is {kind!r}, version {version!r}")
    if own != size:
        raise ValueError(f"it is of a video of {own[1]}x{own[0]}, not {size[1]}x{size[0]}")


class SoftWriter(RecordWriter):
    """Keeps what was found in each frame, as it was found.

    Args:
        path: The file.
        size: (height, width) of the video.
    """

    def __init__(self, path: Path, *, size: tuple[int, int]) -> None:
        super().__init__(path)
        head = {"format": _FORMAT, "version": _VERSION, "height": size[0], "width": size[1]}
        self._head = framed(HEADER, json.dumps(head).encode())

    @property
    def settings(self) -> Settings:
        """What the file holds."""
        return {"kind": "soft", "version": _VERSION}

    def write(self, frame: Frame, cutout: Cutout) -> None:
        """Add the frame's record."""
        check_size(frame, cutout)
        self._put(framed(frame.index, cutout.record()), head=self._head)
