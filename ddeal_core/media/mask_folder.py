"""Label maps as indexed PNG files in a folder."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ddeal_core.errors import OutputError
from ddeal_core.media.frame import Frame
from ddeal_core.media.masks import write_mask
from ddeal_core.media.result_writer import ResultWriter, check_planes, output_error

__all__ = ["MaskFolderWriter"]

_log = logging.getLogger(__name__)


class MaskFolderWriter(ResultWriter):
    """``00000.png`` ... for a video, the images' stems for a folder.

    Each mask appears whole, by a rename; masks stay when a later frame fails. Files of the same
    name are replaced, others are left, with a warning when the writing is done.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        if path.exists() and not path.is_dir():
            raise OutputError(f"{path} is a file; a folder of masks cannot have its name")
        self._written: set[str] = set()

    def write(self, frame: Frame, labels: NDArray[np.uint8], alpha: NDArray[np.uint8]) -> None:
        """Write the frame's label map; `alpha` is not used."""
        check_planes(frame, labels, alpha)
        if not self._written:
            try:
                self.path.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise output_error(self.path, error) from None
        write_mask(self.path / f"{frame.name}.png", labels)
        self._written.add(f"{frame.name}.png")

    def finish(self) -> None:
        """Check that there was something to write."""
        if not self._written:
            raise OutputError(f"no frame came, so {self.path} was not written")
        strangers = {file.name for file in self.path.glob("*.png")} - self._written
        if strangers:
            _log.warning(
                "%s also holds %d PNG files of another run, such as %s",
                self.path,
                len(strangers),
                min(strangers),
            )

    def abandon(self) -> None:
        """Keep the masks: each is whole."""
