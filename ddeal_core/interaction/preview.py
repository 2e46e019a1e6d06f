"""A picture of a first mask, to look at before a video is segmented with it."""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

from ddeal_core.interaction.hints import Hints
from ddeal_core.media.masks.palette import davis_palette
from ddeal_core.media.matting.composites import overlay


def preview(
    image: NDArray[np.uint8], labels: NDArray[np.uint8], hints: Mapping[int, Hints]
) -> NDArray[np.uint8]:
    """Draw a mask's outline over its frame, with the hints that led to it.

    Points are discs with a white ring where they are on the object and a black one where not. The
    image is HxWx3 uint8 RGB, as is the new array; labels are HxW uint8.
    """
    out = overlay(image, labels, opacity=0.35)
    thick = max(1, round(min(labels.shape) / 360))
    for number, hint in hints.items():
        colour = tuple(int(value) for value in davis_palette()[number])
        if hint.box is not None:
            x, y, width, height = hint.box
            cv2.rectangle(out, (x, y), (x + width - 1, y + height - 1), colour, thick)
        for points, ring in ((hint.inside, (255, 255, 255)), (hint.outside, (0, 0, 0))):
            for point in points:
                cv2.circle(out, point, 4 * thick, ring, -1, cv2.LINE_AA)
                cv2.circle(out, point, 3 * thick, colour, -1, cv2.LINE_AA)
    return out
