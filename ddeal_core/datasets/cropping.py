"""Random crops of annotated frames, the same for a clip's pictures and label maps."""

import cv2
import numpy as np

from ddeal_core.datasets.arrays import Array, Floats
from ddeal_core.datasets.clip import IGNORE


def draw_crop(
    rng: np.random.Generator,
    labels: Array,
    size: tuple[int, int],
    *,
    scale: tuple[float, float],
    stretch: float,
    flip: bool,
) -> Floats:
    """Draw a crop that holds a random place of an object: ``[2, 3]`` from clip to frame pixels.

    Args:
        rng: Source of randomness.
        labels: ``[H, W]`` of the first frame; at least one object is there.
        size: (height, width) of the clip.
        scale: Range of the crop's side as a share of the largest of the clip's shape that fits.
        stretch: Standard deviation of the logarithm of its aspect.
        flip: Mirror left to right.
    """
    height, width = size
    aspect = width / height * float(np.exp(rng.normal() * stretch))
    crop_h = min(labels.shape[0], labels.shape[1] / aspect) * rng.uniform(*scale)
    crop_w = min(crop_h * aspect, float(labels.shape[1]))
    rows, columns = np.nonzero((labels > 0) & (labels < IGNORE))
    chosen = int(rng.integers(len(rows)))
    where = rng.uniform(0.2, 0.8, size=2)
    x = np.clip(columns[chosen] - where[0] * crop_w, 0, labels.shape[1] - crop_w)
    y = np.clip(rows[chosen] - where[1] * crop_h, 0, labels.shape[0] - crop_h)
    sx, sy = crop_w / width, crop_h / height
    matrix = np.array([[sx, 0, x + 0.5 * sx - 0.5], [0, sy, y + 0.5 * sy - 0.5]])
    if flip:
        matrix[0] = (-sx, 0, x + (width - 0.5) * sx - 0.5)
    return matrix


def zoomed(
    matrix: Floats, factor: float, fixed: Floats, frame: tuple[int, int], size: tuple[int, int]
) -> Floats:
    """Scale a crop about a place, then move it into the frame: ``[2, 3]`` as `draw_crop` gives it.

    Args:
        matrix: Of the crop.
        factor: On its sides; above 1 it shows more.
        fixed: (x, y) in the frame that stays where it is in the clip.
        frame: (height, width) of the frame, into which the scaled crop fits.
        size: (height, width) of the clip.
    """
    result = matrix * factor
    result[:, 2] += (1 - factor) * fixed
    step = result.diagonal()
    # A pixel reaches half its side beyond its centre.
    ends = (
        result[:, 2]
        + np.outer([-0.5, 0.5], step)
        + np.outer([0, 1], (np.array(size[::-1]) - 1) * step)
    )
    room = np.array(frame[::-1]) - 0.5
    result[:, 2] += np.maximum(-0.5 - ends.min(axis=0), 0) - np.maximum(ends.max(axis=0) - room, 0)
    return result


def shown_ids(labels: Array, min_area: float) -> list[int]:
    """Ids of the objects of ``[H, W]`` labels with a share of at least `min_area` of the frame."""
    counts = np.bincount(labels.ravel(), minlength=256)
    least = max(1.0, min_area * labels.shape[0] * labels.shape[1])
    return [i for i in range(1, IGNORE) if counts[i] >= least]


def crop_labels(labels: Array, matrix: Floats, size: tuple[int, int]) -> Array:
    """Take a crop of ``[H, W]`` labels by nearest pixels."""
    return _warp(labels, matrix, size, cv2.INTER_NEAREST)


def crop_image(image: Array, matrix: Floats, size: tuple[int, int]) -> Array:
    """Take a crop of a picture ``[H, W, 3]`` uint8."""
    factor = max(abs(matrix[0, 0]), matrix[1, 1])
    if factor > 1.5:  # bilinear alone would alias
        small = cv2.resize(image, None, fx=1 / factor, fy=1 / factor, interpolation=cv2.INTER_AREA)
        ratio = np.array([small.shape[1] / image.shape[1], small.shape[0] / image.shape[0]])
        matrix = matrix * ratio[:, None]
        # Pixel centres: a place p becomes (p + 1/2) * ratio - 1/2.
        matrix[:, 2] += 0.5 * ratio - 0.5
        image = np.asarray(small, dtype=np.uint8)
    return _warp(image, matrix, size, cv2.INTER_LINEAR)


def _warp(image: Array, matrix: Floats, size: tuple[int, int], how: int) -> Array:
    flags = how | cv2.WARP_INVERSE_MAP
    border = cv2.BORDER_REPLICATE
    shape = (size[1], size[0])
    warped = cv2.warpAffine(image, matrix, shape, flags=flags, borderMode=border)
    return np.asarray(warped, dtype=np.uint8)
