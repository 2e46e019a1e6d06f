"""Results as PNG files in folders: RGBA pictures, and one matte an object."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ddeal_core.errors import InputError, OutputError
from ddeal_core.media.frame import Frame
from ddeal_core.media.identity import Settings
from ddeal_core.media.matting.composites import straight_alpha
from ddeal_core.media.matting.cutout import Cutout
from ddeal_core.media.outputs.result_writer import FolderWriter, check_size, write_output

__all__ = ["MatteFolderWriter", "RgbaFolderWriter"]


_JPEG_QUALITY = 92


def encode_png(image: NDArray[np.uint8]) -> bytes:
    """Grey, RGB or RGBA as the bytes of a PNG file; the same pixels give the same bytes."""
    buffer = BytesIO()
    # level 3: a third of the default's time for some percent of its size
    Image.fromarray(image).save(buffer, "PNG", compress_level=3)
    return buffer.getvalue()


def write_picture(path: Path, image: NDArray[np.uint8]) -> None:
    """Write grey or RGB as JPEG or PNG, by the ending; it appears whole.

    Raises:
        InputError: The name ends otherwise.
        OutputError: The file cannot be written.
    """
    ending = path.suffix.lower()
    if ending == ".png":
        write_output(path, encode_png(image))
    elif ending in (".jpg", ".jpeg"):
        buffer = BytesIO()
        Image.fromarray(image).save(buffer, "JPEG", quality=_JPEG_QUALITY, subsampling=0)
        write_output(path, buffer.getvalue())
    else:
        raise InputError(f"a picture ends in .jpg or .png, not {path.name!r}")


class RgbaFolderWriter(FolderWriter):
    """The cut-out as RGBA pictures, colour straight (not multiplied by alpha).

    Args:
        path: The folder.
        hard: Alpha is 0 or 255.
    """

    def __init__(self, path: Path, *, hard: bool = False) -> None:
        super().__init__(path)
        self._hard = hard

    @property
    def settings(self) -> Settings:
        """What the pictures hold."""
        return {"kind": "rgba", "hard": self._hard}

    def write(self, frame: Frame, cutout: Cutout) -> None:
        """Write ``<name>.png``; where alpha is 0 its colour is black."""
        check_size(frame, cutout)
        rgba = straight_alpha(
            cutout.paint(hard=self._hard), cutout.opacity(hard=self._hard), margin=0
        )
        self._put(f"{frame.name}.png", encode_png(rgba))


class MatteFolderWriter(FolderWriter):
    """A folder an object, named by its id, with an 8-bit grey picture a frame.

    All folders hold all frames: those before an object begins are black.

    Args:
        path: The folder above them.
        hard: Mattes are 0 or 255.
    """

    _pattern = "*/*.png"

    def __init__(self, path: Path, *, hard: bool = False) -> None:
        super().__init__(path)
        self._hard = hard
        self._object_ids: set[int] = set()
        self._names: list[str] = []

    @property
    def settings(self) -> Settings:
        """What the pictures hold."""
        return {"kind": "mattes", "hard": self._hard}

    def write(self, frame: Frame, cutout: Cutout) -> None:
        """Write ``<id>/<name>.png`` for every object known by now."""
        check_size(frame, cutout)
        for object_id in sorted(set(cutout.object_ids) - self._object_ids):
            self._object_ids.add(object_id)
            for name in self._names:
                self._write(object_id, name, np.zeros(frame.size, np.uint8))
        self._names.append(f"{frame.name}.png")
        for object_id in sorted(self._object_ids):
            matte = cutout.matte(object_id, hard=self._hard)
            self._write(object_id, self._names[-1], matte)

    def finish(self) -> None:
        """Check that there was an object.

        Raises:
            OutputError: No object was seen.
        """
        if self._names and not self._object_ids:
            raise OutputError(f"no object was seen, so {self.path} was not written")
        super().finish()

    def _write(self, object_id: int, name: str, matte: NDArray[np.uint8]) -> None:
        self._put(f"{object_id}/{name}", encode_png(matte))
