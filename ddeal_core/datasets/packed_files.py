"""Files of packed data: pictures reduced to the size at which training sees them.

Pictures become WebP, which at the same error takes two thirds of JPEG's bytes; masks become grey
PNG without the palette's 768 bytes. Nothing is ever enlarged. Every function writes one item, `to`
with a suffix, and returns the paths of its files; `short_side` is the longest shorter side in
pixels, None for any, and `quality` that of WebP, 1 to 100.
"""

from collections.abc import Callable
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from typing import NamedTuple, TypeVar

import av
import cv2
import numpy as np
from PIL import Image

from ddeal_core.datasets.arrays import Array
from ddeal_core.datasets.backgrounds import MOST_FRAMES
from ddeal_core.datasets.clip import shows_objects
from ddeal_core.datasets.pictures import read_picture
from ddeal_core.datasets.real import read_ids
from ddeal_core.datasets.stills import Still
from ddeal_core.errors import DatasetError, MediaError
from ddeal_core.media.sources.decoding import open_container, video_stream

# One thread, and no macroblock tree: the same bytes every time.
_X264 = {"crf": "26", "preset": "slow", "threads": "1", "mbtree": "0"}

_UNBOUNDED = 1 << 16

ItemT = TypeVar("ItemT")


class Reduction(NamedTuple):
    """How small pictures become."""

    short_side: int | None
    quality: int


def copy_file(file: Path, to: Path) -> list[Path]:
    """Write a file as it is."""
    path = to.with_name(file.name)
    path.write_bytes(file.read_bytes())
    return [path]


def pack_frame(small: Reduction, file: Path, to: Path) -> list[Path]:
    """Write a picture file."""
    return [_pack_picture(read_picture(file, max_side=_UNBOUNDED), file, to, small)]


def pack_mask(small: Reduction, file: Path, to: Path) -> list[Path]:
    """Write the mask of a frame."""
    return [pack_labels(read_ids(file), to, short_side=small.short_side)]


def pack_still(
    small: Reduction, read: Callable[[ItemT], Still], item: ItemT, to: Path
) -> list[Path]:
    """Write an image to ``images`` and its label map to ``masks`` beside it."""
    still = read(item)
    file: Path = item.image  # type: ignore[attr-defined]
    # Without objects 255 would be read as one.
    labels = still.labels if still.objects else np.zeros_like(still.labels)
    beside = to.parent.with_name("masks") / to.name
    return [
        _pack_picture(still.image, file, to, small),
        pack_labels(labels, beside, short_side=small.short_side),
    ]


def pack_object(
    small: Reduction, read: Callable[[ItemT], Array], item: ItemT, to: Path
) -> list[Path]:
    """Write an object with alpha, or a folder with all sides of a thing."""
    rgba = read(item)
    if rgba.ndim == 3:
        return [pack_cutout(rgba, to, **small._asdict())]
    to.mkdir()
    return [pack_cutout(side, to / f"{i:05d}", **small._asdict()) for i, side in enumerate(rgba)]


def _pack_picture(image: Array, file: Path, to: Path, small: Reduction) -> Path:
    """Write ``image [H, W, 3]``, or copy its file where that is as large and takes fewer bytes."""
    shown = _reduced(image, small.short_side, cv2.INTER_AREA)
    buffer = BytesIO()
    Image.fromarray(shown).save(buffer, "WEBP", quality=small.quality, method=4)
    packed, path = buffer.getvalue(), to.with_name(to.name + ".webp")
    if shown is image and file.stat().st_size <= len(packed):
        packed, path = file.read_bytes(), to.with_name(to.name + file.suffix.lower())
    path.write_bytes(packed)
    return path


def pack_labels(labels: Array, to: Path, *, short_side: int | None) -> Path:
    """Write ``labels [H, W]`` (0 background, 255 ignore), reduced by nearest pixels."""
    small = _reduced(labels, short_side, cv2.INTER_NEAREST)
    if shows_objects(labels) and not shows_objects(small):
        # 0 and 255 alone would be read as one object.
        small = np.zeros_like(small)
    path = to.with_name(to.name + ".png")
    Image.fromarray(small).save(path, "PNG", optimize=True)
    return path


def pack_cutout(rgba: Array, to: Path, *, short_side: int | None, quality: int) -> Path:
    """Write an object ``[H, W, 4]``, alpha not multiplied in; alpha keeps all its values."""
    image = Image.fromarray(rgba)
    height, width = _reduced_size(rgba.shape[0], rgba.shape[1], short_side)
    if (width, height) != image.size:
        # Pillow multiplies alpha in before it averages, so that no clear colour bleeds in.
        image = image.resize((width, height), Image.Resampling.BOX)
    lossy, lossless = BytesIO(), BytesIO()
    image.save(lossy, "WEBP", quality=quality, alpha_quality=100, method=4)
    image.save(lossless, "WEBP", lossless=True, method=4)  # often smaller for drawn objects
    path = to.with_name(to.name + ".webp")
    path.write_bytes(min(lossless.getvalue(), lossy.getvalue(), key=len))
    return path


def pack_video(
    video: Path, to: Path, *, short_side: int | None, max_frames: int = MOST_FRAMES
) -> list[Path]:
    """Write the first frames of a video as H.264, or copy the file where that is smaller.

    Raises:
        DatasetError: It cannot be read.
    """
    path = to.with_name(to.name + ".mp4")
    try:
        whole = _encode(video, path, short_side, max_frames)
    except (MediaError, av.FFmpegError, ValueError) as error:
        raise DatasetError(f"{video} cannot be read as a video ({error})") from None
    if whole and video.stat().st_size <= path.stat().st_size:
        path.unlink()
        path = to.with_name(to.name + video.suffix.lower())
        path.write_bytes(video.read_bytes())
    return [path]


def _encode(video: Path, to: Path, short_side: int | None, max_frames: int) -> bool:
    """Encode, and say whether all of the video is there as large as it was."""
    whole = True
    with open_container(video, named=video) as container, av.open(to, "w") as output:
        source, stream = video_stream(container, named=video), None
        source.thread_type = "SLICE"
        for count, frame in enumerate(container.decode(source)):
            if count == max_frames:
                whole = False
                break
            if stream is None:
                height, width = _reduced_size(frame.height, frame.width, short_side)
                whole = (height, width) == (frame.height, frame.width)
                stream = output.add_stream(
                    "libx264", rate=Fraction(source.average_rate or 25).limit_denominator(1001)
                )
                # 4:2:0 takes even sides.
                stream.width, stream.height = width // 2 * 2, height // 2 * 2
                stream.pix_fmt = "yuv420p"
                stream.options = dict(_X264)
            image = frame.to_ndarray(
                format="rgb24", width=stream.width, height=stream.height, interpolation="AREA"
            )
            output.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        if stream is None:
            raise DatasetError(f"{video} has no frames")
        output.mux(stream.encode())
    return whole


def _reduced(image: Array, short_side: int | None, how: int) -> Array:
    height, width = _reduced_size(image.shape[0], image.shape[1], short_side)
    if (height, width) == image.shape[:2]:
        return image
    return np.asarray(cv2.resize(image, (width, height), interpolation=how), dtype=np.uint8)


def _reduced_size(height: int, width: int, short_side: int | None) -> tuple[int, int]:
    if short_side is None or min(height, width) <= short_side:
        return height, width
    factor = short_side / min(height, width)
    return round(height * factor), round(width * factor)
