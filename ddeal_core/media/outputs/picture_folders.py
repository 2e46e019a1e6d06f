"""Results as pictures in folders: label maps, RGBA, and a matte an object, as PNG or EXR."""

from __future__ import annotations

from fractions import Fraction
from io import BytesIO
from pathlib import Path
from typing import Any, Literal

import av
import cv2
import numpy as np
from av.codec.context import CodecContext
from av.video.codeccontext import VideoCodecContext
from numpy.typing import NDArray
from PIL import Image

from ddeal_core.errors import InputError, OutputError
from ddeal_core.media.frame import Frame
from ddeal_core.media.identity import Settings
from ddeal_core.media.masks.mask_images import encode_mask
from ddeal_core.media.matting.composites import straight_alpha
from ddeal_core.media.matting.cutout import Cutout
from ddeal_core.media.outputs.result_writer import FolderWriter, check_size
from ddeal_core.whole_files import write_output

_JPEG_QUALITY = 92


def encode_png(image: NDArray[Any]) -> bytes:
    """Grey, RGB or RGBA of 8 or 16 bits as a PNG file; the same pixels give the same bytes."""
    if image.dtype == np.uint16:
        order = [2, 1, 0, 3] if image.ndim == 3 else slice(None)
        done, data = cv2.imencode(".png", image[..., order], [cv2.IMWRITE_PNG_COMPRESSION, 3])
        assert done
        return data.tobytes()
    buffer = BytesIO()
    # level 3: a third of the default's time for some percent of its size
    Image.fromarray(image).save(buffer, "PNG", compress_level=3)
    return buffer.getvalue()


def encode_exr(matte: NDArray[Any]) -> bytes:
    """A matte as the bytes of an OpenEXR file: half floats of 0 to 1, one channel, "Y"."""
    values = matte.astype(np.float32) / np.float32(np.iinfo(matte.dtype).max)
    encoder = CodecContext.create("exr", "w")
    assert isinstance(encoder, VideoCodecContext)
    encoder.height, encoder.width = values.shape
    encoder.pix_fmt, encoder.time_base = "grayf32le", Fraction(1, 24)
    encoder.options = {"format": "half", "compression": "zip16"}
    picture = av.VideoFrame.from_ndarray(values, format="grayf32le")
    packets = [*encoder.encode(picture), *encoder.encode(None)]
    return b"".join(bytes(packet) for packet in packets)


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


class MaskFolderWriter(FolderWriter):
    """Label maps as indexed PNG files, named like the frames."""

    @property
    def settings(self) -> Settings:
        """What the pictures hold."""
        return {"kind": "masks"}

    def write(self, frame: Frame, cutout: Cutout) -> None:
        """Write the frame's label map."""
        check_size(frame, cutout)
        self._put(f"{frame.name}.png", encode_mask(cutout.labels))


class RgbaFolderWriter(FolderWriter):
    """The cut-out as RGBA pictures, colour straight (not multiplied by alpha).

    With `hard`, alpha is 0 or full; with `deep`, there are 16 bits instead of 8.
    """

    def __init__(self, path: Path, *, hard: bool = False, deep: bool = False) -> None:
        super().__init__(path)
        self._hard, self._deep = hard, deep

    @property
    def settings(self) -> Settings:
        """What the pictures hold."""
        return {"kind": "rgba", "hard": self._hard, **({"depth": 16} if self._deep else {})}

    def write(self, frame: Frame, cutout: Cutout) -> None:
        """Write ``<name>.png``; where alpha is 0 its colour is black."""
        check_size(frame, cutout)
        if self._deep:
            cutout = cutout.deep(frame.deep)
        rgba = straight_alpha(
            cutout.paint(hard=self._hard), cutout.opacity(hard=self._hard), margin=0
        )
        self._put(f"{frame.name}.png", encode_png(rgba))


class MatteFolderWriter(FolderWriter):
    """A folder an object, named by its id, with a grey picture a frame.

    All folders hold all frames: those before an object begins are black. With `hard`, mattes are 0
    or full; PNG has 8 bits, or 16 with `deep`, and OpenEXR half floats in any case.
    """

    def __init__(
        self,
        path: Path,
        *,
        hard: bool = False,
        deep: bool = False,
        form: Literal["png", "exr"] = "png",
    ) -> None:
        super().__init__(path)
        self._pattern = f"*/*.{form}"
        self._hard, self._deep, self._form = hard, deep or form == "exr", form
        self._object_ids: set[int] = set()
        self._names: list[str] = []

    @property
    def settings(self) -> Settings:
        """What the pictures hold."""
        depth = {"depth": 16} if self._deep and self._form == "png" else {}
        return {"kind": "mattes" if self._form == "png" else "exr", "hard": self._hard, **depth}

    def write(self, frame: Frame, cutout: Cutout) -> None:
        """Write ``<id>/<name>.png`` or ``.exr`` for every object known by now."""
        check_size(frame, cutout)
        if self._deep:
            cutout = cutout.deep(frame.deep)
        for object_id in sorted(set(cutout.object_ids) - self._object_ids):
            self._object_ids.add(object_id)
            for name in self._names:
                self._write(object_id, name, np.zeros(frame.size, cutout.image.dtype))
        self._names.append(f"{frame.name}.{self._form}")
        for object_id in sorted(self._object_ids):
            matte = cutout.matte(object_id, hard=self._hard)
            self._write(object_id, self._names[-1], matte)

    def finish(self) -> None:
        """Refuse to be without an object."""
        if self._names and not self._object_ids:
            raise OutputError(f"no object was seen, so {self.path} was not written")
        super().finish()

    def _write(self, object_id: int, name: str, matte: NDArray[Any]) -> None:
        encoded = encode_png(matte) if self._form == "png" else encode_exr(matte)
        self._put(f"{object_id}/{name}", encoded)
