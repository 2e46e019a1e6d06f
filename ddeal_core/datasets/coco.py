"""Instance masks from COCO-style JSON: polygons and run lengths."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np

from ddeal_core.datasets.arrays import Array
from ddeal_core.datasets.clip import IGNORE
from ddeal_core.datasets.pictures import MAX_SIDE, read_picture
from ddeal_core.datasets.stills import Still, Stills
from ddeal_core.errors import DatasetError, InputError
from ddeal_core.media.masks.run_lengths import mask_of_runs, unpack_counts
from ddeal_core.text_files import parsing, read_json

_FARTHEST = 1e6  # pixels
_MOST_BYTES = 4 << 30  # LVIS has more than 1 GB


def decode_segmentation(segmentation: Any, height: int, width: int) -> Array:
    """Decode the field ``segmentation``: a list of polygons, or run lengths, plain or packed.

    Returns:
        ``[height, width]`` uint8, 0 or 1.

    Raises:
        DatasetError: The field has another form.
        MaskError: Run lengths do not add up to the image.
    """
    if isinstance(segmentation, Mapping):
        counts, size = segmentation.get("counts"), segmentation.get("size")
        if list(size or ()) != [height, width]:
            raise DatasetError(
                f"run lengths are for {size} pixels, the image has {[height, width]}"
            )
        if isinstance(counts, str):
            counts = unpack_counts(counts)
        if not isinstance(counts, list):
            raise DatasetError("run lengths must be a list or a string")
        return mask_of_runs(counts, height, width)
    if not isinstance(segmentation, list):
        raise DatasetError("a segmentation must be a list of polygons or an object of run lengths")
    mask = np.zeros((height, width), np.uint8)
    for flat in segmentation:
        if not isinstance(flat, list) or len(flat) < 6 or len(flat) % 2:
            raise DatasetError("a polygon must be a list of three or more x, y pairs")
        points = np.asarray(flat, dtype=np.float64).reshape(-1, 2)
        if not (np.abs(points) < _FARTHEST).all():  # NaN too
            raise DatasetError("a polygon lies far outside of its image")
        # COCO counts from the corner of a pixel, OpenCV from its centre.
        cv2.fillPoly(mask, [np.floor(points).astype(np.int32)], 1)
    return mask


def _inside(folder: Path, name: object) -> Path:
    """Where an image is: a file that strangers name is looked for in its folder alone."""
    path = Path(str(name))
    if path.is_absolute() or ".." in path.parts:
        raise ValueError(f"file_name {name!r} leads out of the folder of the images")
    return folder / path


class CocoImage(NamedTuple):
    """An image and its instances, as the annotation file has them."""

    image: Path
    annotations: tuple[dict[str, Any], ...]
    json: Path  # the annotation file


def open_coco(json_path: Path, images: Path, *, cache_bytes: int = 128 << 20) -> Stills:
    """Open a COCO-style instance JSON, with ``images`` and ``annotations``, as stills.

    Smaller instances lie over larger ones; crowds become 255.

    Args:
        json_path: The annotation file.
        images: Folder of the image files.
        cache_bytes: Bound of decoded stills that are kept.

    Raises:
        DatasetError: The file is not of that form, or no image has an instance.
    """
    if not images.is_dir():
        raise DatasetError(f"{images} is no folder; give the folder of the images")
    content = read_json(json_path, DatasetError, most_bytes=_MOST_BYTES)
    with parsing(json_path, "a COCO instance file", DatasetError):
        by_image: dict[Any, list[dict[str, Any]]] = {}
        for annotation in content["annotations"]:
            if annotation.get("segmentation"):
                by_image.setdefault(annotation["image_id"], []).append(annotation)
        items = [
            CocoImage(
                _inside(images, record["file_name"]), tuple(by_image[record["id"]]), json_path
            )
            for record in content["images"]
            if record["id"] in by_image
        ]
    if not items:
        raise DatasetError(f"{json_path} has no instance with a segmentation")
    return Stills(items, _read_still, cache_bytes)


def _read_still(item: CocoImage) -> Still:
    image = read_picture(item.image, max_side=1 << 16)
    height, width = image.shape[:2]
    masks = []
    for annotation in item.annotations:
        try:
            mask = decode_segmentation(annotation["segmentation"], height, width)
        except (InputError, ValueError, TypeError) as error:
            name = annotation.get("id", "without id")
            raise DatasetError(f"{item.json}: annotation {name}: {error}") from error
        masks.append((bool(annotation.get("iscrowd")), int(mask.sum()), mask))
    masks.sort(key=lambda item: (not item[0], -item[1]))
    labels = np.zeros((height, width), np.uint8)
    label = 0
    for crowd, area, mask in masks:
        if crowd:
            labels[mask > 0] = IGNORE
        elif area and label < IGNORE - 1:
            label += 1
            labels[mask > 0] = label
    factor = MAX_SIDE / max(height, width)
    if factor < 1:
        small = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
        image = np.asarray(small, dtype=np.uint8)
        size = (image.shape[1], image.shape[0])
        labels = np.asarray(cv2.resize(labels, size, interpolation=cv2.INTER_NEAREST))
    return Still.of(image, labels)
