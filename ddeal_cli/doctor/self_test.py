"""The whole path on a tiny clip: encode, decode, segment, encode, decode."""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ddeal_cli.doctor.finding import Finding

__all__ = ["check_by_running"]

_FRAMES = 12
_SIZE = (144, 256)
_LEAST_J = 0.8  # a disc on a lawn: whoever loses it is broken
_ADVICE = "install ddeal anew; if that does not help, report this with all lines above"


def check_by_running() -> Iterator[Finding]:
    """Cut a disc out of a made-up clip with the bundled weights, and look at what comes out."""
    from ddeal_core.errors import DdealError
    from ddeal_core.tracking import Segmenter

    try:
        began = time.perf_counter()
        segmenter = Segmenter.load()
        yield Finding(
            "network", f"loaded in {time.perf_counter() - began:.1f} s, on {segmenter.device}"
        )
        with tempfile.TemporaryDirectory(prefix="ddeal-doctor-") as folder:
            seconds, overlap, alpha = _run(Path(folder), segmenter)
    except (DdealError, RuntimeError, OSError) as error:
        yield Finding("segment", f"{type(error).__name__}: {error}", "broken", _ADVICE)
        return
    text = (
        f"{_FRAMES} frames of {_SIZE[1]}x{_SIZE[0]} at {_FRAMES / seconds:.1f} frames/s, "
        f"J {overlap:.2f}; alpha of the .mov read back, J {alpha:.2f}"
    )
    well = min(overlap, alpha) >= _LEAST_J
    yield Finding("segment", text) if well else Finding("segment", text, "broken", _ADVICE)


def _run(folder: Path, segmenter: object) -> tuple[float, float, float]:
    """Seconds, and J of the last frame's labels and of the alpha that was written."""
    import av

    from ddeal_core.evaluation import jaccard
    from ddeal_core.media import Cutout, Mask, open_source, open_writer
    from ddeal_core.media.array_source import ArraySource
    from ddeal_core.runs.pipeline import segment_video
    from ddeal_core.tracking import Segmenter

    assert isinstance(segmenter, Segmenter)
    images, masks = _clip()
    clip = ArraySource(images)
    with open_writer(folder / "clip.mp4", source=clip, opacity=0, contours=False) as writer:
        for frame in clip:
            writer.write(frame, Cutout(frame.image, np.zeros(_SIZE, np.uint8)))
    labels: NDArray[np.uint8] | None = None
    began = time.perf_counter()
    with open_source(folder / "clip.mp4") as source:
        cut = open_writer(folder / "cut.mov", source=source)
        for step in segment_video(segmenter, source, Mask(masks[0], (1,)), [cut]):
            labels = step.result.labels
    seconds = time.perf_counter() - began
    assert labels is not None
    alpha: NDArray[np.uint8] = np.zeros(_SIZE, np.uint8)
    with av.open(folder / "cut.mov") as container:
        for picture in container.decode(video=0):
            alpha = picture.to_ndarray(format="rgba")[..., 3].astype(np.uint8)
    truth = masks[-1] > 0
    return seconds, jaccard(truth, labels > 0), jaccard(truth, alpha > 127)


def _clip() -> tuple[NDArray[np.uint8], list[NDArray[np.uint8]]]:
    """A red disc that rolls over a green field."""
    rng = np.random.default_rng(1)
    height, width = _SIZE
    field = np.array([60, 120, 50]) + rng.normal(0, 12, (height, width, 1))
    y, x = np.mgrid[:height, :width]
    images, masks = [], []
    for index in range(_FRAMES):
        inside = (y - 72) ** 2 + (x - 70 - 5 * index) ** 2 < 34**2
        disc = np.array([210, 60, 40]) + 20 * np.sin(0.3 * (x - 5 * index))[..., None]
        images.append(np.where(inside[..., None], disc, field).clip(0, 255).astype(np.uint8))
        masks.append(inside.astype(np.uint8))
    return np.stack(images), masks
