"""Training data made small enough to travel: one folder with everything a run learns from.

Every list has as many items in the same order, sequences and masks have the same ids. Where no
picture shrinks, a clip of a number is that of the original but for compression. Where one does, the
same things are drawn, but a place drawn among an object's pixels is another one, and objects that
become smaller than `stills.MIN_PIXELS` are no longer cut out.
"""

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from ddeal_core.datasets.backgrounds import StillBackgrounds, VideoBackgrounds
from ddeal_core.datasets.coco import CocoStills
from ddeal_core.datasets.cutouts import CutoutFolder
from ddeal_core.datasets.detection import DEFAULT_SET
from ddeal_core.datasets.layouts import Sequence as DatasetSequence
from ddeal_core.datasets.packed_index import PackedIndex, PackedPart, write_index
from ddeal_core.datasets.packing_jobs import (
    HELD_OUT,
    PackConfig,
    PackJob,
    PackWork,
    do_in_worker,
    start_worker,
)
from ddeal_core.datasets.real import RealConfig, sampled_frames
from ddeal_core.datasets.sources import Sources
from ddeal_core.datasets.stills import StillFolder
from ddeal_core.datasets.turntables import TurntableFolder, holds_turntables
from ddeal_core.errors import DatasetError, InputError, OutputError
from ddeal_core.whole_files import part_of
from ddeal_core.workers import map_processes

__all__ = ["PackConfig", "Packing", "short_side_for"]

_LEVEL = "480p"  # what readers of DAVIS look for first, whatever the size


def short_side_for(height: int) -> int:
    """The side at which clips of real video, cropped at random, are on average not enlarged.

    Args:
        height: Of the clips, pixels.
    """
    return round(height / float(np.mean(RealConfig().scale)))


@dataclass
class _Part:
    kind: str
    name: str
    path: str
    items: int
    files: int = 0
    bytes: int = 0


