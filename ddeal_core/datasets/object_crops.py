"""One object of a picture, near or far: what a network for first masks learns from."""

from collections.abc import Iterable
from pathlib import Path
from zlib import crc32

import numpy as np

from ddeal_core.datasets.arrays import Floats
from ddeal_core.datasets.clip import Clip, closed_up, shows_objects
from ddeal_core.datasets.cropping import crop_image, crop_labels
from ddeal_core.datasets.degradation import Degradation, DegradationConfig
from ddeal_core.datasets.layouts import DatasetSequence
from ddeal_core.datasets.pictures import read_picture
from ddeal_core.datasets.real import read_annotation
from ddeal_core.datasets.stills import SceneObject, Still, Stills
from ddeal_core.errors import DatasetError

_ATTEMPTS = 250
_SMALLEST = 300  # pixels: smaller objects have masks too coarse to learn edges from
_LARGEST = 0.9  # of the picture
_NEAR = 0.5  # of the crops are of about the size that a box around the object gives
_NEARER = 0.2  # show a part of the object alone, as large as a closer look shows it
_DEGRADATION = DegradationConfig(
    colour_probability=0.6,
    drift_probability=0.0,
    shadow_probability=0.1,
    defocus_probability=0.2,
    low_resolution_probability=0.1,
    noise_probability=0.2,
    jpeg_probability=0.2,
)


def is_held_out(picture: Path) -> bool:
    """Whether a still is among the tenth that is kept for measuring, by its name."""
    return crc32(picture.stem.encode("utf-8", "surrogateescape")) % 10 == 0


class ObjectCrops:
    """An endless list of clips of one frame that shows one object.

    Clip ``index`` depends on the arguments and ``index`` alone; its labels are 0, 1 and 255 where
    the mask is unsure. The tenth of the stills that `is_held_out` names is left out.

    Args:
        stills: Photographs with masks.
        sequences: Video with masks.
        size: (height, width) of the crops in pixels.
        seed: First half of every crop's seed.
        real_share: Share of crops of video, where both kinds are there.

    Raises:
        DatasetError: There is neither a still that may be used nor a sequence with masks.
    """

    def __init__(
        self,
        stills: Iterable[Stills],
        sequences: Iterable[DatasetSequence],
        *,
        size: tuple[int, int],
        seed: int = 0,
        real_share: float = 0.25,
    ) -> None:
        listed = (
            (source, [i for i, item in enumerate(source.items) if not is_held_out(item.image)])
            for source in stills
        )
        self._stills = [(source, numbers) for source, numbers in listed if numbers]
        self._sequences = [s for s in sequences if s.annotations]
        if not self._stills and not self._sequences:
            raise DatasetError("first masks are learned from stills or video with masks: name some")
        self._share = real_share if self._stills else 1.0
        self._size, self._seed = size, seed

    def clip(self, index: int) -> Clip:
        """Draw crop ``index`` (0 or more).

        Raises:
            DatasetError: A file cannot be read, or chance never met a picture with an object.
        """
        rng = np.random.default_rng([self._seed, index])
        for _ in range(_ATTEMPTS):
            still = self._draw(rng)
            items = [
                item
                for item in still.objects
                if _SMALLEST <= item.area <= _LARGEST * still.labels.size
            ]
            if not items:
                continue
            clip = self._crop(rng, still, items[int(rng.integers(len(items)))])
            if shows_objects(clip.labels[0]):  # the middle of a ring does not
                return clip
        raise DatasetError(f"{_ATTEMPTS} pictures drawn for a crop show no object; check them")

    def _draw(self, rng: np.random.Generator) -> Still:
        if self._sequences and rng.random() < self._share:
            weight = np.sqrt([len(s.annotations) for s in self._sequences])
            sequence = self._sequences[int(rng.choice(len(weight), p=weight / weight.sum()))]
            number = int(rng.choice(sequence.annotated_indices))
            labels = read_annotation(sequence, number)
            image = read_picture(sequence.frames[number], max_side=1 << 16)
            if not shows_objects(labels) or labels.shape != image.shape[:2]:
                labels = np.zeros(image.shape[:2], np.uint8)
            return Still.of(image, labels)
        # A source of a hundred times as many is drawn thirty times as often.
        weight = np.array([len(numbers) for _, numbers in self._stills], np.float64) ** 0.75
        source, numbers = self._stills[int(rng.choice(len(weight), p=weight / weight.sum()))]
        return source[int(rng.choice(numbers))]

    def _crop(self, rng: np.random.Generator, still: Still, item: SceneObject) -> Clip:
        matrix = _draw_region(rng, still.labels.shape, item.box, self._size)
        labels = crop_labels(still.labels, matrix, self._size)
        image = crop_image(still.image, matrix.copy(), self._size)
        degrade = Degradation(_DEGRADATION, rng, np.zeros(1), self._size)
        return Clip(degrade(image, 0)[None], closed_up([item.label])[labels][None])


def _draw_region(
    rng: np.random.Generator,
    shape: tuple[int, ...],
    box: tuple[int, int, int, int],
    size: tuple[int, int],
) -> Floats:
    """``[2, 3]`` from pixels of the crop to those of a picture of a ``shape``."""
    extents = np.array([shape[1], shape[0]], np.float64)
    low, high = np.array(box[:2], np.float64), np.array(box[2:], np.float64)
    sides = high - low
    how = rng.random()
    if how < _NEAR:
        factor = rng.uniform(1.15, 1.8)
    elif how < _NEAR + _NEARER:
        factor = rng.uniform(0.5, 1.1)
    else:  # up to the whole picture
        factor = np.exp(rng.uniform(np.log(1.4), np.log(max(1.5, *(extents / sides)))))
    wanted = sides * factor * np.exp(rng.normal(size=2) * 0.05)
    # Its sides become more alike, as far as the picture goes.
    wanted = np.maximum(wanted, wanted.max() * rng.uniform(0.6, 1.0))
    wanted = np.minimum(np.maximum(wanted, 32), extents)
    off = rng.uniform(-0.5, 0.5, size=2) * np.maximum(abs(wanted - sides), 0.1 * sides)
    start = np.clip((low + high) / 2 + off - wanted / 2, 0, extents - wanted)
    scale = wanted / (size[1], size[0])
    matrix = np.zeros((2, 3))
    matrix[(0, 1), (0, 1)] = scale
    matrix[:, 2] = start + 0.5 * scale - 0.5
    if rng.random() < 0.5:
        matrix[0] = (-scale[0], 0, start[0] + (size[1] - 0.5) * scale[0] - 0.5)
    return matrix
