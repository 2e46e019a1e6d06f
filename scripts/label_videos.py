"""Real clips to train on, from videos and what a person said of one frame of each.

    python scripts/label_videos.py VIDEOS docs/video-labels.json CLIPS --weights FILE

The labels name, by a video's stem: ``frame``, on which ``objects`` are told apart by hints (a box
as x, y, width and height, points inside and outside of it); ``step``, every how many frames are
taken; and ``kept``, the stretch of what was taken that was found good. The objects are followed
both ways from their frame. CLIPS gets sequences in the layout of DAVIS and an image set
``labelled``. Look at them before you train on them.
"""

import argparse
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ddeal_core import Segmenter
from ddeal_core.interaction import Hints, first_mask
from ddeal_core.media import open_source, write_mask

_LEAST = 0.12  # of an object's largest piece: smaller ones are mistakes more often than not

Array = NDArray[np.uint8]


def main() -> None:
    """Label every video that the labels name."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("videos", type=Path, help="folder of the videos")
    parser.add_argument("labels", type=Path, help="JSON, see above")
    parser.add_argument("clips", type=Path, help="folder to write")
    parser.add_argument("--weights", type=Path, help="default: the bundled ones")
    parser.add_argument("--resolution", type=int, help="default: the weights' own")
    parser.add_argument("--only", nargs="*", help="stems of videos")
    options = parser.parse_args()
    segmenter = Segmenter.load(options.weights, resolution=options.resolution)
    found = {path.stem: path for path in sorted(options.videos.iterdir())}
    names = []
    for stem, label in json.loads(options.labels.read_text(encoding="utf-8")).items():
        if options.only and stem not in options.only:
            continue
        with open_source(found[stem]) as source:
            images = [frame.image for frame in source]
        name = f"labelled_{stem}"
        count = write(options.clips, name, labelled(segmenter, images, label))
        names.append(name)
        print(f"{name}: {count} frames", flush=True)
    sets = options.clips / "ImageSets"
    sets.mkdir(parents=True, exist_ok=True)
    (sets / "labelled.txt").write_text("".join(f"{name}\n" for name in names), encoding="utf-8")


def labelled(
    segmenter: Segmenter, images: list[Array], label: Mapping[str, Any]
) -> Iterator[tuple[Array, Array]]:
    """Follow a video's objects both ways; the images that are kept, and their label maps."""
    place, step = label["frame"], label.get("step", 1)
    first = first_mask(
        images[place], {int(i): _hints(said) for i, said in label["objects"].items()}
    )
    maps = {place: first}
    for way in (range(place, len(images), step), range(place, -1, -step)):
        results = segmenter.track((images[index] for index in way), first)
        maps |= {i: r.labels for i, r in zip(way, results, strict=True) if i != place}
    begin, end = label.get("kept", (0, len(maps)))
    for index in sorted(maps)[begin:end]:
        yield images[index], without_crumbs(maps[index])


def without_crumbs(labels: Array) -> Array:
    """Drop pieces of an object that are small beside its largest one."""
    kept = np.zeros_like(labels)
    for value in np.unique(labels[labels > 0]):
        _, pieces, statistics, _ = cv2.connectedComponentsWithStats(
            (labels == value).astype(np.uint8), connectivity=8
        )
        areas = statistics[1:, cv2.CC_STAT_AREA]
        kept[np.isin(pieces, np.flatnonzero(areas >= _LEAST * areas.max()) + 1)] = value
    return kept


def write(clips: Path, name: str, frames: Iterator[tuple[Array, Array]]) -> int:
    """Write a sequence; how many frames it has."""
    pictures, masks = (clips / kind / "480p" / name for kind in ("JPEGImages", "Annotations"))
    for folder in (pictures, masks):
        folder.mkdir(parents=True, exist_ok=True)
    count = 0
    for image, labels in frames:
        Image.fromarray(image).save(pictures / f"{count:05d}.jpg", quality=92)
        write_mask(masks / f"{count:05d}.png", labels)
        count += 1
    return count


def _hints(said: Mapping[str, Any]) -> Hints:
    def points(name: str) -> tuple[tuple[int, int], ...]:
        return tuple((x, y) for x, y in said.get(name, ()))

    x, y, width, height = said["box"]
    return Hints(box=(x, y, width, height), inside=points("inside"), outside=points("outside"))


if __name__ == "__main__":
    main()
