"""What determines the bytes of a run's outputs: what their manifests say."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import asdict

from ddeal_core.choices import Direction
from ddeal_core.finishing.options import UNFINISHED, Finishing
from ddeal_core.media.identity import Settings, sha256_of_array
from ddeal_core.media.masks.mask_images import MaskLike, labels_of
from ddeal_core.media.outputs.result_writer import ResultWriter
from ddeal_core.media.sources.frame_source import FrameSource
from ddeal_core.tracking.segmenter import Segmenter
from ddeal_core.versions import installed_version

_LIBRARIES = ("ddeal", "av", "numpy", "opencv-python-headless", "pillow", "torch")


def run_settings(
    segmenter: Segmenter,
    source: FrameSource,
    masks: Mapping[int, MaskLike],
    direction: Direction = "forward",
    finishing: Finishing = UNFINISHED,
) -> Settings:
    """Describe input, masks and network as plain JSON types.

    Args:
        segmenter: Its weights count by their checksum.
        source: The video; see `FrameSource.identity`.
        masks: By frame; they count by their labels at the video's size.
        direction: Which way objects are followed.
        finishing: What is done to masks before outputs are made of them.

    Raises:
        MediaError: The video cannot be read any more.
    """
    return {
        **_common(source, finishing),
        "masks": {str(i): sha256_of_array(labels_of(mask)) for i, mask in sorted(masks.items())},
        "direction": direction,
        "weights": segmenter.weights_checksum,
        "cues": asdict(segmenter.config.ablation),
        "resolution": segmenter.resolution,
        "precision": segmenter.precision,
        "look_ahead": segmenter.look_ahead,
        "cuda_graphs": segmenter.cuda_graphs,
        "device": segmenter.device.type,
    }


def render_settings(masks: Settings, source: FrameSource, finishing: Finishing) -> Settings:
    """Describe what is made of masks that are there already: see `KnownMasks.identity`."""
    return {**_common(source, finishing), "rendered": dict(masks)}


def _common(source: FrameSource, finishing: Finishing) -> Settings:
    return {
        **({"finishing": finishing.chosen} if finishing.chosen else {}),
        "input": dict(source.identity()),
        "start": source.start,
        "end": source.end,
        "on_error": source.on_error,
    }


def output_settings(run: Settings, writer: ResultWriter) -> Settings:
    """Describe one output of a run: what `is_complete` wants, and what its manifest holds."""
    return {**run, "output": dict(writer.settings or {})}


def versions() -> dict[str, str]:
    """Versions of Python, of this program and of the libraries that take part in the bytes."""
    return {
        "python": platform.python_version(),
        **{name: installed_version(name) or "unknown" for name in _LIBRARIES},
    }
