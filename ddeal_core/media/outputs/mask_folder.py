"""Label maps as indexed PNG files in a folder."""

from __future__ import annotations

from ddeal_core.media.frame import Frame
from ddeal_core.media.identity import Settings
from ddeal_core.media.masks.mask_images import encode_mask
from ddeal_core.media.matting.cutout import Cutout
from ddeal_core.media.outputs.result_writer import FolderWriter, check_size

__all__ = ["MaskFolderWriter"]


class MaskFolderWriter(FolderWriter):
    """``00000.png`` ... for a video, the images' stems for a folder."""

    @property
    def settings(self) -> Settings:
        """What the pictures hold."""
        return {"kind": "masks"}

    def write(self, frame: Frame, cutout: Cutout) -> None:
        """Write the frame's label map."""
        check_size(frame, cutout)
        self._put(f"{frame.name}.png", encode_mask(cutout.labels))
