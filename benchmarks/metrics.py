"""Time J and F against the plain way of davis2017-evaluation, on the same masks, on one core.

    python benchmarks/metrics.py                                  # made-up masks of 854x480
    python benchmarks/metrics.py DAVIS/Annotations/480p results/  # two folders of sequences

Files are read before the clock starts. Every J and F of the two must be the same to 1e-12. Where
the package vos-benchmark is installed, that is timed as well.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from plain_metrics import plain_disk, plain_f, plain_j

from ddeal_core.evaluation.measures import count_pair
from ddeal_core.media.masks.label_images import ids_in, read_labels

Labels = NDArray[np.uint8]
Pair = tuple[Labels, Labels, tuple[int, ...]]
"""Annotation, prediction, and ids to score."""
Values = list[tuple[float, float]]


def main() -> None:
    """Read or make masks, time, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("annotations", nargs="?", type=Path, help="<sequence>/<frame>.png")
    parser.add_argument("results", nargs="?", type=Path, help="the same of predictions")
    parser.add_argument("--size", default="854x480", help="of made-up masks, WIDTHxHEIGHT")
    parser.add_argument("--objects", type=int, default=3, help="in made-up masks")
    parser.add_argument("--frames", type=int, default=80, help="at most")
    parser.add_argument("--rounds", type=int, default=5, help="the quickest counts")
    given = parser.parse_args()
    if given.annotations is None:
        width, height = map(int, given.size.split("x"))
        pairs = list(islice(made_up(height, width, given.objects), given.frames))
    elif given.results is None:
        parser.error("two folders, or none")
    else:
        pairs = list(islice(on_disk(given.annotations, given.results), given.frames))
    if not pairs:
        sys.exit("error: there are no masks of the same names in the two folders")

    cv2.setNumThreads(1)
    ways: dict[str, Callable[[list[Pair]], Values]] = {"ddeal": our_way, "plain way": plain_way}
    if toolkit := vos_benchmark_way():
        ways["vos-benchmark"] = toolkit
    count = sum(len(ids) for _, _, ids in pairs)
    print(f"{len(pairs)} frames of {sizes(pairs)}, {count} masks of an object; J and F, one core")
    times = dict.fromkeys(ways, float("inf"))
    values: dict[str, Values] = {}
    for _ in range(given.rounds):
        for name, way in ways.items():  # in turn, so that a busy moment is shared
            began = time.perf_counter()
            values[name] = way(pairs)
            times[name] = min(times[name], time.perf_counter() - began)
    for name, seconds in times.items():
        factor = seconds / times["ddeal"]
        j, f = np.mean(values[name], axis=0)
        off = np.abs(np.subtract(values[name], values["ddeal"])).max()
        print(
            f"{name:14}{1000 * seconds / count:8.3f} ms a frame and object {factor:7.1f} x"
            f"   J {j:.6f}  F {f:.6f}  largest difference {off:.0e}"
        )
        if off > 1e-12:
            sys.exit(f"error: {name} and ddeal disagree")


def our_way(pairs: list[Pair]) -> Values:
    """Score as `ddeal_core.evaluation` does."""
    counts = (count_pair(truth, guess, object_id=i) for truth, guess, ids in pairs for i in ids)
    return [(one.j, one.f) for one in counts]


def plain_way(pairs: list[Pair]) -> Values:
    """Score object by object on whole frames."""
    values: Values = []
    for truth, guess, ids in pairs:
        disk = plain_disk(*truth.shape)
        for i in ids:
            a, b = truth == i, guess == i
            values.append((plain_j(a, b), plain_f(a, b, disk)))
    return values


def vos_benchmark_way() -> Callable[[list[Pair]], Values] | None:
    """Score by the package of that name, where it is installed."""
    try:
        from vos_benchmark.evaluator import Evaluator
    except ImportError:
        return None

    def way(pairs: list[Pair]) -> Values:
        values: Values = []
        for truth, guess, ids in pairs:
            one = Evaluator()
            one.feed_frame(guess, truth)
            # It has no entry for an object that neither mask holds.
            values += [
                (float(one.object_iou[i][0]), float(one.boundary_f[i][0]))
                if i in one.object_iou
                else (1.0, 1.0)
                for i in ids
            ]
        return values

    return way


def made_up(height: int, width: int, objects: int) -> Iterator[Pair]:
    """Make wobbly blobs that move, and the same a little off."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    ids = tuple(range(1, objects + 1))
    where = rng.uniform(0.2, 0.8, (objects, 2))
    step = rng.normal(0, 0.004, (objects, 2))
    phase = rng.uniform(0, 6.28, objects)
    while True:
        where = np.clip(where + step, 0.05, 0.95)
        phase += 0.1
        truth, guess = np.zeros((2, height, width), np.uint8)
        for i, (v, u), p in zip(ids, where, phase, strict=True):
            for labels, off in ((truth, 0), (guess, 4)):
                dy, dx = y - v * height - off, x - u * width - off
                angle = np.arctan2(dy, dx)
                reach = height * (0.16 + 0.02 * np.sin(5 * angle + p + off / 20) + 0.01 * i)
                labels[np.hypot(dy, dx) < reach] = i
        yield truth, guess, ids


def on_disk(annotations: Path, results: Path) -> Iterator[Pair]:
    """Read the masks that are in both folders; ids are those of a sequence's first one."""
    for folder in sorted(path for path in annotations.iterdir() if path.is_dir()):
        ids: tuple[int, ...] = ()
        for path in sorted(folder.glob("*.png")):
            other = results / folder.name / path.name
            truth = read_labels(path)
            ids = ids or ids_in(truth, ignore=255)
            if other.is_file():
                yield truth, read_labels(other), ids


def sizes(pairs: list[Pair]) -> str:
    """Say how large the masks are: ``854x480, 432x240``."""
    shapes = dict.fromkeys(truth.shape for truth, _, _ in pairs)
    return ", ".join(f"{width}x{height}" for height, width in shapes)


if __name__ == "__main__":
    main()
