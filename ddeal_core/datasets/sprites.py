"""Objects to paste: one picture with alpha, or one a frame where they move by themselves."""

from dataclasses import dataclass, replace

import cv2
import numpy as np

from ddeal_core.datasets.arrays import Array, Floats


@dataclass(frozen=True, eq=False)
class Sprite:
    """An object without its surroundings, n pictures of it: one, or one a frame of the clip."""

    frames: tuple[Array, ...]  # [h, w, 4] uint8 each, clear at the border; sizes may differ
    anchors: Floats  # [n, 2] place (x, y) in each picture that follows the object's path
    path: Floats  # [n, 2] motion of its own since the first frame, in pixels of the object
    pixel: Floats  # [n, 2] size of a pixel of each picture, in pixels of the object
    liveliness: float = 1.0  # share of the engine's motion, turn and zoom added to its own
    bends: bool = True  # whether the engine may deform it

    @classmethod
    def of(
        cls,
        frames: tuple[Array, ...],
        *,
        anchors: Floats | None = None,
        path: Floats | None = None,
        liveliness: float = 1.0,
        bends: bool = True,
    ) -> "Sprite":
        """Make one; the anchors are the middles and there is no motion of its own if left out."""
        if anchors is None:
            anchors = np.array([[(f.shape[1] - 1) / 2, (f.shape[0] - 1) / 2] for f in frames])
        if path is None:
            path = np.zeros((len(frames), 2))
        return cls(frames, anchors, path, np.ones((len(frames), 2)), liveliness, bends)

    @property
    def area(self) -> float:
        """Covered pixels of the first picture."""
        return float(cv2.sumElems(cv2.extractChannel(self.frames[0], 3))[0]) / 255

    @property
    def extent(self) -> int:
        """Longest side of any picture, pixels."""
        return int(max(max(frame.shape[:2]) for frame in self.frames))

    def flipped(self) -> "Sprite":
        """Mirror left to right."""
        widths = np.array([frame.shape[1] - 1 for frame in self.frames])
        return replace(
            self,
            frames=tuple(np.ascontiguousarray(frame[:, ::-1]) for frame in self.frames),
            anchors=np.stack([widths - self.anchors[:, 0], self.anchors[:, 1]], axis=1),
            path=self.path * (-1, 1),
        )

    def harmonised(self, plate: Array, share: float) -> "Sprite":
        """Draw its colours towards the mean and contrast of a plate ``[H, W, 3]`` by a share."""
        rgba = self.frames[0]
        mean_o, std_o = cv2.meanStdDev(rgba[..., :3].copy(), mask=rgba[..., 3].copy())
        mean_p, std_p = cv2.meanStdDev(plate)
        gain = np.clip(std_p.ravel() / np.maximum(std_o.ravel(), 4.0), 0.5, 2.0)
        gain = 1 + share * (gain - 1)
        wanted = mean_o.ravel() + share * (mean_p.ravel() - mean_o.ravel())
        grey = np.arange(256)[:, None]
        colours = (grey - mean_o.ravel()) * gain + wanted
        values = np.concatenate([colours, grey], axis=1)  # alpha as it is
        table = np.clip(values, 0, 255).astype(np.uint8)[None]
        frames = (np.asarray(cv2.LUT(frame, table), dtype=np.uint8) for frame in self.frames)
        return replace(self, frames=tuple(frames))

    def premultiplied(self, scale: float) -> "Sprite":
        """Multiply the colours by alpha, and shrink the pictures if they are drawn at ``scale``.

        Bilinear sampling alone would alias where they are drawn much smaller.
        """
        frames = [premultiply(frame) for frame in self.frames]
        if scale >= 0.85:
            return replace(self, frames=tuple(frames))
        sizes = [tuple(max(4, round(side * scale)) for side in f.shape[1::-1]) for f in frames]
        small = (
            np.asarray(cv2.resize(frame, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
            for frame, size in zip(frames, sizes, strict=True)
        )
        factor = np.array(sizes) / [frame.shape[1::-1] for frame in frames]
        return replace(
            self,
            frames=tuple(small),
            anchors=(self.anchors + 0.5) * factor - 0.5,
            pixel=self.pixel / factor,
        )


def premultiply(rgba: Array) -> Array:
    """Multiply the colours of ``[h, w, 4]`` by alpha."""
    alpha = cv2.extractChannel(rgba, 3)
    full = cv2.merge([alpha, alpha, alpha, np.full_like(alpha, 255)])
    return np.asarray(cv2.multiply(rgba, full, scale=1 / 255), dtype=np.uint8)
