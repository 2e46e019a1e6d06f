"""The sample clip is small, whole, and its labels lie on the animals."""

import cv2
import numpy as np
import pytest

from ddeal_cli.sample import FISH, FRAMES, TURTLE, VIDEO, sample_labels
from ddeal_core.media import open_source


@pytest.fixture(scope="module")
def frames():
    with open_source(VIDEO) as source:
        return [frame.image for frame in source]


def test_it_has_a_label_map_for_each_frame_and_takes_little_room(frames):
    labels = sample_labels()
    assert len(frames) == len(labels) == FRAMES
    assert all(frame.shape[:2] == shown.shape for frame, shown in zip(frames, labels, strict=True))
    assert set(np.unique(labels)) == {0, FISH, TURTLE}
    assert sum(file.stat().st_size for file in VIDEO.parent.glob("*.*")) < 600_000


@pytest.mark.parametrize("number", [0, 24, 48, 71])
def test_labels_lie_on_what_they_name(frames, number):
    """The fish is orange and white, the turtle green and brown, the water blue."""
    redness = frames[number][..., 0].astype(int) - frames[number][..., 2]
    shown = sample_labels()[number]
    assert redness[shown == FISH].mean() > 40
    assert redness[shown == TURTLE].mean() > 0
    turtle = (shown == TURTLE).astype(np.uint8)
    ring = cv2.dilate(turtle, np.ones((9, 9))) > cv2.dilate(turtle, np.ones((5, 5)))
    assert np.median(redness[ring & (shown == 0)]) < -40
