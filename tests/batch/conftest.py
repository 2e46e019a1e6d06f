"""Short clips with their masks, and weights of a tiny network."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class Clips:
    """What a batch starts from.

    Attributes:
        videos: A folder of videos, a.mp4 and so on.
        masks: A folder with each one's first mask, a.png and so on.
        weights: Of a tiny network.
    """

    videos: Path
    masks: Path
    weights: Path


@pytest.fixture
def make_clips(tmp_path, tiny_clip, make_network) -> Callable[..., Clips]:
    """`make_clips("ab") -> Clips` with a.mp4 and b.mp4."""
    from ddeal_core.weights import Checkpoint, save_checkpoint

    def make(names: str) -> Clips:
        clips = Clips(tmp_path / "clips", tmp_path / "first", tmp_path / "tiny.safetensors")
        clips.videos.mkdir()
        clips.masks.mkdir()
        for name in names:
            shutil.copy(tiny_clip.video, clips.videos / f"{name}.mp4")
            shutil.copy(tiny_clip.first_mask, clips.masks / f"{name}.png")
        network = make_network("compact", short_side=64)
        save_checkpoint(
            Checkpoint(network.config, network.state_dict(), {"data": ["none"]}), clips.weights
        )
        return clips

    return make
