"""What is done with each damaged file: as much as ddeal would do with it."""

import contextlib
import tempfile
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
from PIL import Image

from ddeal_cli.bench.record import compare_records, read_record
from ddeal_core.datasets.coco import CocoStills
from ddeal_core.datasets.layouts import YouTubeVosLayout
from ddeal_core.errors import ConfigError
from ddeal_core.evaluation.categories import read_seen
from ddeal_core.evaluation.labels import read_foreground, read_labels
from ddeal_core.evaluation.submission import submission_frames
from ddeal_core.json_files import read_json
from ddeal_core.media import Cutout, open_source, open_writer, read_image, read_mask
from ddeal_core.training import Recipe
from ddeal_core.training.checkpoint import load_run
from ddeal_core.weights import load_network, read_released
from ddeal_core.weights.imagenet import read_imagenet

__all__ = ["TARGETS"]


def _video(path: Path, choice: int) -> None:
    """Read all frames; every fourth time write a twin, with sound."""
    on_error = ("stop", "skip", "hold")[choice % 3]
    with open_source(path, on_error=on_error) as source:  # type: ignore[arg-type]
        last: Fraction | None = None
        if choice % 4:
            for count, frame in enumerate(source):
                assert frame.size == source.size
                last = frame.time if last is None else last
                if count > 200:
                    break
            return
        with (
            tempfile.TemporaryDirectory() as folder,
            open_writer(Path(folder) / "twin.mkv", source=source) as writer,
        ):
            for count, frame in enumerate(source):
                labels = np.zeros(frame.size, np.uint8)
                labels[:4, :4] = 1
                writer.write(frame, Cutout(frame.image, labels))
                if count > 40:
                    break


def _image(path: Path, choice: int) -> None:
    """Read it as an image and as the frame of a folder."""
    del choice
    read_image(path)
    with open_source(path) as source:
        for _ in source:
            pass


def _mask(path: Path, choice: int) -> None:
    """Read it as any of the kinds of masks."""
    if choice % 4 == 0:
        read_labels(path)
    elif choice % 4 == 1:
        read_foreground(path)
    else:
        read_mask(path, size=(32, 48))


def _weights(path: Path, choice: int) -> None:
    """Load a safetensors file and build its network."""
    del choice
    load_network(path)


def _pickle(path: Path, choice: int) -> None:
    """Load a PyTorch checkpoint as each of the kinds that are read."""
    (read_released, read_imagenet, load_run)[choice % 3](path)


def _meta(path: Path, choice: int) -> None:
    """Read it as the meta.json of a small YouTube-VOS folder."""
    del choice
    root = path.parent / "ytvos"
    image = Image.fromarray(np.zeros((8, 8, 3), np.uint8))
    for place in ("JPEGImages/v", "Annotations/v"):
        (root / place).mkdir(parents=True, exist_ok=True)
        image.convert("L").save(root / place / "00000.png")
    path.replace(root / "meta.json")
    sequences = YouTubeVosLayout(root).sequences()
    submission_frames(root, sequences)
    read_seen(root / "meta.json")


def _coco(path: Path, choice: int) -> None:
    """Read all stills that it describes."""
    del choice
    Image.fromarray(np.zeros((32, 48, 3), np.uint8)).save(path.parent / "a.png")
    stills = CocoStills(path, path.parent)
    for index in range(min(len(stills), 5)):
        stills.still(index)


def _recipe(path: Path, choice: int) -> None:
    """Read a training recipe."""
    del choice
    try:
        values = read_json(path)
    except ValueError as error:
        raise ConfigError(str(error)) from None
    Recipe.from_dict(values)


def _record(path: Path, choice: int) -> None:
    """Read a record of `ddeal bench` and compare it with itself."""
    del choice
    record = read_record(path)
    with contextlib.suppress(ZeroDivisionError):
        compare_records(record, record)


TARGETS: dict[str, Callable[[Path, int], None]] = {
    "video": _video,
    "image": _image,
    "mask": _mask,
    "weights": _weights,
    "pickle": _pickle,
    "json-meta": _meta,
    "json-coco": _coco,
    "json-recipe": _recipe,
    "json-record": _record,
}
"""By kind of sample; each is given the file and a number that chooses between ways to read it."""
