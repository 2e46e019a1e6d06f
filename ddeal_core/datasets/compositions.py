"""Objects pasted on what has nothing to do with them: photographs, videos, video with masks."""

from dataclasses import replace

import numpy as np

from ddeal_core.datasets.animation import Animator
from ddeal_core.datasets.arrays import Array
from ddeal_core.datasets.camera import Camera, fit_plate, make_camera
from ddeal_core.datasets.motion import deformation_field, log_uniform
from ddeal_core.datasets.moving_background import MovingBackground, reduced
from ddeal_core.datasets.object_sampling import ObjectSampler
from ddeal_core.datasets.procedural import procedural_background
from ddeal_core.datasets.rendering import Layer
from ddeal_core.datasets.shot import Composition, Shot
from ddeal_core.datasets.sources import draw_from
from ddeal_core.datasets.sprites import Sprite


def on_background(shot: Shot) -> Composition:
    """Paste objects on a photograph, a background video, or a made-up texture."""
    config, rng, size = shot.config, shot.rng, shot.size
    camera = make_camera(shot)
    plates = _plates(shot)
    plate = plates[0]
    field = None
    if config.parallax > 0 and shot.happens(0.4):
        field = deformation_field(rng, shot.times, bend=config.parallax, controls=4)
    fit = fit_plate(rng, (plate.shape[0], plate.shape[1]), camera.seen(size), size)
    plates, fit = reduced(plates, fit)
    background = MovingBackground(
        plates, None, camera, fit, field, camera.smears(size, shot.shutter)
    )
    objects, animator = ObjectSampler(shot), Animator(shot, camera)
    layers: list[Layer] = []
    for label in range(1, shot.object_count() + 1):
        sprite = _harmonised(shot, objects.draw(), plate)
        layers.append(animator.place(sprite, label))
        if label == 1 and shot.happens(config.distractor_probability):
            copies = int(rng.integers(1, 3))
            layers.extend(animator.place(sprite, 0) for _ in range(copies))
    add_occluders(shot, objects, animator, layers)
    order = rng.permutation(len(layers))
    return Composition(background, [layers[i] for i in order])


def on_video(shot: Shot) -> Composition | None:
    """Paste objects on video with masks, before or behind its own, which stay labelled.

    Returns:
        None where the stretch that was drawn begins without an object.
    """
    config, rng, size = shot.config, shot.rng, shot.size
    source, index = draw_from(shot.sources.moving, rng)
    stride = int(rng.integers(1, config.max_stride + 1))
    footage = source.footage(
        index,
        rng,
        shot.times * stride,
        size,
        max_objects=config.max_objects,
        min_area=config.min_area,
    )
    if footage is None:
        return None
    objects, animator = ObjectSampler(shot), Animator(shot, Camera.still(len(shot.times)))
    labels = list(range(footage.objects + 1, shot.object_count() + 1))
    layers: list[Layer] = []
    if shot.happens(config.lookalike_probability):
        twin = objects.moving(source, index)
        if twin is not None:
            twin = twin.flipped() if shot.happens(0.5) else twin
            area = footage.object_area * float(np.exp(rng.uniform(-0.8, 0.8)))
            layers.append(animator.place(twin, labels.pop() if labels else 0, area=area))
    for label in labels:
        sprite = objects.draw(moving=shot.happens(config.footage_moving_probability))
        layers.append(animator.place(_harmonised(shot, sprite, footage.images[0]), label))
    add_occluders(shot, objects, animator, layers)
    if not layers:  # or this would be a plain clip of real video
        layers.append(animator.place(objects.draw(moving=True), 0))
    behind = rng.random(len(layers)) < config.behind_probability
    front = footage.front() if behind.any() else None
    layers = [
        replace(layer, front=front) if hidden else layer
        for layer, hidden in zip(layers, behind, strict=True)
    ]
    return Composition(footage, [layers[i] for i in rng.permutation(len(layers))])


def add_occluders(
    shot: Shot, objects: ObjectSampler, animator: Animator, layers: list[Layer]
) -> None:
    """Put one or two unlabelled objects on top, or none."""
    if shot.happens(shot.config.occluder_probability):
        for _ in range(int(shot.rng.integers(1, 3))):
            area = log_uniform(shot.rng, 0.005, 0.08)
            layers.append(animator.place(objects.draw(), 0, area=area))


def _harmonised(shot: Shot, sprite: Sprite, plate: Array) -> Sprite:
    if not shot.happens(shot.config.harmonise_probability):
        return sprite
    return sprite.harmonised(plate, float(shot.rng.uniform(0.2, 0.9)))


def _plates(shot: Shot) -> list[Array]:
    config, sources, rng = shot.config, shot.sources, shot.rng
    if not shot.happens(config.procedural_background_probability):
        if sources.videos and shot.happens(config.video_probability):
            return sources.draw_video(rng, shot.times)
        whole = shot.happens(config.still_background_probability)
        image = None
        if sources.stills and (whole or not sources.backgrounds):
            image = shot.draw(sources.stills).image
        elif sources.backgrounds:
            image = sources.draw_photograph(rng)
        if image is not None:
            return [image[:, ::-1].copy() if shot.happens(0.5) else image]
        if sources.videos:
            return sources.draw_video(rng, shot.times)
    height, width = shot.size
    return [procedural_background(rng, int(height * 1.3), int(width * 1.3))]
