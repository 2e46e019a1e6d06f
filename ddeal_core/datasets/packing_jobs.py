"""The items of packed data, each written by whichever process takes it."""

import multiprocessing
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal

import cv2
import numpy as np

from ddeal_core.datasets.coco import CocoStills
from ddeal_core.datasets.cutouts import CutoutFolder
from ddeal_core.datasets.packed_files import (
    pack_cutout,
    pack_labels,
    pack_mask,
    pack_picture,
    pack_video,
    reduced_size,
)
from ddeal_core.datasets.pictures import read_image
from ddeal_core.datasets.stills import StillFolder
from ddeal_core.datasets.turntables import TurntableFolder
from ddeal_core.settings import Range, check_settings

__all__ = ["HELD_OUT", "PackConfig", "PackJob", "PackWork", "do_in_worker", "start_worker"]

HELD_OUT = "held-out"
_UNBOUNDED = 1 << 16
Side = Annotated[int, Range(16, _UNBOUNDED)]


@dataclass(frozen=True)
class PackConfig:
    """How small things become.

    Attributes:
        short_side: Longest shorter side of pictures to train on, pixels.
        quality: Of their WebP files, 1 to 100.
        held_out_short_side: The same side of held-out frames and masks; None leaves their files
            as they are, so that validation gives the same numbers.
    """

    short_side: Side = 300
    quality: Annotated[int, Range(1, 100)] = 60
    held_out_short_side: Side | None = None

    def __post_init__(self) -> None:
        check_settings(self)


@dataclass(frozen=True)
class PackJob:
    """One item to write: what of which source, and where to (without a suffix)."""

    part: int
    kind: Literal["frame", "mask", "copy", "still", "cutout", "turntable", "video"]
    to: PurePosixPath
    path: Path | None = None
    source: int = 0
    item: int = 0


@dataclass(frozen=True)
class PackWork:
    """Does jobs, in this process or in one of its own."""

    root: Path
    config: PackConfig
    stills: tuple[StillFolder | CocoStills, ...]
    cutouts: tuple[CutoutFolder | TurntableFolder, ...]

    def do(self, job: PackJob) -> tuple[int, int]:
        """Write the files of a job: how many, and their bytes."""
        files = self._files(job)
        return len(files), sum(file.stat().st_size for file in files)

    def _files(self, job: PackJob) -> list[Path]:
        to = self.root / job.to
        held_out = job.to.parts[0] == HELD_OUT
        side = self.config.held_out_short_side if held_out else self.config.short_side
        # Held-out frames are scored: they are not coded coarsely.
        quality = max(self.config.quality, 95) if held_out else self.config.quality
        if job.kind == "still":
            return self._still(job, to)
        if job.kind == "cutout":
            folder = self.cutouts[job.source]
            assert isinstance(folder, CutoutFolder)
            rgba = folder.cutout(job.item)
            return [pack_cutout(rgba, to, short_side=side, quality=quality)]
        if job.kind == "turntable":
            folder = self.cutouts[job.source]
            assert isinstance(folder, TurntableFolder)
            to.mkdir()
            return [
                pack_cutout(rgba, to / f"{number:05d}", short_side=side, quality=quality)
                for number, rgba in enumerate(folder.sides(job.item))
            ]
        assert job.path is not None
        if job.kind == "copy":
            to.write_bytes(job.path.read_bytes())
            return [to]
        if job.kind == "mask":
            return [pack_mask(job.path, to, short_side=side)]
        if job.kind == "video":
            return [pack_video(job.path, to, short_side=side, max_frames=job.item)]
        image = read_image(job.path, max_side=_UNBOUNDED)
        return [pack_picture(image, to, short_side=side, quality=quality, file=job.path)]

    def _still(self, job: PackJob, to: Path) -> list[Path]:
        source, config = self.stills[job.source], self.config
        still = source.still(job.item)
        # Without objects 255 would be read as one.
        labels = still.labels if still.objects else np.zeros_like(still.labels)
        size = reduced_size(labels.shape[0], labels.shape[1], config.short_side)
        return [
            pack_picture(
                still.image,
                to,
                short_side=config.short_side,
                quality=config.quality,
                file=source.image_file(job.item),
            ),
            pack_labels(labels, to.parent.with_name("masks") / to.name, size=size),
        ]


_work: PackWork | None = None


def start_worker(work: PackWork) -> None:
    """Make this process ready for jobs."""
    global _work
    if multiprocessing.parent_process() is not None:
        cv2.setNumThreads(0)  # the cores belong to the other processes
    _work = work


def do_in_worker(job: PackJob) -> tuple[int, int]:
    """Do a job where `start_worker` was called: files and bytes written."""
    assert _work is not None
    return _work.do(job)
