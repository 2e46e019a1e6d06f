"""What is done with each damaged file: as much as ddeal would do with it."""

import contextlib
import math
import tempfile
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from PIL import Image

from ddeal_cli.annotate.session_folder import SessionFolder
from ddeal_cli.bench.record import compare_records, read_record
from ddeal_cli.recipes import read_recipe
from ddeal_cli.training_data import DataChoice, open_packed
from ddeal_core.datasets import Clip, DavisLayout, SyntheticClips, SyntheticConfig, YouTubeVosLayout
from ddeal_core.datasets.coco import open_coco
from ddeal_core.datasets.export import export_clips
from ddeal_core.evaluation.categories import read_seen
from ddeal_core.evaluation.submission import submission_frames
from ddeal_core.media import Cutout, open_source, open_writer, read_image, read_mask
from ddeal_core.media.masks.label_images import read_foreground, read_labels
from ddeal_core.media.outputs.manifest import is_complete, verify
from ddeal_core.network import Ddeal, NetworkConfig
from ddeal_core.settings import read_settings
from ddeal_core.text_files import parsing, read_json
from ddeal_core.training import FirstMaskRecipe
from ddeal_core.training.checkpoint import load_run
from ddeal_core.training.log import TrainingLog
from ddeal_core.training.overrides import override
from ddeal_core.weights import load_network, read_released
from ddeal_core.weights.imagenet import read_imagenet

if TYPE_CHECKING:
    from ddeal_core.media.sources.frame_reader import FrameReader

__all__ = ["TARGETS"]


def _video(path: Path, choice: int) -> None:
    """Read all frames; every fourth time write a twin, with sound."""
    on_error = ("stop", "skip", "hold")[choice % 3]
    with open_source(path, on_error=on_error) as source:  # type: ignore[arg-type]
        last: Fraction | None = None
        if choice % 4:
            for count, frame in enumerate(source):
                assert frame.size == source.info.size
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
    stills = open_coco(path, path.parent)
    for index in range(min(len(stills), 5)):
        stills[index]


def _recipe(path: Path, choice: int) -> None:
    """Read a training recipe."""
    del choice
    recipe = read_recipe(str(path))
    if isinstance(recipe, FirstMaskRecipe):
        assert all(math.isfinite(recipe.rate(step)) for step in (0, recipe.steps - 1))
        return
    override(recipe, steps=7)
    for stage in recipe.stages:
        for step in (0, stage.steps - 1):
            assert math.isfinite(stage.rate(step))
            stage.recurrence(step)
    NetworkConfig.from_preset(recipe.preset)


def _record(path: Path, choice: int) -> None:
    """Read a record of `ddeal bench` and compare it with itself."""
    del choice
    record = read_record(path)
    with contextlib.suppress(ZeroDivisionError):
        compare_records(record, record)


def _set(path: Path, choice: int) -> None:
    """Read it as categories, and as a list of DAVIS or of YouTube-VOS; or add a name to it."""
    root = path.parent / "set"
    image = Image.fromarray(np.zeros((8, 8), np.uint8))
    for place in ("JPEGImages", "Annotations"):
        for name in ("bear", "swan"):
            (root / place / name).mkdir(parents=True)
            image.save(root / place / name / "00000.png")
    (root / "ImageSets").mkdir()
    read_seen(path)
    path.replace(root / "ImageSets" / "val.txt")
    if choice % 3 == 0:
        DavisLayout(root).sequences("val")
    elif choice % 3 == 1:
        YouTubeVosLayout(root).sequences("ImageSets/val")
    else:
        clip = Clip(np.zeros((1, 8, 8, 3), np.uint8), np.zeros((1, 8, 8), np.uint8))
        for _ in export_clips([("new", clip)], root, image_set="val"):
            pass


def _log(path: Path, choice: int) -> None:
    """Go on with the log of a training run."""
    path.replace(path.parent / "log.csv")
    log = TrainingLog(path.parent, step=choice % 3)
    log.close()


def _network(path: Path, choice: int) -> None:
    """Build the network of a configuration, without its numbers."""
    del choice
    with parsing(path, "a configuration"), torch.device("meta"):
        Ddeal(NetworkConfig.from_dict(read_json(path)))


def _engine(path: Path, choice: int) -> None:
    """Make a synthetic clip with a configuration."""
    config = read_settings(SyntheticConfig, read_json(path))
    SyntheticClips(config, size=(32, 48), frames=2).clip(choice)


def _packed(path: Path, choice: int) -> None:
    """Open a folder of packed data."""
    del choice
    path.replace(path.parent / "data.json")
    open_packed(path.parent, DataChoice())


def _choice(path: Path, choice: int) -> None:
    """Go on with the data of a training run, whether or not others are named."""
    path.replace(path.parent / "data.json")
    DataChoice(validation_frames=5 if choice % 2 else None).or_stored(path.parent)


def _session(path: Path, choice: int) -> None:
    """Go on with a session of the annotator that has no masks yet."""
    del choice
    path.replace(path.parent / "objects.json")
    SessionFolder(path.parent).load(cast("FrameReader", None))


def _manifest(path: Path, choice: int) -> None:
    """Verify an output against its manifest, and ask whether it is complete."""
    del choice
    output = path.with_name("cut.mov")
    output.write_bytes(b"a cut-out")
    path.replace(output.with_name("cut.mov.manifest.json"))
    is_complete(output, {"start": None})
    assert all("\n" not in problem for problem in verify(output).problems)


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
    "json-network": _network,
    "json-engine": _engine,
    "json-packed": _packed,
    "json-choice": _choice,
    "json-session": _session,
    "json-manifest": _manifest,
    "text-set": _set,
    "text-log": _log,
}
"""By kind of sample; each is given the file and a number that chooses between ways to read it."""
