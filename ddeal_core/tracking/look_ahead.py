"""Encoding coming frames as one batch: what depends on a frame alone need not wait its turn."""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from ddeal_core.network.state import FrameEncoding
from ddeal_core.tracking.tracker import Tracker

T = TypeVar("T")


def encoded(
    tracker: Tracker,
    frames: Iterable[T],
    image_of: Callable[[T], NDArray[np.uint8]],
    *,
    count: int,
    skip: int = 0,
) -> Iterator[tuple[T, FrameEncoding | None]]:
    """Give frames in order, with their encodings where these were worked out in advance.

    Args:
        tracker: Whose network and resolution are used.
        frames: Taken up to `count` at a time.
        image_of: Gives a frame's image.
        count: Frames of a batch, which bounds the memory; 1 takes each when its turn has come.
        skip: Frames before the first object, which need no encoding.

    Yields:
        A frame, and its encoding or None if the tracker shall work it out.

    Raises:
        Exception: What taking a frame raised, once the frames before have been given.
    """
    remaining = iter(frames)
    for frame in remaining if count == 1 else islice(remaining, skip):
        yield frame, None
    error: Exception | None = None
    while error is None:
        batch: list[T] = []
        try:
            for frame in islice(remaining, count):
                batch.append(frame)  # noqa: PERF402 - keeps those before an error
        except Exception as caught:
            error = caught
        encodings = tracker.encode([image_of(frame) for frame in batch])
        yield from zip(batch, encodings, strict=True)
        if len(batch) < count and error is None:
            return
    raise error
