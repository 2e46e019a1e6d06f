"""Training data made small enough to travel: one folder with everything a run learns from.

Lists keep their length and order, and masks keep their ids. Where no picture shrinks, a clip of a
number is that of the original data but for compression. Where one does, the same things are drawn,
but places within objects differ, and objects that become smaller than `stills.MIN_PIXELS` are no
longer cut out.
"""

import multiprocessing
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Annotated, Any

import cv2
import numpy as np

from ddeal_core.datasets.backgrounds import holds_videos, open_photographs, open_videos
from ddeal_core.datasets.coco import open_coco
from ddeal_core.datasets.cutouts import holds_turntables, open_cutouts, open_turntables
from ddeal_core.datasets.layouts import DEFAULT_SET, DatasetSequence
from ddeal_core.datasets.packed_files import (
    Reduction,
    copy_file,
    pack_frame,
    pack_mask,
    pack_object,
    pack_still,
    pack_video,
)
from ddeal_core.datasets.packed_index import PackedIndex, PackedPart, write_index
from ddeal_core.datasets.real import RealConfig, sampled_frames
from ddeal_core.datasets.sources import still_roots
from ddeal_core.datasets.stills import Stills, open_stills
from ddeal_core.errors import DatasetError, InputError, OutputError
from ddeal_core.settings import Range, check_settings
from ddeal_core.whole_files import part_of
from ddeal_core.workers import map_processes

_LEVEL = "480p"  # what readers of DAVIS look for first, whatever the size
ShortSide = Annotated[int, Range(16, 1 << 16)]


@dataclass(frozen=True)
class PackConfig:
    """How small things become."""

    short_side: ShortSide = 320  # longest shorter side of pictures to train on, pixels
    quality: Annotated[int, Range(1, 100)] = 60  # of their WebP files, 1 to 100
    # The same side of held-out frames and masks; None leaves their files as they are, so that
    # validation gives the same numbers.
    held_out_short_side: ShortSide | None = None

    def __post_init__(self) -> None:
        check_settings(self)


def short_side_for(height: int) -> int:
    """The side at which random crops of real video are on average not enlarged to `height`."""
    return round(height / float(np.mean(RealConfig().scale)))


Write = Callable[[Path], list[Path]]
"""Writes one item to a path that lacks a suffix; returns its files. It travels to workers."""


@dataclass(frozen=True)
class _Job:
    part: int
    to: PurePosixPath
    write: Write


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
        self._small = Reduction(config.short_side, config.quality)
        self.parts: list[PackedPart] = []
        self._jobs: list[_Job] = []
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

        # By number: mixed suffixes would sort in another order under one suffix.
        chosen = [(s, [(s.frames[i], f"{i:05d}") for i in kept(s)]) for s in sequences]
        return self._add_video("dataset", name, chosen, image_set, self._small)

    def add_held_out(
        self, name: str, sequences: Sequence[DatasetSequence], *, image_set: str | None
    ) -> str:
        """Add sequences to validate on, as validation sees them, with all frames that they have."""
        chosen = [(s, [(frame, frame.stem) for frame in s.frames]) for s in sequences]
        side = self._config.held_out_short_side
        # What is scored is not coded coarsely.
        small = None if side is None else Reduction(side, max(self._config.quality, 95))
        return self._add_video("held-out", name, chosen, image_set, small)

    def add_stills(self, folder: Path) -> str:
        """Add images with masks: one folder, or a folder of folders."""
        roots = still_roots(folder)
        opened = [open_stills(root) for root in roots]
        number, path = self._begin("stills", folder.name, None, sum(map(len, opened)))
        for root, stills in zip(roots, opened, strict=True):
            self._add_stills(number, path if root == folder else path / root.name, stills)
        return path.as_posix()

    def add_coco(self, json_path: Path, images: Path) -> str:
        """Add the instances of a COCO file, as stills with label maps."""
        stills = open_coco(json_path, images)
        number, path = self._begin("stills", json_path.name, None, len(stills))
        self._add_stills(number, path, stills)
        return path.as_posix()

    def add_cutouts(self, folder: Path) -> str:
        """Add objects with alpha, or turntables."""
        turns = holds_turntables(folder)
        source = open_turntables(folder) if turns else open_cutouts(folder)
        number, path = self._begin("cutouts", folder.name, None, len(source))
        writes = [partial(pack_object, self._small, source.read, item) for item in source.items]
        return self._add_numbered(number, path, writes)

    def add_backgrounds(self, folder: Path) -> str:
        """Add a folder of photographs or videos, or one video."""
        writes: list[Write]
        if holds_videos(folder):
            side = self._config.short_side
            files = open_videos(folder).items
            writes = [partial(pack_video, file, short_side=side) for file in files]
        else:
            files = open_photographs(folder).items
            writes = [partial(pack_frame, self._small, file) for file in files]
        number, path = self._begin("backgrounds", folder.name, None, len(files))
        return self._add_numbered(number, path, writes)

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
            self._count(number, [(root / path).stat().st_size])
        work = partial(_write_item, root)
        done = map_processes(work, self._jobs, workers=processes, prepare=_leave_cores)
        for index, sizes in done:
            self._count(self._jobs[index].part, sizes)
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
        chosen: Sequence[tuple[DatasetSequence, list[tuple[Path, str]]]],
        image_set: str | None,
        small: Reduction | None,
    ) -> str:
        """Add frames of sequences by (file, name in the packed data), with their masks."""
        picture = copy_file if small is None else partial(pack_frame, small)
        labels = copy_file if small is None else partial(pack_mask, small)
        number, path = self._begin(kind, name, image_set, len(chosen))
        for sequence, frames in chosen:
            for frame, stem in frames:
                mask = sequence.annotations.get(frame.stem)
                both = (("JPEGImages", frame, picture), ("Annotations", mask, labels))
                self._jobs += [
                    _Job(number, path / folder / _LEVEL / sequence.name / stem, partial(pack, file))
                    for folder, file, pack in both
                    if file is not None
                ]
        listed = PurePosixPath((image_set or DEFAULT_SET) + ".txt")
        if listed.is_absolute() or ".." in listed.parts:
            raise DatasetError(f"the set {image_set!r} is no name below ImageSets")
        names = [sequence.name for sequence, _ in chosen]
        for each in names:
            if not each.isprintable() or each != each.strip() or each.startswith("#"):
                raise DatasetError(f"a list cannot hold the name {each!r}: rename that sequence")
        self._lists.append((number, path / "ImageSets" / listed, names))
        return path.as_posix()

    def _add_stills(self, number: int, path: PurePosixPath, stills: Stills) -> None:
        writes = [partial(pack_still, self._small, stills.read, item) for item in stills.items]
        self._add_numbered(number, path / "images", writes)

    def _add_numbered(self, number: int, path: PurePosixPath, writes: Sequence[Write]) -> str:
        # By number: under one suffix, names of several would sort in another order.
        self._jobs += [_Job(number, path / f"{i:07d}", write) for i, write in enumerate(writes)]
        return path.as_posix()

    def _count(self, number: int, sizes: Sequence[int]) -> None:
        part = self.parts[number]
        files, size = part.files + len(sizes), part.bytes + sum(sizes)
        self.parts[number] = replace(part, files=files, bytes=size)


def _write_item(root: Path, job: _Job) -> list[int]:
    """Write the files of a job, and give their sizes."""
    return [file.stat().st_size for file in job.write(root / job.to)]


def _leave_cores() -> None:
    if multiprocessing.parent_process() is not None:
        cv2.setNumThreads(0)  # the cores belong to the other processes
