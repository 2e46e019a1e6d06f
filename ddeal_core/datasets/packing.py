"""Training data made small enough to travel: one folder with everything a run learns from.

Every list has as many items in the same order, sequences and masks have the same ids. Where no
picture shrinks, a clip of a number is that of the original but for compression. Where one does, the
same things are drawn, but a place drawn among an object's pixels is another one, and objects that
become smaller than `stills.MIN_PIXELS` are no longer cut out.
"""

import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import numpy as np

from ddeal_core.datasets.backgrounds import VideoBackgrounds
from ddeal_core.datasets.coco import CocoStills
from ddeal_core.datasets.cutouts import CutoutFolder, TurntableFolder, holds_turntables
from ddeal_core.datasets.layouts import DEFAULT_SET
from ddeal_core.datasets.layouts import Sequence as DatasetSequence
from ddeal_core.datasets.material import Material
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
from ddeal_core.errors import DatasetError, InputError, OutputError
from ddeal_core.whole_files import part_of
from ddeal_core.workers import map_processes

_LEVEL = "480p"  # what readers of DAVIS look for first, whatever the size


def short_side_for(height: int) -> int:
    """The side at which random crops of real video are on average not enlarged to `height`."""
    return round(height / float(np.mean(RealConfig().scale)))


class Packing:
    """What is to be packed, as `config` says how small; `write` does it.

    Every ``add_`` takes something by the name or path it has, gives its path within the packed
    data, and raises DatasetError where it does not hold what it should. ``len()`` is the number of
    items to write.

    Attributes:
        parts: What was added, with the files and bytes that have been written so far.
    """

    def __init__(self, config: PackConfig) -> None:
        self._config = config
        self.parts: list[PackedPart] = []
        self._sources: list[Material[Any]] = []
        self._jobs: list[PackJob] = []
        self._lists: list[tuple[int, PurePosixPath, list[str]]] = []

    def __len__(self) -> int:
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
        """

        def kept(sequence: DatasetSequence) -> Iterable[int]:
            return range(len(sequence.frames)) if every_frame else sampled_frames(sequence)

        chosen = [(s, [(i, f"{i:05d}") for i in kept(s)]) for s in sequences]
        # By number: mixed suffixes would sort in another order under one suffix.
        return self._add_video("dataset", name, chosen, image_set, copies=False)

    def add_held_out(
        self, name: str, sequences: Sequence[DatasetSequence], *, image_set: str | None
    ) -> str:
        """Add sequences to validate on, as validation sees them, with all frames that they have."""
        chosen = [(s, [(i, f.stem) for i, f in enumerate(s.frames)]) for s in sequences]
        copies = self._config.held_out_short_side is None
        return self._add_video(HELD_OUT, name, chosen, image_set, copies=copies)

    def add_stills(self, folder: Path) -> str:
        """Add images with masks: one folder, or a folder of folders."""
        sources = Sources.from_paths(stills=[folder]).stills
        number, path = self._begin("stills", folder.name, None, sum(map(len, sources)))
        for source in sources:
            assert isinstance(source, StillFolder)
            nested = source.root != folder
            self._add_source(number, "still", source, path / source.root.name if nested else path)
        return path.as_posix()

    def add_coco(self, json_path: Path, images: Path) -> str:
        """Add the instances of a COCO file, as stills with label maps."""
        source = CocoStills(json_path, images)
        number, path = self._begin("stills", json_path.name, None, len(source))
        self._add_source(number, "still", source, path)
        return path.as_posix()

    def add_cutouts(self, folder: Path) -> str:
        """Add objects with alpha, or turntables."""
        turns = holds_turntables(folder)
        source = TurntableFolder(folder) if turns else CutoutFolder(folder)
        number, path = self._begin("cutouts", folder.name, None, len(source))
        self._add_source(number, "turntable" if turns else "cutout", source, path)
        return path.as_posix()

    def add_backgrounds(self, folder: Path) -> str:
        """Add a folder of photographs or videos, or one video."""
        sources = Sources.from_paths(backgrounds=[folder])
        (source,) = (*sources.backgrounds, *sources.videos)
        number, path = self._begin("backgrounds", folder.name, None, len(source))
        for item, file in enumerate(source.paths):
            to = path / f"{item:07d}"
            if isinstance(source, VideoBackgrounds):
                self._jobs.append(PackJob(number, "video", to, file, item=source.max_frames))
            else:
                self._jobs.append(PackJob(number, "frame", to, file))
        return path.as_posix()

    def write(self, out: Path, choice: dict[str, Any], *, processes: int = 1) -> Iterator[None]:
        """Write the folder, yielding once an item; it appears under its name when it is whole.

        Args:
            out: New, or empty.
            choice: How a run names the data, for the index.
            processes: That encode.

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

    def _write(self, root: Path, choice: dict[str, Any], processes: int) -> Iterator[None]:
        for folder in {job.to.parent for job in self._jobs}:
            (root / folder).mkdir(parents=True)
            if folder.name == "images":
                (root / folder.parent / "masks").mkdir()
        for number, path, names in self._lists:
            (root / path.parent).mkdir(parents=True, exist_ok=True)
            (root / path).write_text("".join(f"{name}\n" for name in names), encoding="utf-8")
            self._count(number, 1, (root / path).stat().st_size)
        work = PackWork(root, self._config, tuple(self._sources))
        prepare = partial(start_worker, work)
        done = map_processes(do_in_worker, self._jobs, workers=processes, prepare=prepare)
        for index, (files, size) in done:
            self._count(self._jobs[index].part, files, size)
            yield
        write_index(PackedIndex(tuple(self.parts), choice, asdict(self._config)), root)

    def _begin(
        self, kind: str, name: str, image_set: str | None, items: int
    ) -> tuple[int, PurePosixPath]:
        number = len(self.parts)
        # A folder of its own keeps the name, which goes into the weights' provenance.
        path = PurePosixPath(kind, str(number), name)
        shown = name + (f":{image_set}" if image_set else "")
        self.parts.append(PackedPart(kind, shown, path.as_posix(), items))
        return number, path

    def _add_video(
        self,
        kind: str,
        name: str,
        chosen: list[tuple[DatasetSequence, list[tuple[int, str]]]],
        image_set: str | None,
        *,
        copies: bool,
    ) -> str:
        """Add frames of sequences by (number, name in the packed data), with their masks."""
        number, path = self._begin(kind, name, image_set, len(chosen))
        for sequence, frames in chosen:
            for index, stem in frames:
                frame = sequence.frames[index]
                mask = sequence.annotations.get(frame.stem)
                kinds: tuple[tuple[Literal["frame", "mask"], str, Path | None], ...]
                kinds = (("frame", "JPEGImages", frame), ("mask", "Annotations", mask))
                for what, folder, file in kinds:
                    to = path / folder / _LEVEL / sequence.name
                    if file is not None and copies:
                        self._jobs.append(PackJob(number, "copy", to / file.name, file))
                    elif file is not None:
                        self._jobs.append(PackJob(number, what, to / stem, file))
        listed = PurePosixPath((image_set or DEFAULT_SET) + ".txt")
        if listed.is_absolute() or ".." in listed.parts:
            raise DatasetError(f"the set {image_set!r} is no name below ImageSets")
        names = [sequence.name for sequence, _ in chosen]
        self._lists.append((number, path / "ImageSets" / listed, names))
        return path.as_posix()

    def _add_source(
        self,
        number: int,
        kind: Literal["still", "cutout", "turntable"],
        source: Material[Any],
        root: PurePosixPath,
    ) -> None:
        root = root / "images" if kind == "still" else root
        # By number: under one suffix, names of several would sort in another order.
        self._jobs += [
            PackJob(number, kind, root / f"{item:07d}", source=len(self._sources), item=item)
            for item in range(len(source))
        ]
        self._sources.append(source)

    def _count(self, number: int, files: int, size: int) -> None:
        part = self.parts[number]
        self.parts[number] = replace(part, files=part.files + files, bytes=part.bytes + size)
