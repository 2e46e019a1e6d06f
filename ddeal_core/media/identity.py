"""What tells one input from another: checksums, also a quick one for very large files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ddeal_core.errors import InputError

Settings = Mapping[str, Any]
"""What determines bytes, as plain JSON types."""

_WHOLE = 2 << 20
_BLOCK, _BLOCKS = 64 << 10, 16


def sha256_of_file(path: Path) -> str:
    """Checksum of all bytes, in hexadecimal.

    Raises:
        OSError: The file cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_of_array(array: NDArray[np.generic]) -> str:
    """Checksum of an array's type, shape and values."""
    digest = hashlib.sha256(f"{array.dtype.str}{array.shape}".encode())
    digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def sampled_sha256(path: Path) -> str:
    """Checksum of a file's size and of 1 MiB of it: 16 blocks, evenly spread, both ends included.

    Files of up to 2 MiB are read whole. It tells one recording or rendering from another at any
    size in milliseconds; an edit of a few bytes in a large file can escape it.

    Raises:
        OSError: The file cannot be read.
    """
    size = path.stat().st_size
    digest = hashlib.sha256(f"{size}:".encode())
    with path.open("rb") as file:
        if size <= _WHOLE:
            digest.update(file.read())
        else:
            for block in range(_BLOCKS):
                file.seek((size - _BLOCK) * block // (_BLOCKS - 1))
                digest.update(file.read(_BLOCK))
    return digest.hexdigest()


def file_identity(path: Path, error: type[InputError] = InputError) -> dict[str, Any]:
    """Name, size and `sampled_sha256` of a file, wherever it is.

    Raises:
        InputError: The file cannot be read; it is of the class `error`.
    """
    try:
        size = path.stat().st_size
        return {"name": path.name, "bytes": size, "sampled_sha256": sampled_sha256(path)}
    except OSError as wrong:
        raise error(f"{path} cannot be read: {wrong.strerror or wrong}") from None


def identity_of_files(paths: Iterable[Path], error: type[InputError]) -> str:
    """Checksum of the `file_identity` of several files, in their order."""
    digest = hashlib.sha256()
    for path in paths:
        digest.update(json.dumps(file_identity(path, error), sort_keys=True).encode())
    return digest.hexdigest()
