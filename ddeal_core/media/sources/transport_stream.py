"""Looking at the packets of an MPEG transport stream, where FFmpeg does not tell what it saw."""

from __future__ import annotations

from pathlib import Path

_SYNC = 0x47
_SIZES = (188, 192, 204)  # bytes a packet: plain, with a time stamp before it, with parity behind
_LONGEST = 64 << 20  # bytes of one picture


def restarts_between(path: Path, pid: int, first: int, second: int) -> bool:
    """Whether another recording begins between two pictures, and nothing of the first is missing.

    The parts of the first picture have counters without a hole, and the program's table comes
    again between its last part and the second picture, as at the beginning of every recording.

    Args:
        path: The file.
        pid: The stream's number.
        first: Byte at which the first picture begins, or some bytes before.
        second: Byte at which the next one begins.
    """
    if not first < second <= first + _LONGEST:
        return False
    try:
        with path.open("rb") as file:
            file.seek(first)
            data = file.read(second - first)
    except OSError:
        return False
    frame = _frame_of(data)
    if frame is None:
        return False
    begin, size = frame
    counter: int | None = None
    table = False
    for at in range(begin, len(data) - 3, size):
        number = int.from_bytes(data[at + 1 : at + 3], "big") & 0x1FFF
        if number == 0:
            table = True
        has_payload = bool(data[at + 3] & 0x10)
        if number != pid or not has_payload:
            continue
        if counter is not None and data[at + 3] & 0x0F not in (counter, (counter + 1) % 16):
            return False
        counter, table = data[at + 3] & 0x0F, False
    return table and counter is not None


def _frame_of(data: bytes) -> tuple[int, int] | None:
    """Find where the first packet begins, and how long each is."""
    for size in _SIZES:
        for begin in range(min(size, len(data))):
            if data[begin] == _SYNC and not data[begin::size].strip(bytes([_SYNC])):
                return begin, size
    return None
