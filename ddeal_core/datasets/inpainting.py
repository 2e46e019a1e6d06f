"""What was behind an object that is lifted off its still."""

import cv2
import numpy as np
from numpy.typing import NDArray

from ddeal_core.datasets.arrays import Array, Floats32


def fill_behind(image: Array, hole: Array) -> Array:
    """Fill a hole with what its surroundings suggest: their colours, and texture from nearby.

    ``image [H, W, 3]`` stays as it is; ``hole [H, W]`` is not 0 where it is to be invented.
    """
    height, width = hole.shape
    wide = cv2.dilate(hole, np.ones((7, 7), np.uint8))
    x, y, w, h = cv2.boundingRect(wide)
    if w == 0:
        return image.copy()
    known = (wide == 0).astype(np.float32)
    smooth = _push_pull(image.astype(np.float32), known)
    best, shift = np.inf, (0, 0)
    for dx, dy in ((w, 0), (-w, 0), (0, h), (0, -h), (w, h), (-w, -h), (w, -h), (-w, h)):
        columns = _mirror(np.arange(x, x + w) + dx, width)
        rows = _mirror(np.arange(y, y + h) + dy, height)
        overlap = float((wide[rows[:, None], columns[None, :]] > 0).mean())
        # What lies beside is likelier to look alike than what lies above.
        cost = overlap + 0.1 * (dy != 0)
        if cost < best:
            best, shift = cost, (dx, dy)
    columns = _mirror(np.arange(x, x + w) + shift[0], width)
    rows = _mirror(np.arange(y, y + h) + shift[1], height)
    index = (rows[:, None], columns[None, :])
    near = image[index].astype(np.float32) - smooth[index]
    base = smooth[y : y + h, x : x + w]
    area = wide[y : y + h, x : x + w]
    soft = cv2.GaussianBlur((area > 0).astype(np.float32), (0, 0), 2.0)[..., None]
    soft = np.maximum(soft, (hole[y : y + h, x : x + w] > 0)[..., None])
    filled = image.copy()
    texture = np.where((wide[index] > 0)[..., None], 0, near)
    new = base + texture
    old = filled[y : y + h, x : x + w].astype(np.float32)
    filled[y : y + h, x : x + w] = np.clip(old + soft * (new - old), 0, 255).astype(np.uint8)
    return filled


def _push_pull(image: Floats32, known: Floats32) -> Floats32:
    """Blurred image in which unknown pixels take the colour of the known ones around them."""
    height, width = known.shape
    colour = image * known[..., None]
    stack = []
    while min(colour.shape[:2]) > 2:
        stack.append((colour, known))
        size = (max(1, colour.shape[1] // 2), max(1, colour.shape[0] // 2))
        colour = _resized(colour, size, cv2.INTER_AREA)
        known = _resized(known, size, cv2.INTER_AREA)
    result = np.asarray(colour / np.maximum(known, 1e-6)[..., None], dtype=np.float32)
    # The two finest levels are left out: they hold texture, which comes from elsewhere.
    for level, (colour, known) in reversed(list(enumerate(stack))):
        size = (colour.shape[1], colour.shape[0])
        result = _resized(result, size, cv2.INTER_LINEAR)
        if level >= 2:
            weight = np.minimum(known, 1)[..., None]
            shown = colour / np.maximum(known, 1e-6)[..., None]
            result = np.asarray(result + weight * (shown - result), dtype=np.float32)
    return np.asarray(cv2.resize(result, (width, height)), dtype=np.float32)


def _resized(image: Floats32, size: tuple[int, int], how: int) -> Floats32:
    return np.asarray(cv2.resize(image, size, interpolation=how), dtype=np.float32)


def _mirror(index: NDArray[np.int64], length: int) -> NDArray[np.int64]:
    folded = np.mod(index, 2 * length)
    return np.asarray(np.minimum(folded, 2 * length - 1 - folded))
