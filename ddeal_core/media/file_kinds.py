"""Endings by which files are known in a folder, and the order of their names."""

from __future__ import annotations

import os
import re
from pathlib import Path

StrPath = str | os.PathLike[str]

IMAGE_ENDINGS = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})

VIDEO_ENDINGS = (
    ".3gp", ".avi", ".flv", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg",
    ".mts", ".mxf", ".ogv", ".ts", ".vob", ".webm", ".wmv", ".y4m",
)  # fmt: skip
"""Of videos that are read; those that are named may have any."""


def is_image(path: Path) -> bool:
    """Whether a file in a folder is an image of it: by its ending, and not hidden."""
    return path.suffix.lower() in IMAGE_ENDINGS and path.name[0] != "." and path.is_file()


def natural_key(name: str) -> tuple[tuple[int, int | str, str], ...]:
    """Sort key in which "frame2" comes before "frame10"."""
    parts = re.split(r"(\d+)", name.casefold())
    return tuple(
        (0, int(part), part) if part.isdecimal() else (1, part, part) for part in parts if part
    )
