"""A lock that the system takes back when its holder dies, however it dies."""

import os
import sys
from contextlib import suppress
from pathlib import Path

__all__ = ["FileLock"]


class FileLock:
    """Held from the beginning until `release`.

    Args:
        path: The file to lock; it is made.

    Raises:
        BlockingIOError: Another holds it.
        OSError: The file cannot be made.
    """

    def __init__(self, path: Path) -> None:
        self._number: int | None = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            _lock(self._number)
        except OSError as error:
            os.close(self._number)
            raise BlockingIOError(f"{path} is held by another process") from error

    def release(self) -> None:
        """Let others have it."""
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
