"""Animals as small meshes: quads, sorted by depth, shaded, drawn large and averaged down."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import cv2
import numpy as np
from numpy.typing import NDArray

from ddeal_core.datasets.sample.noise import FloatArray

__all__ = ["Lighting", "Mesh", "Pose", "Stamp", "draw"]

SUPERSAMPLING = 2
SUN = np.array([-0.32, -0.80, -0.51], np.float32)  # towards the light; y is down, z away from us
HALFWAY = (SUN + np.array([0, 0, -1], np.float32)) / np.linalg.norm(SUN + np.array([0, 0, -1]))

AMBIENT = np.array([0.24, 0.32, 0.40], np.float32)
SUNLIGHT = np.array([0.88, 0.85, 0.76], np.float32)
LIGHT_RANGE = 2.2  # the light that a byte's 255 stands for


@dataclass(frozen=True, eq=False)
class Mesh:
    """Quads in model space: x forward, y down, z to the animal's right or left.

    Attributes:
        vertices: ``[N, 3]`` float32, body lengths.
        quads: ``[M, 4]`` indices into the vertices, outward face first.
        colours: ``[M, 3]`` float32 albedo, RGB in 0..255.
        one_sided: ``[M]`` bool, hidden when turned away.
        shine: ``[M]`` float32, strength of the highlight.
        nearer: ``[M]`` float32, body lengths a quad counts as nearer when sorted.
    """

    vertices: FloatArray
    quads: NDArray[np.int32]
    colours: FloatArray
    one_sided: NDArray[np.bool_]
    shine: FloatArray
    nearer: FloatArray

    @classmethod
    def from_grid(
        cls,
        points: FloatArray,
        colours: FloatArray,
        *,
        one_sided: bool,
        shine: float = 0.0,
        nearer: float = 0.0,
    ) -> Self:
        """One surface.

        Args:
            points: ``[m, n, 3]`` grid of vertices.
            colours: ``[m - 1, n - 1, 3]`` one colour a quad.
            one_sided: Hide quads turned away; they are oriented away from the surface's middle.
            shine: Strength of the highlight.
            nearer: Body lengths the surface counts as nearer when sorted.
        """
        m, n = points.shape[:2]
        index = np.arange(m * n, dtype=np.int32).reshape(m, n)
        corners = (index[:-1, :-1], index[1:, :-1], index[1:, 1:], index[:-1, 1:])
        quads = np.stack(corners, axis=-1).reshape(-1, 4)
        vertices = np.asarray(points.reshape(-1, 3), dtype=np.float32)
        corner = vertices[quads]
        if np.sum(_normals(corner) * (corner.mean(1) - vertices.mean(0))) < 0:
            quads = quads[:, ::-1]
        count = len(quads)
        return cls(
            vertices=vertices,
            quads=quads,
            colours=np.asarray(colours.reshape(-1, 3), dtype=np.float32),
            one_sided=np.full(count, one_sided),
            shine=np.full(count, shine, np.float32),
            nearer=np.full(count, nearer, np.float32),
        )

    @classmethod
    def joined(cls, parts: Sequence["Mesh"]) -> Self:
        """Several surfaces as one mesh, vertices in the order given."""
        offsets = np.cumsum([0] + [len(part.vertices) for part in parts[:-1]])
        return cls(
            vertices=np.concatenate([part.vertices for part in parts]),
            quads=np.concatenate(
                [part.quads + np.int32(o) for part, o in zip(parts, offsets, strict=True)]
            ),
            colours=np.concatenate([part.colours for part in parts]),
            one_sided=np.concatenate([part.one_sided for part in parts]),
            shine=np.concatenate([part.shine for part in parts]),
            nearer=np.concatenate([part.nearer for part in parts]),
        )

    def moved(self, vertices: FloatArray) -> Self:
        """The same skin on other vertices."""
        return replace(self, vertices=vertices)


@dataclass(frozen=True)
class Pose:
    """Where an animal is and which way it looks.

    Attributes:
        x: Column of the model's origin, pixels.
        y: Row of the model's origin, pixels.
        length: Pixels a body length measures.
        yaw: Heading about the vertical, radians; 0 right, pi/2 towards us, pi left.
        pitch: Nose up, radians.
        roll: About the body's own axis, radians.
        elevation: How far we look down on it, radians.
    """

    x: float
    y: float
    length: float
    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    elevation: float = 0.0

    @property
    def rotation(self) -> FloatArray:
        """``[3, 3]`` from model to view."""
        roll, pitch = _turn(2, 1, self.roll), _turn(1, 0, self.pitch)
        yaw, tilt = _turn(2, 0, self.yaw), _turn(1, 2, self.elevation)
        return np.asarray(tilt @ yaw @ pitch @ roll, dtype=np.float32)


@dataclass(frozen=True, eq=False)
class Lighting:
    """The light at one moment.

    Attributes:
        net: ``[S, S]`` caustics in [0, 1], seamless.
        drift: Shift of the net, in its pixels.
        water: RGB of the water between us and the animal.
        fog: Share of the water in what we see, 0 to 1.
    """

    net: FloatArray
    drift: tuple[float, float]
    water: tuple[float, float, float]
    fog: float


@dataclass(frozen=True, eq=False)
class Stamp:
    """A drawn patch: premultiplied RGB and coverage, and where its corner lies.

    Attributes:
        colour: ``[h, w, 3]`` float32, RGB in 0..255 times coverage.
        coverage: ``[h, w]`` float32 in [0, 1].
        top: Row of the corner.
        left: Column of the corner.
    """

    colour: FloatArray
    coverage: FloatArray
    top: int
    left: int


def draw(
    moments: Sequence[tuple[Mesh, Pose]], lighting: Lighting, size: tuple[int, int]
) -> Stamp | None:
    """Draw an animal over the moments of one exposure: their mean is the motion blur.

    Returns:
        The patch, cut at the frame's border, or None when out of frame.
    """
    views = [_project(mesh, pose, lighting) for mesh, pose in moments]
    xs = [view.polygons[..., 0] for view in views]
    ys = [view.polygons[..., 1] for view in views]
    left = max(int(min(x.min() for x in xs)) - 2, 0)
    top = max(int(min(y.min() for y in ys)) - 2, 0)
    right = min(int(max(x.max() for x in xs)) + 2, size[1])
    bottom = min(int(max(y.max() for y in ys)) + 2, size[0])
    if right <= left or bottom <= top:
        return None
    width, height = right - left, bottom - top
    total = np.zeros((height, width, 4), np.float32)  # albedo and coverage
    light = np.zeros((height, width), np.float32)
    for view in views:
        canvas = np.zeros((height * SUPERSAMPLING, width * SUPERSAMPLING, 4), np.uint8)
        # 1/16 pixel units; a pixel's centre is at +0.5
        local = (view.polygons - np.array([left, top], np.float32)) * SUPERSAMPLING - 0.5
        corners = np.round(local * 16).astype(np.int32)
        for corner, colour in zip(corners, view.paint.tolist(), strict=True):
            cv2.fillConvexPoly(canvas, corner, colour, cv2.LINE_8, 4)
        lit = cv2.extractChannel(canvas, 3)
        _, covered = cv2.threshold(lit, 0, 255, cv2.THRESH_BINARY)
        cv2.insertChannel(covered, canvas, 3)
        total += cv2.resize(canvas, (width, height), interpolation=cv2.INTER_AREA)
        light += cv2.resize(lit, (width, height), interpolation=cv2.INTER_AREA)
    total /= len(views)
    light /= len(views)
    coverage = total[..., 3] / np.float32(255)
    # The light is smoothed within the outline: flat quads then look round.
    sigma = max(0.011 * moments[0][1].length, 0.5)
    weight = np.maximum(cv2.GaussianBlur(coverage, (0, 0), sigma), 1e-3)
    smooth = cv2.GaussianBlur(light, (0, 0), sigma) / weight * np.float32(LIGHT_RANGE / 255)
    colour = np.asarray(total[..., :3] * (AMBIENT + SUNLIGHT * smooth[..., None]), np.float32)
    haze = coverage[..., None] * np.array(lighting.water, np.float32)
    colour += (haze - colour) * np.float32(lighting.fog)
    np.minimum(colour, 255, out=colour)
    return Stamp(colour, coverage, top, left)


@dataclass(frozen=True, eq=False)
class _View:
    """Visible quads from far to near: ``[K, 4, 2]`` pixels; ``[K, 4]`` albedo and light, uint8."""

    polygons: FloatArray
    paint: NDArray[np.uint8]


def _project(mesh: Mesh, pose: Pose, lighting: Lighting) -> _View:
    points = mesh.vertices @ pose.rotation.T
    corner = points[mesh.quads]  # [M, 4, 3]
    normal = _normals(corner)
    normal /= np.sqrt(np.einsum("ij,ij->i", normal, normal) + 1e-18)[:, None]
    away = normal[:, 2] > 0.05
    normal[away & ~mesh.one_sided] *= -1
    middle = (corner[:, 0] + corner[:, 2]) / 2
    kept = np.flatnonzero(~(away & mesh.one_sided))
    order = kept[np.argsort(-(middle[kept, 2] - mesh.nearer[kept]), kind="stable")]
    corner, normal, middle = corner[order], normal[order], middle[order]

    facing = np.clip(0.38 + 0.62 * (normal @ SUN), 0, 1)
    side = lighting.net.shape[0]
    row = (middle[:, 2] * (0.30 * side) + lighting.drift[1]).astype(int) % side
    column = (middle[:, 0] * (0.34 * side) + lighting.drift[0]).astype(int) % side
    net = lighting.net[row, column] * np.clip(-normal[:, 1] + 0.15, 0, 1)
    gloss = np.clip(normal @ HALFWAY, 0, 1) ** 24 * mesh.shine[order] * 0.55
    light = facing * (1 + 0.6 * net) + gloss
    light = np.clip(light * (255 / LIGHT_RANGE), 1, 255)  # 0 stands for uncovered
    paint = np.concatenate([np.clip(mesh.colours[order], 0, 255), light[:, None]], axis=1)

    nearness = 1 / (1 + corner[..., 2:] * 0.18)  # weak perspective
    origin = np.array([pose.x, pose.y], np.float32)
    polygons = corner[..., :2] * nearness * np.float32(pose.length) + origin
    return _View(np.asarray(polygons, dtype=np.float32), paint.astype(np.uint8))


def _normals(corner: FloatArray) -> FloatArray:
    """Cross product of the diagonals of ``[M, 4, 3]`` quads, ``[M, 3]``."""
    ax, ay, az = (corner[:, 2] - corner[:, 0]).T
    bx, by, bz = (corner[:, 3] - corner[:, 1]).T
    return np.stack([ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx], axis=1)


def _turn(a: int, b: int, angle: float) -> FloatArray:
    """Rotation in the plane of two axes that takes axis b to minus axis a."""
    matrix = np.eye(3, dtype=np.float32)
    matrix[a, a] = matrix[b, b] = np.cos(angle)
    matrix[a, b], matrix[b, a] = -np.sin(angle), np.sin(angle)
    return matrix
