"""The sample clip, to try things on: a banded fish and a turtle on a reef, with the truth.

It was rendered for this project by a program of its own, and carries the project's licence. The
fish swims behind kelp, turns, and comes back nearer and larger; the turtle glides the other way;
an unlabelled fish of similar colours crosses.

``sample.mp4`` is H.264, 640x360, 72 frames at 24 a second. ``labels.png`` is indexed and holds the
label map of every frame, one below the other.
"""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["FISH", "FRAMES", "TURTLE", "VIDEO", "sample_labels"]

FISH, TURTLE = 1, 2
"""The ids of the two animals; 0 is everything else."""
FRAMES = 72
VIDEO = Path(__file__).with_name("sample.mp4")

_HEIGHT = 360


def sample_labels() -> "NDArray[np.uint8]":
    """Where the animals are: ``[72, 360, 640]`` uint8 ids.

    A pixel carries an id where the visible part of that animal covers at least half of it.
    """
    from ddeal_core.media.masks.label_images import read_labels

    return read_labels(Path(__file__).with_name("labels.png")).reshape(FRAMES, _HEIGHT, -1)
