"""Ways to damage a file, each decided by a random generator alone."""

import json
import struct
import zlib
from collections.abc import Callable, Iterator
from typing import Any, Literal

import numpy as np

__all__ = ["Form", "damaged"]

Form = Literal["bytes", "text", "json"]

_PNG = b"\x89PNG\r\n\x1a\n"
Generator = np.random.Generator
_ODD = (0, 1, 0x7F, 0x80, 0xFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 2**63 - 1, 2**64 - 1)
_WORDS: tuple[Any, ...] = (
    None,
    True,
    -1,
    0,
    1.5,
    1e308,
    2**31,
    2**63,
    10**40,
    "",
    "..",
    "/etc/passwd",
    "=1+1",
    "\ud800",
    "a" * 5000,
    [],
    {},
    [[[[[[[[1]]]]]]]],
    {"videos": 1},
)
_NUMBERS: tuple[Any, ...] = (0, -1, 1, 0.5, -0.5, 1e-300, 1e300, 10**6, 10**18)
_RAW = ("NaN", "-Infinity", "1e999", "[" * 50_000, '{"a":' * 3000, "9" * 5000, "\x00", "\ufeff")


def damaged(data: bytes, other: bytes, rng: Generator, *, form: Form = "bytes") -> bytes:
    """Damage a file in one to four ways.

    Args:
        data: The file.
        other: Another file of its kind, to take parts of.
        rng: Decides everything.
        form: Text may be written anew in another encoding, too, and JSON with other values.
    """
    if form != "bytes" and rng.random() < 0.15:
        return _recoded(data.decode(), rng)
    if form == "json" and rng.random() < 0.8:
        return _damaged_json(data, rng)
    content = bytearray(data)
    for _ in range(int(rng.integers(1, 5))):
        _WAYS[int(rng.integers(len(_WAYS)))](content, other, rng)
    if content[:8] == _PNG and rng.random() < 0.7:
        _mend_checksums(content)
    return bytes(content)


def _mend_checksums(content: bytearray) -> None:
    """Give a PNG's chunks right checksums, so that damage gets further than these."""
    place = 8
    while place + 12 <= len(content):
        (length,) = struct.unpack(">I", content[place : place + 4])
        end = place + 8 + length
        if end + 4 > len(content):
            return
        content[end : end + 4] = struct.pack(">I", zlib.crc32(content[place + 4 : end]))
        place = end + 4


def _place(content: bytearray, rng: Generator) -> int:
    # Headers lie at the beginning and at the end: half of all damage goes there.
    size = max(1, len(content))
    near = int(min(size - 1, rng.exponential(64)))
    return (int(rng.integers(size)), near, size - 1 - near)[int(rng.choice(3, p=(0.5, 0.35, 0.15)))]


def _flip(content: bytearray, _: bytes, rng: Generator) -> None:
    for _ in range(int(rng.integers(1, 9))):
        if content:
            content[_place(content, rng)] ^= 1 << int(rng.integers(8))


def _overwrite(content: bytearray, _: bytes, rng: Generator) -> None:
    begin, length = _place(content, rng), int(rng.integers(1, 200))
    filler = rng.integers(0, 256, length, np.uint8).tobytes()
    content[begin : begin + length] = filler if rng.random() < 0.6 else bytes(length)


def _number(content: bytearray, _: bytes, rng: Generator) -> None:
    value = _ODD[int(rng.integers(len(_ODD)))]
    form = ("B", "<H", ">H", "<I", ">I", "<Q", ">Q")[int(rng.integers(7))]
    size = struct.calcsize(form)
    begin = _place(content, rng)
    content[begin : begin + size] = struct.pack(form, value & ((1 << 8 * size) - 1))


def _cut_off(content: bytearray, _: bytes, rng: Generator) -> None:
    del content[int(len(content) * rng.random()) :]


def _remove(content: bytearray, _: bytes, rng: Generator) -> None:
    begin = _place(content, rng)
    del content[begin : begin + int(rng.integers(1, 400))]


def _repeat(content: bytearray, _: bytes, rng: Generator) -> None:
    begin = _place(content, rng)
    part = content[begin : begin + int(rng.integers(1, 400))]
    content[begin:begin] = part * int(rng.integers(1, 6))


def _splice(content: bytearray, other: bytes, rng: Generator) -> None:
    begin, from_ = _place(content, rng), int(rng.integers(max(1, len(other))))
    part = other[from_ : from_ + int(rng.integers(1, 2000))]
    content[begin : begin + (len(part) if rng.random() < 0.5 else 0)] = part


_WAYS: tuple[Callable[[bytearray, bytes, Generator], None], ...] = (
    _flip,
    _flip,
    _overwrite,
    _number,
    _number,
    _cut_off,
    _remove,
    _repeat,
    _splice,
)


def _damaged_json(data: bytes, rng: Generator) -> bytes:
    content = json.loads(data)
    for _ in range(int(rng.integers(1, 4))):
        content = _changed(content, rng)
    text = json.dumps(content)
    if rng.random() < 0.25:
        marks = [i for i, c in enumerate(text) if c in ":,["]
        if marks:
            at = marks[int(rng.integers(len(marks)))] + 1
            text = text[:at] + _RAW[int(rng.integers(len(_RAW)))] + text[at:]
    return text.encode("utf-8", "surrogatepass")


def _changed(value: Any, rng: Generator) -> Any:
    """Put an odd value, or none, in one place inside, each place being as likely as any other."""
    places = list(_places(value))
    *path, last = places[int(rng.integers(len(places)))] if places else (None,)
    if last is None:
        return _WORDS[int(rng.integers(len(_WORDS)))]
    changed = json.loads(json.dumps(value))
    inside = changed
    for key in path:
        inside = inside[key]
    how, old = rng.random(), inside[last]
    if how < 0.08:
        del inside[last]
    elif how < 0.16 and isinstance(inside, dict):
        inside[str(_WORDS[int(rng.integers(len(_WORDS)))])] = inside.pop(last)
    elif how < 0.6 and isinstance(old, int | float):
        inside[last] = _NUMBERS[int(rng.integers(len(_NUMBERS)))]
    else:
        inside[last] = _WORDS[int(rng.integers(len(_WORDS)))]
    return changed


def _places(value: Any, *path: Any) -> Iterator[tuple[Any, ...]]:
    """Keys and indices that lead to each value inside, however deep."""
    inner: Any = value.items() if isinstance(value, dict) else ()
    for key, item in enumerate(value) if isinstance(value, list) else inner:
        yield (*path, key)
        yield from _places(item, *path, key)


def _recoded(text: str, rng: Generator) -> bytes:
    """The text as another program or system may save it."""
    marked = "".join(c + "\u00e9" * (rng.random() < 0.1) for c in text)
    choices = (
        marked.encode("latin-1", "replace"),
        marked.encode("utf-16"),
        marked.encode("utf-16-le"),
        b"\xef\xbb\xbf" + text.encode(),
        text.replace("\n", "\r\n").encode(),
        text.replace("\n", "\r").encode(),
        text.encode() + b"\0",
        marked.encode("utf-8")[:-1],
    )
    return choices[int(rng.integers(len(choices)))]
