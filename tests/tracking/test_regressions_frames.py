"""Frames that are no arrays: one clear line instead of an AttributeError."""

import numpy as np
import pytest
from PIL import Image

from ddeal_core.errors import InputError
from ddeal_core.tracking import Tracker


@pytest.mark.parametrize(
    ("frame", "name"),
    [
        (Image.new("RGB", (32, 24)), "Image"),
        (np.zeros((24, 32, 3), np.uint8).tolist(), "list"),
        ("clip.mp4", "str"),
    ],
    ids=["pillow", "list", "path"],
)
def test_a_frame_that_is_no_array_is_named(make_network, frame, name):
    tracker = Tracker(make_network())
    with pytest.raises(InputError, match=f"arrays, not {name}"):
        tracker.step(frame, np.ones((24, 32), np.uint8))
