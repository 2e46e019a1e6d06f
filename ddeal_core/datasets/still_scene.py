"""One still as a whole scene: its own objects move within their own surroundings."""

import cv2
import numpy as np

from ddeal_core.datasets.animation import Animator
from ddeal_core.datasets.arrays import Floats
from ddeal_core.datasets.camera import Camera, fit_plate, make_camera
from ddeal_core.datasets.clip import closed_up
from ddeal_core.datasets.compositions import add_occluders
from ddeal_core.datasets.inpainting import fill_behind
from ddeal_core.datasets.motion import deformation_field, log_uniform, object_path, object_shapes
from ddeal_core.datasets.moving_background import LocalMotion, MovingBackground, reduced
from ddeal_core.datasets.object_sampling import ObjectSampler
from ddeal_core.datasets.rendering import Layer, apply, invert
from ddeal_core.datasets.shot import Composition, Shot
from ddeal_core.datasets.stills import SceneObject, Still, usable_objects


def within_still(shot: Shot) -> Composition | None:
    """Let objects of a still move: bent together with it, or lifted off and filled in behind.

    Returns:
        None where the still that was drawn does not lend itself to it.
    """
    config, rng, size = shot.config, shot.rng, shot.size
    still = shot.draw(shot.sources.stills)
    # A landscape view of a portrait shows a torso: those are rather cut out and pasted.
    mismatch = _aspect(still.labels.shape) / _aspect(size)
    if max(mismatch, 1 / mismatch) > 1.7 and shot.happens(0.75):
        return None
    bent = shot.happens(config.warp_probability)
    items = usable_objects(still, whole=not bent)
    if not items:
        return None
    if shot.happens(0.5):
        still = Still.of(still.image[:, ::-1].copy(), still.labels[:, ::-1].copy())
        items = usable_objects(still, whole=not bent)
    count = min(shot.object_count(), len(items))
    chosen = [items[i] for i in rng.permutation(len(items))[:count]]
    camera = make_camera(shot)
    box = chosen[0].box
    focus = ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
    shape = (still.image.shape[0], still.image.shape[1])
    fit = fit_plate(rng, shape, camera.seen(size), size, focus=focus)
    objects, animator = ObjectSampler(shot), Animator(shot, camera)
    layers: list[Layer] = []
    if bent:
        background = _bent(shot, still, chosen, camera, fit)
    else:
        hole = np.isin(still.labels, [item.label for item in chosen]).astype(np.uint8)
        plate = fill_behind(still.image, hole)
        to_world = invert(fit)
        for label, item in enumerate(chosen, start=1):
            x0, y0, x1, y1 = item.box
            x, y = apply(to_world, np.array([(x0 + x1 - 1) / 2, (y0 + y1 - 1) / 2]))
            scale = float(to_world[0, 0])
            sprite = objects.cut(still, item)
            layers.append(animator.lift(sprite, label, scale=scale, centre=(float(x), float(y))))
        plates, fit = reduced([plate], fit)
        smears = camera.smears(size, shot.shutter)
        background = MovingBackground(plates, None, camera, fit, None, smears)
    add_occluders(shot, objects, animator, layers)
    return Composition(background, layers)


def _bent(
    shot: Shot, still: Still, chosen: list[SceneObject], camera: Camera, fit: Floats
) -> MovingBackground:
    """Bend the whole still, its objects each in a way of their own."""
    config, rng = shot.config, shot.rng
    field = deformation_field(
        rng, shot.times, bend=config.bend * 0.35 * rng.uniform(0, 1.6), controls=5
    )
    moves = [_local_motion(shot, still, item.label, fit) for item in chosen]
    plates, new_fit = reduced([still.image], fit)
    ratio = fit[0, 0] / new_fit[0, 0]
    names = closed_up(item.label for item in chosen)
    shape = (plates[0].shape[1], plates[0].shape[0])
    labels = cv2.resize(cv2.LUT(still.labels, names), shape, interpolation=cv2.INTER_NEAREST)
    return MovingBackground(
        plates,
        np.asarray(labels, dtype=np.uint8),
        camera,
        new_fit,
        field,
        camera.smears(shot.size, shot.shutter),
        tuple(move.rescaled(ratio) for move in moves),
    )


def _local_motion(shot: Shot, still: Still, label: int, fit: Floats) -> LocalMotion:
    """Motion of an object that drags its surroundings along."""
    config, rng, times = shot.config, shot.rng, shot.times
    mask = (still.labels == label).astype(np.float32)
    step = 4.0
    small = cv2.resize(mask, None, fx=1 / step, fy=1 / step, interpolation=cv2.INTER_AREA)
    extent = float(np.sqrt(mask.sum()))  # plate pixels
    reach = max(2.0, 0.35 * extent / step)
    wide = cv2.dilate(small, np.ones((3, 3), np.uint8), iterations=max(1, int(reach / 2)))
    weight = cv2.GaussianBlur(wide, (0, 0), reach)
    weight = np.clip(weight / max(float(weight.max()), 1e-6), 0, 1)
    total = max(float(mask.sum()), 1.0)
    rows, columns = mask.sum(axis=1), mask.sum(axis=0)
    centre = np.array(
        [columns @ np.arange(len(columns)) / total, rows @ np.arange(len(rows)) / total]
    )
    shapes = object_shapes(
        rng,
        times,
        rotation=np.radians(log_uniform(rng, *config.rotation)) * 0.5,
        zoom=log_uniform(rng, *config.zoom) * 0.5,
        stretch=config.stretch * 0.5,
    )
    # Farther than its soft surroundings reach, the picture would fold over.
    far = 0.45 * reach * step
    path = object_path(
        rng,
        times,
        start=(0.0, 0.0),
        speed=log_uniform(rng, *config.speed) * 0.5 * shot.size[1] * fit[0, 0],
        box=(-far, -far, far, far),
    )
    forward = np.concatenate([shapes, (path + centre - shapes @ centre)[..., None]], axis=-1)
    return LocalMotion(weight.astype(np.float32), step, invert(forward))


def _aspect(size: tuple[int, ...]) -> float:
    return size[1] / size[0]
