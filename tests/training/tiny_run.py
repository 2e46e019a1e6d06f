"""A run that takes seconds: network, recipe, data."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from ddeal_core.datasets.layouts import DavisLayout
from ddeal_core.datasets.sources import Sources
from ddeal_core.network import PRESETS, NetworkConfig
from ddeal_core.training import LossWeights, Recipe, Stage, Trainer, TrainingData, join_world

TINY = NetworkConfig(
    preset="tiny",
    backbone="resnet18",
    backbone_width=8,  # Fewer made oneDNN write beyond its memory on a processor with AVX2 only.
    directional_channels=8,
    propagation_channels=8,
    fusion_channels=(8, 6),
    concentrations="per-class",
    mask_resize="average",
    recurrence="fine",
    dense_channels=6,
    memory_frames=2,
)


def make_recipe(**changes: object) -> Recipe:
    """Two stages of 4 steps; 2 clips a step, one a pass."""
    first = Stage(
        name="small",
        size=(32, 48),
        frames=3,
        clips=2,
        clips_per_pass=1,
        epochs=2,
        clips_per_epoch=4,
        learning_rate=1e-3,
        decay=0.5,
        warmup_steps=2,
        weight_decay=0.01,
        real_share=0.5,
        truth=0.5,
        corruption=0.5,
    )
    second = Stage(
        name="large",
        size=(48, 64),
        frames=4,
        clips=2,
        clips_per_pass=1,
        epochs=1,
        clips_per_epoch=8,
        learning_rate=1e-3,
        cooldown=0.5,
        objects=2,
        burn_in=1,
        cue_dropout=0.5,
    )
    options = {
        "name": "tiny",
        "preset": "tiny",
        "stages": (first, second),
        "loss": LossWeights(dice=0.5, cues=0.3),
        "optimiser": "adamw",
        "ema": 0.9,
        "clip_gradient": 1.0,
        "seed": 3,
        "precision": "float32",
        "validate_every": 5,
        "checkpoint_every": 2,
        **changes,
    }
    return Recipe(**options)


def write_davis(root: Path, count: int = 6) -> Path:
    """Two sequences of a textured square on a plain ground."""
    rng = np.random.default_rng(0)
    for number, name in enumerate(("left", "right")):
        images = root / "JPEGImages" / "480p" / name
        masks = root / "Annotations" / "480p" / name
        images.mkdir(parents=True)
        masks.mkdir(parents=True)
        texture = rng.integers(120, 255, (20, 20, 3), np.uint8)
        for index in range(count):
            image = np.full((64, 96, 3), 60 + 20 * number, np.uint8)
            mask = np.zeros((64, 96), np.uint8)
            place = slice(20, 40), slice(10 + 6 * index, 30 + 6 * index)
            image[place], mask[place] = texture, 1
            Image.fromarray(image).save(images / f"{index:05d}.jpg", quality=95)
            Image.fromarray(mask).save(masks / f"{index:05d}.png")
    return root


def make_data(root: Path, *, synthetic: bool = True) -> TrainingData:
    sequences = DavisLayout(root).sequences()
    sources = Sources() if synthetic else None
    return TrainingData(sequences=sequences[:1], sources=sources, held_out=sequences[1:])


def train(folder: Path, data: Path, *, pause_after: int | None = None) -> None:
    """Train in this process, which the environment may make one of several, and print losses."""
    PRESETS["tiny"] = TINY
    world = join_world(torch.device("cpu"))
    trainer = Trainer(make_recipe(), make_data(data), folder, world=world, workers=0)
    for row in trainer.run():
        sys.stdout.write(f"step {row.step} loss {row.loss!r}\n")
        sys.stdout.flush()
        if row.step == pause_after:
            threading.Event().wait()
    world.leave()
