"""Label maps as indexed PNG files in a folder."""

from __future__ import annotations

from ddeal_core.media.cutout import Cutout
from ddeal_core.media.frame import Frame
from ddeal_core.media.masks import write_mask
from ddeal_core.media.result_writer import FolderWriter, check_size, output_error

__all__ = ["MaskFolderWriter"]


class MaskFolderWriter(FolderWriter):
    """``00000.png`` ... for a video, the images' stems for a folder."""

    def write(self, frame: Frame, cutout: Cutout) -> None:
        """Write the frame's label map."""
        check_size(frame, cutout)
        if not self.written:
            try:
                self.path.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise output_error(self.path, error) from None
        write_mask(self.path / f"{frame.name}.png", cutout.labels)
        self.written.add(f"{frame.name}.png")
