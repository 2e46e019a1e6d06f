"""The items of packed data, each written by whichever process takes it."""

import multiprocessing
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal

import cv2
import numpy as np

from ddeal_core.datasets.material import Material
from ddeal_core.datasets.packed_files import pack_cutout, pack_labels, pack_picture, pack_video
from ddeal_core.datasets.pictures import read_image
from ddeal_core.datasets.real import read_ids
from ddeal_core.datasets.stills import StillSource
from ddeal_core.settings import Range, check_settings

HELD_OUT = "held-out"
_UNBOUNDED = 1 << 16
Side = Annotated[int, Range(16, _UNBOUNDED)]


@dataclass(frozen=True)
class PackConfig:
    """How small things become."""

    short_side: Side = 300  # longest shorter side of pictures to train on, pixels
    quality: Annotated[int, Range(1, 100)] = 60  # of their WebP files, 1 to 100
    # The same side of held-out frames and masks; None leaves their files as they are, so that
    # validation gives the same numbers.
    held_out_short_side: Side | None = None

    def __post_init__(self) -> None:
        check_settings(self)


@dataclass(frozen=True)
class PackJob:
    """One item to write: a file, or an item of a source; and where to, without a suffix."""

    part: int
    kind: Literal["frame", "mask", "copy", "video", "still", "cutout", "turntable"]
    to: PurePosixPath
    path: Path = Path()
    source: int = 0
    item: int = 0  # of a source; of a video, how many frames are used


@dataclass(frozen=True)
class PackWork:
    """Does jobs, in this process or in one of its own."""

    root: Path
    config: PackConfig
    sources: tuple[Material[Any], ...]

    def do(self, job: PackJob) -> tuple[int, int]:
        """Write the files of a job: how many, and their bytes."""
        files = self._files(job)
        return len(files), sum(file.stat().st_size for file in files)

    def _files(self, job: PackJob) -> list[Path]:
        to, side, quality = self.root / job.to, self.config.short_side, self.config.quality
        held_out = job.to.parts[0] == HELD_OUT
        short_side = self.config.held_out_short_side if held_out else side
        if job.kind == "copy":
            to.write_bytes(job.path.read_bytes())
            return [to]
        if job.kind == "mask":
            return [pack_labels(read_ids(job.path), to, short_side=short_side)]
        if job.kind == "video":
            return [pack_video(job.path, to, short_side=side, max_frames=job.item)]
        if job.kind == "frame":
            # Held-out frames are scored: they are not coded coarsely.
            quality = max(quality, 95) if held_out else quality
            image = read_image(job.path, max_side=_UNBOUNDED)
            return [pack_picture(image, to, short_side=short_side, quality=quality, file=job.path)]
        source = self.sources[job.source]
        found = source[job.item]
        if job.kind == "cutout":
            return [pack_cutout(found, to, short_side=side, quality=quality)]
        if job.kind == "turntable":
            to.mkdir()
            return [
                pack_cutout(rgba, to / f"{number:05d}", short_side=side, quality=quality)
                for number, rgba in enumerate(found)
            ]
        assert isinstance(source, StillSource)
        # Without objects 255 would be read as one.
        labels = found.labels if found.objects else np.zeros_like(found.labels)
        file = source.image_file(job.item)
        return [
            pack_picture(found.image, to, short_side=side, quality=quality, file=file),
            pack_labels(labels, to.parent.with_name("masks") / to.name, short_side=side),
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
