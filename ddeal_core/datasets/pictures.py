"""Picture files of training material."""

from pathlib import Path

import cv2
import numpy as np

from ddeal_core.datasets.arrays import Array
from ddeal_core.errors import DatasetError, MediaError
from ddeal_core.media.file_kinds import is_image
from ddeal_core.media.picture_files import opened_picture

MAX_SIDE = 640
"""Stills and frames of material are reduced to this longer side, pixels."""


def image_files(folder: Path) -> tuple[Path, ...]:
    """List the image files of a folder by name.

    Raises:
        DatasetError: The folder does not exist.
    """
    if not folder.is_dir():
        raise DatasetError(f"{folder} is no folder")
    return tuple(sorted(filter(is_image, folder.iterdir())))


def read_picture(path: Path, *, max_side: int = MAX_SIDE) -> Array:
    """Read an image as ``[H, W, 3]`` uint8 RGB, its longer side at most ``max_side``.

    Raises:
        DatasetError: The file cannot be decoded.
    """
    try:
        with opened_picture(path):  # its claims are checked before OpenCV believes them
            pass
        image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    except (MediaError, cv2.error) as error:
        raise DatasetError(f"{path} cannot be read as an image ({error})") from None
    if image is None:
        raise DatasetError(f"{path} cannot be read as an image; remove or replace it")
    factor = max_side / max(image.shape[:2])
    if factor < 1:
        image = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), dtype=np.uint8)


def read_rgba(path: Path, *, max_side: int) -> Array:
    """Read a picture with alpha as ``[H, W, 4]`` uint8, its longer side at most ``max_side``.

    Raises:
        DatasetError: The file cannot be decoded.
    """
    try:
        with opened_picture(path) as picture:
            picture.thumbnail((max_side, max_side))
            return np.asarray(picture.convert("RGBA"))
    except MediaError as error:
        raise DatasetError(error) from None
