"""Frames that are image files: a folder, a pattern, or a single picture."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Unpack

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile

from ddeal_core.errors import MediaError
from ddeal_core.media.file_kinds import IMAGE_ENDINGS
from ddeal_core.media.frame import DeepPicture, Frame, upright
from ddeal_core.media.identity import Settings, identity_of_files
from ddeal_core.media.picture_files import opened_picture, stored_orientation
from ddeal_core.media.sources.damage import DamageRecord
from ddeal_core.media.sources.frame_source import FrameSource, SourceInfo, SourceOptions

_DEFAULT_RATE = Fraction(24)


def read_image(path: Path) -> NDArray[np.uint8]:
    """Read an image as it is displayed (EXIF orientation applied, alpha dropped).

    Returns:
        HxWx3 uint8 RGB; 16-bit grey is scaled to 8 bits.

    Raises:
        MediaError: Missing, no image, damaged or absurdly large.
    """
    with opened_picture(path) as opened:
        image = ImageOps.exif_transpose(opened)
        if image.mode.startswith(("I", "F")):
            grey = np.nan_to_num(np.asarray(image).astype(np.float64))
            if image.mode.startswith("I;16") or grey.max() > 255:
                grey = grey / 257
            eight = np.clip(np.rint(grey), 0, 255).astype(np.uint8)
            return np.ascontiguousarray(np.repeat(eight[..., None], 3, axis=2))
        if image.mode == "P" and "transparency" in image.info:
            image = image.convert("RGBA")
        return np.array(image.convert("RGB"), dtype=np.uint8)


def _has_16_bits(image: Image.Image) -> bool:
    """Whether an opened PNG or TIFF is grey or RGB of 16 bits; nothing is decoded."""
    if not isinstance(image, PngImageFile | TiffImageFile) or not image.tile:
        return False
    args = image.tile[0][3]
    coded = str(args[0] if isinstance(args, tuple) else args)
    return coded.startswith(("RGB", "I;16", "LA;16")) and ";16" in coded and "S" not in coded


@dataclass(frozen=True, slots=True)
class _DeepImage(DeepPicture):
    """The file, read again with all its bits when they are wanted."""

    path: Path

    def rgb(self, *, hdr: bool = False) -> NDArray[np.uint16]:
        """See `DeepPicture`; alpha is dropped. MediaError where the file is not what it was."""
        del hdr
        with opened_picture(self.path) as image:  # checks what may be decoded
            if not _has_16_bits(image):
                raise MediaError(f"{self.path} was replaced while it was in use")
            size, orientation = stored_orientation(image)
            if image.format == "TIFF":  # which OpenCV turns itself, whatever the flag
                size, orientation = (size[::-1] if orientation >= 5 else size), 1
            data = np.fromfile(self.path, np.uint8)
            how = cv2.IMREAD_ANYDEPTH | cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
            values = cv2.imdecode(data, how)
            if values is None or values.dtype != np.uint16 or values.shape[1::-1] != size:
                raise MediaError(f"{self.path} cannot be decoded with 16 bits")
        turn = orientation >= 5, orientation in (2, 3, 6, 7), orientation in (3, 4, 7, 8)
        return upright(values[..., ::-1], turn)


def _displayed_size(path: Path) -> tuple[tuple[int, int], bool]:
    """Read from the file's head (height, width), and whether it has 16 bits to be kept."""
    with opened_picture(path) as image:
        (width, height), orientation = stored_orientation(image)
        deep = _has_16_bits(image)
    return ((width, height) if orientation in (5, 6, 7, 8) else (height, width)), deep


class ImageSource(FrameSource):
    """Image files as frames; time stamps count them at a constant rate.

    Args:
        path: What the user named (for messages).
        files: The images in order; all of the same size.
        frame_rate: Frames a second, 24 unless given.
        options: See `open_source`.

    Attributes:
        files: All images in order, whatever `start` and `end`.

    Raises:
        MediaError: No file, one that is no image, another size, or two of the same stem.
        InputError: `start` and `end` contradict each other.
    """

    def __init__(
        self,
        path: Path,
        files: Sequence[Path],
        *,
        frame_rate: Fraction | None = None,
        **options: Unpack[SourceOptions],
    ) -> None:
        super().__init__(path, **options)
        if not files:
            raise MediaError(f"{path} holds no images ({', '.join(sorted(IMAGE_ENDINGS))})")
        if frame_rate is not None and frame_rate <= 0:
            raise MediaError(f"a frame rate is positive, not {frame_rate}")
        if self.start >= len(files):
            raise MediaError(
                f"{path} has {len(files)} images: there is no frame {self.start} to start at"
            )
        self.files = tuple(files)
        self._indices: dict[str, int] = {}
        self._deep: set[int] = set()
        first: tuple[Path, tuple[int, int]] | None = None
        for index, file in enumerate(self.files):
            if "\\" in file.stem:
                raise MediaError(f"{file} has a backslash in its name, which results cannot have")
            if file.stem in self._indices:
                raise MediaError(
                    f"{self.files[self._indices[file.stem]]} and {file.name} would give the same "
                    "result name: keep one of them"
                )
            self._indices[file.stem] = index
            try:
                size, deep = _displayed_size(file)
            except MediaError:
                if self.on_error == "stop":
                    raise
                continue
            if deep:
                self._deep.add(index)
            if first is None:
                first = file, size
            elif size != first[1]:
                raise MediaError(
                    f"{file} is {size[1]}x{size[0]} pixels but {first[0].name} is "
                    f"{first[1][1]}x{first[1][0]}: all images must be of one size"
                )
        if first is None:
            raise MediaError(f"{path} has no image that can be read")
        rate = frame_rate or _DEFAULT_RATE
        self.info = SourceInfo(
            size=first[1],
            frame_rate=rate,
            time_base=1 / rate,
            frame_count=len(self.files[self.start : self.end]),
            frame_count_is_exact=True,
            is_video=False,
            bits=16 if self._deep else 8,
        )

    def frame_named(self, name: str) -> int | None:
        """Index of the image with this stem, or None."""
        return self._indices.get(name)

    def _identify(self) -> Settings:
        files = self.files[self.start : self.end]
        return {
            "name": self.path.name,
            "images": len(files),
            "rate": str(self.info.frame_rate),
            "sampled_sha256": identity_of_files(files, MediaError),
        }

    def __iter__(self) -> Generator[Frame]:
        """Read the files one after the other.

        Raises:
            MediaError: A file cannot be read; the message names it and its number.
        """
        self.damage = DamageRecord(self.path, self.on_error)
        yield from self.part(self.start, len(self.files))
        self.damage.warn()

    def part(self, first: int, stop: int) -> Generator[Frame]:
        """Read some of the files: see `FrameSource.part`."""
        last: NDArray[np.uint8] | None = None
        deep: _DeepImage | None = None
        for index in range(first, min(stop, self.end or stop, len(self.files))):
            file = self.files[index]
            held = False
            try:
                image = read_image(file)
                if image.shape[:2] != self.info.size:
                    raise MediaError(f"{file} changed its size while it was in use")
                last = image
                deep = _DeepImage(file) if index in self._deep else None
            except MediaError as error:
                if self.on_error == "stop":
                    raise MediaError(f"frame {index}: {error}") from None
                self.damage.lose(index, str(error))
                held = True
            if last is None or (held and self.on_error == "skip"):
                self.damage.unheld += self.on_error == "hold"
                continue
            yield Frame(
                image=last,
                index=index,
                pts=index,
                duration=1,
                time_base=self.info.time_base,
                name=file.stem,
                held=held,
                deep=deep,
            )
