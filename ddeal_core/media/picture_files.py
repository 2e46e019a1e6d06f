"""Opening image files that may come from anybody."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from os import PathLike

from PIL import Image, UnidentifiedImageError
from PIL.TiffImagePlugin import TiffImageFile

from ddeal_core.errors import InputError, MediaError
from ddeal_core.media.pixel_limit import check_pixels, max_pixels

# Formats that people keep pictures and masks in. The others are left out whatever a file's ending
# says: Pillow would run Ghostscript for PostScript, and few look after the rest.
_FORMATS = (
    "AVIF", "BMP", "DIB", "GIF", "JPEG", "JPEG2000", "MPO", "PNG", "PPM", "TGA", "TIFF", "WEBP",
)  # fmt: skip

_ORIENTATION = 0x0112


@cache
def _formats() -> tuple[str, ...]:
    Image.init()
    return tuple(name for name in _FORMATS if name in Image.OPEN)


def stored_orientation(image: Image.Image) -> tuple[tuple[int, int], int]:
    """(width, height) as stored, and the EXIF orientation, 1 to 8, from an opened file's head."""
    if isinstance(image, TiffImageFile):  # whose `size` may be turned already
        tags = image.tag_v2
        return (tags[256], tags[257]), tags.get(_ORIENTATION, 1)
    # asking a PNG for EXIF that its head lacks would decode all of it
    asked = image.format != "PNG" or "exif" in image.info
    return image.size, image.getexif().get(_ORIENTATION, 1) if asked else 1


@contextmanager
def opened_picture(path: str | PathLike[str], *, named: object = None) -> Iterator[Image.Image]:
    """Open an image whose kind and claimed size are harmless; decode it inside the `with`.

        with opened_picture(path) as image:
            pixels = np.asarray(image.convert("RGB"))

    Args:
        path: The file.
        named: What messages call it; `path` if None.

    Yields:
        The image, not decoded yet.

    Raises:
        MediaError: It is missing, no image of a known kind, larger than `max_pixels`, or what is
            done with it inside the `with` fails: Pillow raises nearly anything on damaged files.
    """
    name = path if named is None else named
    if Image.MAX_IMAGE_PIXELS is not None and max_pixels() > Image.MAX_IMAGE_PIXELS:
        Image.MAX_IMAGE_PIXELS = max_pixels()  # Pillow's own limit would come first
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's hints on odd metadata
            with Image.open(path, formats=_formats()) as image:
                check_pixels(*image.size, named=name)
                yield image
    except InputError:
        raise
    except FileNotFoundError:
        raise MediaError(f"there is no file {name}") from None
    except IsADirectoryError:
        raise MediaError(f"{name} is a folder, not an image") from None
    except UnidentifiedImageError:
        raise MediaError(f"{name} is no image that can be read") from None
    except Image.DecompressionBombError:
        raise MediaError(
            f"{name} is far larger than the limit of {max_pixels()} pixels (DDEAL_MAX_PIXELS)",
            remedy="max_pixels",
        ) from None
    except MemoryError:
        raise MediaError(f"{name} needs more memory than there is") from None
    except OSError as error:
        raise MediaError(f"{name} cannot be read as an image: {_reason(error)}") from None
    except Exception as error:
        raise MediaError(f"{name} is a damaged image: {_reason(error)}") from None


def _reason(error: Exception) -> str:
    text = getattr(error, "strerror", None) or str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__
