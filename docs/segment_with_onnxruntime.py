"""Segment a video with onnxruntime, numpy, OpenCV, PyAV and Pillow; without torch or ddeal.

Usage: ddeal export default.onnx; segment_with_onnxruntime.py default clip.mp4 first.png masks
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import av
import cv2
import numpy as np
import onnxruntime
from PIL import Image

Tensors = dict[str, np.ndarray]
IMAGES = (cv2.INTER_AREA, cv2.INTER_CUBIC)  # to make them smaller, and larger
MASKS = {"nearest": (cv2.INTER_NEAREST_EXACT,) * 2, "average": (cv2.INTER_AREA, cv2.INTER_LINEAR)}


class Model:
    """The graphs of one network; tensors are known by their names."""

    def __init__(self, name: str, options: onnxruntime.SessionOptions | None = None) -> None:
        self.graphs = {
            file.suffixes[-2][1:]: onnxruntime.InferenceSession(
                file, options, providers=["CPUExecutionProvider"]
            )
            for file in Path(name).parent.glob(f"{Path(name).name}.*.onnx")
        }
        metadata = self.graphs["encoder"].get_modelmeta().custom_metadata_map
        self.config, self.stride = json.loads(metadata["config"]), int(metadata["stride"])

    def run(self, graph: str, tensors: Tensors) -> Tensors:
        """Give a graph those of the tensors that it wants; "new_x" comes back as "x"."""
        session = self.graphs[graph]
        found = session.run(None, {i.name: tensors[i.name] for i in session.get_inputs()})
        names = (output.name.removeprefix("new_") for output in session.get_outputs())
        return dict(zip(names, found, strict=True))


class Tracker:
    """Follows the objects of a first mask."""

    def __init__(self, model: Model, image: np.ndarray, labels: np.ndarray) -> None:
        self.model, self.ids = model, np.unique(labels[labels > 0])
        short, lines = min(image.shape[:2]), model.config["short_side"]
        scale = min(2, (lines or short) / short)
        self.size = [max(1, round(side * scale)) for side in image.shape[:2]]
        missing = [-side % model.stride for side in self.size]
        self.margins = [((side + 1) // 2, side // 2) for side in missing]
        ways = MASKS[model.config["mask_resize"]]
        masks = np.stack([self._padded((labels == i).astype(np.float32), ways) for i in self.ids])
        self.frame = model.run("encoder", {"image": self._padded(image)})
        self.state = model.run("start", {**self.frame, "masks": masks[None]})
        self.age, self.interval = 0, model.config["memory_interval"]
        self.memory: list[Tensors] = []

    def step(self, image: np.ndarray) -> np.ndarray:
        """Probabilities of the background and of each object, [1 + K, h, w], in the next frame."""
        frame = self.model.run("encoder", {"image": self._padded(image)})
        found = self.model.run("step", {**frame, **self.state, **self._remembered()})
        merged = self._without_jumps(found["probabilities"][0])
        known = {**frame, **self.state, **found, "masks": merged[None, 1:]}
        self.state |= self.model.run("update", known)
        self.age += 1
        if self.model.config["memory_frames"] and self.age % self.interval == 0:
            self._remember({**frame, **self.state, **found})
        (top, bottom), (left, right) = self.margins
        height, width = merged.shape[1:]
        return merged[:, top : height - bottom, left : width - right]

    def labels(self, merged: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        """Ids at the video's size, [H, W] uint8."""
        objects = np.floor(merged[1:] * np.float32(65535))  # what `ddeal` keeps of them
        maps = [np.maximum(65535 - objects.sum(0), 0), *objects]
        wide = np.stack([cv2.resize(m, size[::-1], interpolation=cv2.INTER_LINEAR) for m in maps])
        return np.concatenate([[0], self.ids]).astype(np.uint8)[wide.argmax(0)]

    def _padded(self, image: np.ndarray, ways: tuple[int, int] = IMAGES) -> np.ndarray:
        size = list(image.shape[:2])
        if size != self.size:
            image = cv2.resize(image, self.size[::-1], interpolation=ways[size < self.size])
        fits = all(max(pair) < side for pair, side in zip(self.margins, self.size, strict=True))
        margins = [*self.margins, (0, 0)][: image.ndim]
        return np.pad(image, margins, mode="reflect" if fits else "edge")

    def _remembered(self) -> Tensors:
        """The memory as one: frames side by side."""
        channels, objects = self.model.config["dense_channels"], len(self.ids)
        sizes = {"memory_keys": (1, channels, 0), "memory_log_masks": (1, objects, 2, 0)}
        empty = {name: np.zeros(size, np.float32) for name, size in sizes.items()}
        return {n: np.concatenate([e, *(m[n] for m in self.memory)], -1) for n, e in empty.items()}

    def _remember(self, known: Tensors) -> None:
        """Keep a frame; a full memory first forgets every second one, and doubles the interval."""
        if len(self.memory) >= self.model.config["memory_frames"]:
            self.memory, self.interval = self.memory[1::2], 2 * self.interval
            if self.age % self.interval:
                return
        self.memory.append(self.model.run("remember", known))

    def _without_jumps(self, merged: np.ndarray) -> np.ndarray:
        """Take pieces of an object away that are too far from where it was a frame ago."""
        reach, labels = self.model.config["reach"], merged.argmax(0)
        logs = self.state.get("last_log_masks")
        before = self.state["last_masks"][0, :, 1] if logs is None else np.exp(logs[0, :, 1])
        gone = np.zeros((len(before), *labels.shape), bool)
        for k, share in enumerate(before, start=1):
            mask = (labels == k).astype(np.uint8)
            count, pieces, measures, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
            if reach <= 0 or count <= 2 or not (share >= 0.5).any():
                continue
            free = (share < 0.5).astype(np.uint8)
            away = cv2.distanceTransform(free, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
            cell = labels.shape[0] // share.shape[0]
            within = (away <= reach * min(share.shape)).repeat(cell, 0).repeat(cell, 1)
            near = np.isin(np.arange(count), pieces[within & (pieces > 0)])
            areas = measures[:, cv2.CC_STAT_AREA]
            if near.any():
                near |= areas > areas[near].sum()
                near[0] = True
                gone[k - 1] = ~near[pieces]
        if gone.any():
            merged[1:][gone] = 0
            merged = merged / merged.sum(0)
        return merged


def segment(model: Model, frames: Iterator[np.ndarray], labels: np.ndarray) -> Iterator[np.ndarray]:
    """Label maps, [H, W] uint8, of frames, [H, W, 3] uint8 RGB; the first one's is given."""
    tracker = Tracker(model, next(frames), labels)
    yield labels
    for image in frames:
        yield tracker.labels(tracker.step(image), image.shape[:2])


def main(name: str, video: str, mask: str, folder: str) -> None:
    """Read a video and its first mask, an indexed PNG; write a PNG for each frame."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    with av.open(video) as container, Image.open(mask) as first:
        frames = (f.to_ndarray(format="rgb24") for f in container.decode(video=0))
        for i, labels in enumerate(segment(Model(name), frames, np.asarray(first))):
            image = Image.fromarray(labels)
            image.putpalette(first.getpalette() or list(range(256)))
            image.save(Path(folder, f"{i:05d}.png"))


if __name__ == "__main__":
    main(*sys.argv[1:])
