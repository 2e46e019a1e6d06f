"""The whole path on the first frames of the sample clip: decode, segment, encode, decode."""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ddeal_cli.doctor.checks import Finding
from ddeal_cli.sample import VIDEO, sample_labels
from ddeal_core.errors import DdealError

if TYPE_CHECKING:
    from ddeal_core.tracking import Segmenter

_FRAMES = 4
_LEAST_J = 0.8  # a few frames of the sample clip: whoever loses its animals is broken
_ADVICE = "install ddeal anew; if that does not help, report this with all lines above"


def check_by_running() -> Iterator[Finding]:
    """Cut the animals out of the sample clip, and look at what comes out."""
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
        f"{_FRAMES} frames of 640x360 at {_FRAMES / seconds:.1f} frames/s, "
        f"J {overlap:.2f}; alpha of the .mov read back, J {alpha:.2f}"
    )
    well = min(overlap, alpha) >= _LEAST_J
    yield Finding("segment", text) if well else Finding("segment", text, "broken", _ADVICE)


def _run(folder: Path, segmenter: "Segmenter") -> tuple[float, float, float]:
    """Seconds, and J of the last frame's labels and of the alpha that was written."""
    import av
    import numpy as np

    from ddeal_core.evaluation import jaccard
    from ddeal_core.media import open_source, open_writer
    from ddeal_core.runs.pipeline import segment_video

    truth = sample_labels()
    labels = alpha = np.zeros_like(truth[0])
    began = time.perf_counter()
    with open_source(VIDEO, end=_FRAMES) as source:
        cut = open_writer(folder / "cut.mov", source=source)
        for step in segment_video(segmenter, source, truth[0], [cut]):
            labels = step.result.labels
    seconds = time.perf_counter() - began
    with av.open(folder / "cut.mov") as container:
        for picture in container.decode(video=0):
            alpha = picture.to_ndarray(format="rgba")[..., 3].astype(np.uint8)
    last = truth[_FRAMES - 1] > 0
    return seconds, jaccard(last, labels > 0), jaccard(last, alpha > 127)
