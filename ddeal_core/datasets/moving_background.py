"""Background plates under a moving camera, and stills that bend."""

from dataclasses import dataclass

import cv2
import numpy as np

from ddeal_core.datasets.arrays import Array, Floats, Floats32
from ddeal_core.datasets.camera import Camera
from ddeal_core.datasets.rendering import (
    apply,
    dense_map,
    field_at,
    grid_points,
    invert,
    smear,
    warp,
)


@dataclass(frozen=True, eq=False)
class LocalMotion:
    """Motion of one object of a still that bends as a whole."""

    weight: Floats32  # [h, w] in [0, 1]: how much a place of the plate takes part, on a raster
    step: float  # plate pixels a raster cell
    matrices: Floats  # [T, 2, 3] from frame-t places to first-frame places of the plate

    def rescaled(self, ratio: float) -> "LocalMotion":
        """Express it in the pixels of a plate reduced by ``ratio``."""
        matrices = self.matrices.copy()
        matrices[..., 2] /= ratio
        return LocalMotion(self.weight, self.step / ratio, matrices)


@dataclass(frozen=True, eq=False)
class MovingBackground:
    """A background with its motion."""

    plates: list[Array]  # one image, or one a frame; all of one size
    labels: Array | None  # label map of the plate, where it shows labelled objects
    camera: Camera
    fit: Floats  # [2, 3] from world to plate pixels
    field: Floats32 | None  # [T, F, F, 2] displacement over the plate in its sides
    smears: Floats  # [T, 2] motion during exposure, pixels of the frame
    local_motions: tuple[LocalMotion, ...] = ()  # objects that move within the plate

    def draw(self, t: int, size: tuple[int, int]) -> tuple[Array, Array]:
        """Render frame ``t``: image ``[H, W, 3]`` and labels ``[H, W]``."""
        height, width = size
        plate = self.plates[t % len(self.plates)]
        to_world = invert(self.camera.matrices[t])
        matrix = self.fit[:, :2] @ to_world
        matrix[:, 2] += self.fit[:, 2]
        border = cv2.BORDER_REFLECT_101
        labels = np.zeros(size, np.uint8)
        if self.field is None and not self.local_motions:
            inverse = cv2.WARP_INVERSE_MAP
            shape = (width, height)
            image = cv2.warpAffine(
                plate, matrix, shape, flags=cv2.INTER_LINEAR | inverse, borderMode=border
            )
            if self.labels is not None:
                flags = cv2.INTER_NEAREST | inverse
                cv2.warpAffine(
                    self.labels, matrix, shape, dst=labels, flags=flags, borderMode=border
                )
            return smear(np.asarray(image, dtype=np.uint8), self.smears[t]), labels
        points = apply(matrix, grid_points(0, 0, width, height))
        points = self._bend(points, t, plate.shape[1], plate.shape[0])
        dense = dense_map(points, width, height)
        bent = warp(plate, dense, cv2.INTER_LINEAR, border)
        if self.labels is not None:
            labels = warp(self.labels, dense, cv2.INTER_NEAREST, border)
        return smear(bent, self.smears[t]), labels

    def _bend(self, points: Floats, t: int, width: int, height: int) -> Floats:
        bent = points
        for item in self.local_motions:
            moved = apply(item.matrices[t], points)
            index = (moved / item.step).astype(np.float32)
            weight = warp(item.weight, index, cv2.INTER_LINEAR, cv2.BORDER_REPLICATE)
            bent = bent + weight[..., None] * (moved - points)
        if self.field is not None:
            side = np.array([width, height])
            bent = bent + field_at(self.field[t], bent / side) * side
        return bent


def reduced(plates: list[Array], fit: Floats) -> tuple[list[Array], Floats]:
    """Shrink plates that are much finer than the frame, which would alias."""
    scale = float(fit[0, 0])
    if scale <= 1.25:
        return plates, fit
    height, width = plates[0].shape[:2]
    size = (max(2, round(width / scale)), max(2, round(height / scale)))
    once: dict[int, Array] = {}
    for plate in plates:
        if id(plate) not in once:
            once[id(plate)] = np.asarray(cv2.resize(plate, size, interpolation=cv2.INTER_AREA))
    return [once[id(plate)] for plate in plates], fit / scale
