"""Names that stand for videos, told apart before anything is imported that reads videos."""

import glob
import re
from pathlib import Path

from ddeal_core.errors import MediaError

_LIVE = re.compile(r"camera(:|$)|[a-z][a-z0-9+.-]*://", re.IGNORECASE)


def is_live(name: str) -> bool:
    """Whether a name is standard input (``-``), a camera, a network stream or a named pipe."""
    if name == "-" or Path(name).is_fifo():
        return True
    return _LIVE.match(name) is not None and not Path(name).exists()


def check_there(name: str) -> None:
    """Refuse a name of which nothing can come: no file or folder, no pattern, not live.

    Raises:
        MediaError: It is one.
    """
    if not name:
        raise MediaError("a video has no name: give a file, a folder or a pattern")
    if not (Path(name).exists() or is_live(name) or glob.has_magic(name)):
        raise MediaError(f"there is no file or folder {name}")
