"""What each step of finishing does, as a picture, and how long it takes.

    python scripts/finishing_figure.py docs/finishing.jpg

The picture shows the sample clip's fish before green, with a mask that was spoilt on purpose. The
times, in milliseconds, are those of a frame of 854x480 with the clip's two animals, on one thread.
"""

import argparse
import statistics
import time

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from ddeal_cli.sample import FISH, TURTLE, VIDEO, sample_labels
from ddeal_core.finishing import UNFINISHED, Finisher, Finishing
from ddeal_core.media import open_source
from ddeal_core.media.matting.background import GREEN
from ddeal_core.media.matting.composites import over
from ddeal_core.media.matting.cutout import Cutout

_FRAME, _FRAMES = 12, 24
_SIZE = (854, 480)
_CROP, _TITLE = (260, 180), 18  # pixels
_STEPS = {
    "as it was found": UNFINISHED,
    "--drop-specks": Finishing(drop_specks=True),
    "--fill-holes": Finishing(fill_holes=True),
    "--grow 6": Finishing(grow=6),
    "--shrink 6": Finishing(shrink=6),
    "--choke 60": Finishing(choke=60),
    "--feather 6": Finishing(feather=6),
}

Array = NDArray[np.uint8]


def main() -> None:
    """Draw the picture; print a line a step."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("picture", help="image file to write")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    with open_source(VIDEO, end=_FRAMES) as source:
        images = [frame.image for frame in source]
    labels = sample_labels()[:_FRAMES]
    clean = ("--drop-specks --fill-holes --feather 2", Finishing(False, True, True, feather=2))
    tiles = [tile(images[_FRAME], labels[_FRAME], *step) for step in (*_STEPS.items(), clean)]
    width, height = tiles[0].size
    sheet = Image.new("RGB", (4 * width, 2 * height), "white")
    for place, each in enumerate(tiles):
        sheet.paste(each, (place % 4 * width, place // 4 * height))
    sheet.save(options.picture, quality=88)
    timed = {**_STEPS, "--steady": Finishing(steady=True)}
    for name, finishing in list(timed.items())[1:]:
        print(f"{name:14} {milliseconds(images, labels, finishing):5.1f} ms")


def tile(image: Array, labels: Array, title: str, finishing: Finishing) -> Image.Image:
    """The fish before green, finished, under a title."""
    y, x = (int(each.mean()) for each in np.nonzero(labels == FISH))
    cutout = Finisher(finishing).finish(found(image, spoilt(labels)))
    picture = over(cutout.colours, cutout.alpha, GREEN)
    left = min(max(0, x - _CROP[0] // 2), image.shape[1] - _CROP[0])
    top = min(max(0, y - _CROP[1] // 2), image.shape[0] - _CROP[1])
    made = Image.new("RGB", (_CROP[0], _CROP[1] + _TITLE), "white")
    crop = picture[top : top + _CROP[1], left : left + _CROP[0]]
    made.paste(Image.fromarray(crop), (0, _TITLE))
    ImageDraw.Draw(made).text((4, 3), title, fill="black")
    return made


def spoilt(labels: Array) -> Array:
    """Two holes in the fish, and two specks beside it."""
    y, x = (int(each.mean()) for each in np.nonzero(labels == FISH))
    made = labels.copy()
    for (dx, dy), radius, value in (
        ((-10, 4), 9, 0), ((18, -6), 6, 0), ((-92, -48), 6, FISH), ((84, 52), 7, FISH)
    ):  # fmt: skip
        cv2.circle(made, (x + dx, y + dy), radius, value, -1)
    return made


def found(image: Array, labels: Array) -> Cutout:
    """A cut-out as the tracker gives it: probabilities at a quarter of the size."""
    height, width = labels.shape
    maps = []
    for value in (FISH, TURTLE):
        inside = (labels == value).astype(np.float32)
        small = cv2.resize(inside, (width // 4, height // 4), interpolation=cv2.INTER_AREA)
        maps.append(cv2.resize(small, (width, height)))
    probabilities = np.stack([1 - sum(maps), *maps]).astype(np.float32)
    return Cutout.of(image, labels, lambda: probabilities, (FISH, TURTLE))


def milliseconds(images: list[Array], labels: Array, finishing: Finishing) -> float:
    """What a step adds to a frame's alpha and mattes, as a median."""
    finishers = (Finisher(UNFINISHED), Finisher(finishing))
    differences = []
    for image, each in zip(images, labels, strict=True):
        image = np.asarray(cv2.resize(image, _SIZE), np.uint8)
        mask = np.asarray(
            cv2.resize(spoilt(each), _SIZE, interpolation=cv2.INTER_NEAREST), np.uint8
        )
        seconds = []
        for finisher in finishers:
            cutout = found(image, mask)
            began = time.thread_time()
            finished = finisher.finish(cutout)
            for object_id in (FISH, TURTLE):
                finished.matte(object_id)
            seconds.append(time.thread_time() - began)
        differences.append(seconds[1] - seconds[0])
    return 1000 * statistics.median(differences)


if __name__ == "__main__":
    main()