class Packing:
    """What is to be packed; `write` does it.

    Args:
        config: How small things become.
    """

    def __init__(self, config: PackConfig) -> None:
        self._config = config
        self._stills: list[StillFolder | CocoStills] = []
        self._cutouts: list[CutoutFolder | TurntableFolder] = []
        self._parts: list[_Part] = []
        self._jobs: list[PackJob] = []
        self._lists: list[tuple[int, PurePosixPath, list[str]]] = []

    def __len__(self) -> int:
        """Return how many items there are to write."""
        return len(self._jobs)

    def add_dataset(
        self,
        name: str,
        sequences: Sequence[DatasetSequence],
        *,
        image_set: str | None,
        every_frame: bool,
    ) -> str:
        """Add video with masks to train on, in the layout of DAVIS.

        Args:
            name: Of the dataset's folder.
            sequences: Those of the set.
            image_set: Name of the set, if one was named.
            every_frame: Keep frames that training never samples, to validate on.

        Returns:
            Its path within the packed data.
        """
        number, path = self._begin("dataset", name, image_set, len(sequences))
        for sequence in sequences:
            kept = range(len(sequence.frames)) if every_frame else sampled_frames(sequence)
            images, masks = _davis_folders(path, sequence.name)
            for index in kept:
                frame = sequence.frames[index]
                # By number: mixed suffixes would sort in another order under one suffix.
                self._jobs.append(PackJob(number, "frame", images / f"{index:05d}", frame))
                mask = sequence.annotations.get(frame.stem)
                if mask is not None:
                    self._jobs.append(PackJob(number, "mask", masks / f"{index:05d}", mask))
        self._list(number, path, image_set, sequences)
        return path.as_posix()

    def add_held_out(
        self, name: str, sequences: Sequence[DatasetSequence], *, image_set: str | None
    ) -> str:
        """Add sequences to validate on, with all the frames that they have.

        Args:
            name: Of the dataset's folder.
            sequences: As validation sees them.
            image_set: Name of the set, if one was named.

        Returns:
            Its path within the packed data.
        """
        number, path = self._begin(HELD_OUT, name, image_set, len(sequences))
        same = self._config.held_out_short_side is None
        for sequence in sequences:
            images, masks = _davis_folders(path, sequence.name)
            for frame in sequence.frames:
                to = images / (frame.name if same else frame.stem)
                self._jobs.append(PackJob(number, "copy" if same else "frame", to, frame))
            for stem, mask in sequence.annotations.items():
                to = masks / (mask.name if same else stem)
                self._jobs.append(PackJob(number, "copy" if same else "mask", to, mask))
        self._list(number, path, image_set, sequences)
        return path.as_posix()

    def add_stills(self, folder: Path) -> str:
        """Add images with masks: one folder, or a folder of folders.

        Returns:
            Its path within the packed data.

        Raises:
            DatasetError: The folder does not hold what it should.
        """
        sources = Sources.from_paths(stills=[folder]).stills
        number, path = self._begin("stills", folder.name, None, sum(map(len, sources)))
        for source in sources:
            assert isinstance(source, StillFolder)
            nested = source.root != folder
            self._add_source(number, source, path / source.root.name if nested else path)
        return path.as_posix()

    def add_coco(self, json_path: Path, images: Path) -> str:
        """Add the instances of a COCO file, as stills with label maps.

        Returns:
            Its path within the packed data.

        Raises:
            DatasetError: The file is of another form.
        """
        source = CocoStills(json_path, images)
        number, path = self._begin("stills", json_path.name, None, len(source))
        self._add_source(number, source, path)
        return path.as_posix()

    def add_cutouts(self, folder: Path) -> str:
        """Add objects with alpha, or turntables.

        Returns:
            Their path within the packed data.

        Raises:
            DatasetError: The folder has none.
        """
        if holds_turntables(folder):
            return self._add_turntables(TurntableFolder(folder), folder.name)
        source = CutoutFolder(folder)
        number, path = self._begin("cutouts", folder.name, None, len(source))
        self._cutouts.append(source)
        self._jobs += [
            PackJob(
                number, "cutout", path / f"{item:07d}", source=len(self._cutouts) - 1, item=item
            )
            for item in range(len(source))
        ]
        return path.as_posix()

    def _add_turntables(self, source: TurntableFolder, name: str) -> str:
        number, path = self._begin("cutouts", name, None, len(source))
        self._cutouts.append(source)
        self._jobs += [
            PackJob(
                number, "turntable", path / f"{item:07d}", source=len(self._cutouts) - 1, item=item
            )
            for item in range(len(source))
        ]
        return path.as_posix()

    def add_backgrounds(self, folder: Path) -> str:
        """Add a folder of photographs or videos, or one video.

        Returns:
            Its path within the packed data.

        Raises:
            DatasetError: There are none.
        """
        sources = Sources.from_paths(backgrounds=[folder])
        (source,) = (*sources.backgrounds, *sources.videos)
        assert isinstance(source, StillBackgrounds | VideoBackgrounds)
        number, path = self._begin("backgrounds", folder.name, None, len(source))
        for item, file in enumerate(source.paths):
            to = path / f"{item:07d}"
            if isinstance(source, VideoBackgrounds):
                self._jobs.append(PackJob(number, "video", to, file, item=source.max_frames))
            else:
                self._jobs.append(PackJob(number, "frame", to, file))
        return path.as_posix()

    def write(self, out: Path, choice: dict[str, Any], *, processes: int = 1) -> Iterator[None]:
        """Write the folder; it appears under its name when it is whole.

        Args:
            out: New, or empty.
            choice: How a run names the data, for the index.
            processes: That encode.

        Yields:
            Once an item.

        Raises:
            InputError: The folder is not empty.
            DatasetError: Something cannot be read.
            OutputError: Something cannot be written.
        """
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise InputError(f"{out} is there already: name a new folder, or an empty one")
        part = part_of(out)
        try:
            try:
                shutil.rmtree(part, ignore_errors=True)
                yield from self._write(part, choice, processes)
                if out.is_dir():
                    out.rmdir()
                part.replace(out)
            finally:
                shutil.rmtree(part, ignore_errors=True)
        except OSError as error:
            raise OutputError(f"{out} cannot be written: {error.strerror or error}") from error

    @property
    def parts(self) -> tuple[PackedPart, ...]:
        """What has been written so far."""
        return tuple(PackedPart(**asdict(part)) for part in self._parts)

    def _write(self, root: Path, choice: dict[str, Any], processes: int) -> Iterator[None]:
        for folder in {job.to.parent for job in self._jobs}:
            (root / folder).mkdir(parents=True)
            if folder.name == "images":
                (root / folder.parent / "masks").mkdir()
        for number, path, names in self._lists:
            (root / path.parent).mkdir(parents=True, exist_ok=True)
            (root / path).write_text("".join(f"{name}\n" for name in names), encoding="utf-8")
            self._count(number, 1, (root / path).stat().st_size)
        for job, files, size in self._done(root, processes):
            self._count(job.part, files, size)
            yield
        write_index(PackedIndex(self.parts, choice, asdict(self._config)), root)

    def _done(self, root: Path, processes: int) -> Iterator[tuple[PackJob, int, int]]:
        work = PackWork(root, self._config, tuple(self._stills), tuple(self._cutouts))
        prepare = partial(start_worker, work)
        done = map_processes(do_in_worker, self._jobs, workers=processes, prepare=prepare)
        for index, (files, size) in done:
            yield self._jobs[index], files, size

    def _begin(
        self, kind: str, name: str, image_set: str | None, items: int
    ) -> tuple[int, PurePosixPath]:
        number = len(self._parts)
        # A folder of its own keeps the name, which goes into the weights' provenance.
        path = PurePosixPath(kind, str(number), name)
        shown = name + (f":{image_set}" if image_set else "")
        self._parts.append(_Part(kind, shown, path.as_posix(), items))
        return number, path

    def _add_source(
        self, number: int, source: StillFolder | CocoStills, root: PurePosixPath
    ) -> None:
        self._stills.append(source)
        for item in range(len(source)):
            # By number: under one suffix, names of several would sort in another order.
            to = root / "images" / f"{item:07d}"
            self._jobs.append(PackJob(number, "still", to, source=len(self._stills) - 1, item=item))

    def _list(
        self,
        number: int,
        path: PurePosixPath,
        image_set: str | None,
        sequences: Sequence[DatasetSequence],
    ) -> None:
        name = PurePosixPath((image_set or DEFAULT_SET) + ".txt")
        if name.is_absolute() or ".." in name.parts:
            raise DatasetError(f"the set {image_set!r} is no name below ImageSets")
        file = path / "ImageSets" / name
        self._lists.append((number, file, [sequence.name for sequence in sequences]))

    def _count(self, number: int, files: int, size: int) -> None:
        self._parts[number].files += files
        self._parts[number].bytes += size


def _davis_folders(path: PurePosixPath, sequence: str) -> tuple[PurePosixPath, PurePosixPath]:
    return path / "JPEGImages" / _LEVEL / sequence, path / "Annotations" / _LEVEL / sequence
