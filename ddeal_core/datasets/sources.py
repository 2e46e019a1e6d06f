"""All the material of an engine in one record, and how to draw from it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from ddeal_core.datasets.backgrounds import (
    BackgroundSource,
    StillBackgrounds,
    VideoBackgrounds,
)
from ddeal_core.datasets.coco import CocoStills
from ddeal_core.datasets.cutouts import CutoutFolder
from ddeal_core.datasets.detection import find_sequences
from ddeal_core.datasets.moving_objects import MovingObjects
from ddeal_core.datasets.stills import Still, StillFolder, StillSource
from ddeal_core.datasets.turntables import TurntableFolder, holds_turntables
from ddeal_core.errors import DatasetError
from ddeal_core.media.file_kinds import VIDEO_ENDINGS

__all__ = ["Sources"]

_STILL_BYTES = 256 << 20
"""Bound of decoded stills that a process keeps, over all folders."""


class _Counted(Protocol):
    def __len__(self) -> int: ...


SourceT = TypeVar("SourceT", bound=_Counted)


@dataclass(frozen=True)
class Sources:
    """Material for synthetic clips; every part may be empty.

    Attributes:
        stills: Images with masks.
        cutouts: Objects with alpha.
        turntables: Objects with alpha, from all round.
        backgrounds: Photographs.
        videos: Background videos.
        moving: Video with masks.
    """

    stills: tuple[StillSource, ...] = ()
    cutouts: tuple[CutoutFolder, ...] = ()
    turntables: tuple[TurntableFolder, ...] = ()
    backgrounds: tuple[BackgroundSource, ...] = ()
    videos: tuple[BackgroundSource, ...] = ()
    moving: tuple[MovingObjects, ...] = ()

    @classmethod
    def from_paths(
        cls,
        *,
        stills: Iterable[str | Path] = (),
        coco: Iterable[tuple[str | Path, str | Path]] = (),
        cutouts: Iterable[str | Path] = (),
        backgrounds: Iterable[str | Path] = (),
        moving: Iterable[tuple[str | Path, str | None]] = (),
    ) -> "Sources":
        """Open folders.

        Args:
            stills: Folders with ``images`` and ``masks``, or folders of such folders.
            coco: Pairs of an instance JSON file and its image folder.
            cutouts: Folders of images with alpha, or of turntables: folders of such images.
            backgrounds: Folders of photographs, folders of videos, or video files.
            moving: Folders of video with masks in the layout of DAVIS or YouTube-VOS, each with
                the name of a list of sequences; None as `find_sequences` has it.

        Raises:
            DatasetError: A path does not hold what it should.
        """
        roots = [root for path in stills for root in _still_roots(Path(path))]
        instances = list(coco)
        share = _STILL_BYTES // max(len(roots) + len(instances), 1)
        made: list[StillSource] = [StillFolder(root, cache_bytes=share) for root in roots]
        made += [CocoStills(file, images, cache_bytes=share) for file, images in instances]
        photographs: list[BackgroundSource] = []
        videos: list[BackgroundSource] = []
        for path in backgrounds:
            if _holds_videos(Path(path)):
                videos.append(VideoBackgrounds(path))
            else:
                photographs.append(StillBackgrounds(path))
        objects: list[CutoutFolder] = []
        turntables: list[TurntableFolder] = []
        for path in cutouts:
            if holds_turntables(Path(path)):
                turntables.append(TurntableFolder(path))
            else:
                objects.append(CutoutFolder(path))
        return cls(
            stills=tuple(made),
            cutouts=tuple(objects),
            turntables=tuple(turntables),
            backgrounds=tuple(photographs),
            videos=tuple(videos),
            moving=tuple(MovingObjects(find_sequences(root, name)) for root, name in moving),
        )

    def draw_still(self, rng: np.random.Generator) -> Still:
        """Draw a still; ``stills`` must not be empty."""
        source, index = _draw(self.stills, rng)
        return source.still(index)

    def draw_plates(
        self, rng: np.random.Generator, times: NDArray[np.float64], *, video: bool
    ) -> list[NDArray[np.uint8]]:
        """Draw background plates: one for a still, one a time for a video."""
        source, index = _draw(self.videos if video else self.backgrounds, rng)
        return source.plates(index, times, float(rng.random()))

    def draw_cutout(self, rng: np.random.Generator) -> NDArray[np.uint8]:
        """Draw an object with alpha ``[h, w, 4]``; ``cutouts`` must not be empty."""
        source, index = _draw(self.cutouts, rng)
        return source.cutout(index)

    def draw_turntable(self, rng: np.random.Generator) -> NDArray[np.uint8]:
        """Draw a thing, ``[sides, h, w, 4]``; ``turntables`` must not be empty."""
        source, index = _draw(self.turntables, rng)
        return source.sides(index)

    def draw_moving(self, rng: np.random.Generator) -> tuple[MovingObjects, int]:
        """Draw a sequence by its number; ``moving`` must not be empty."""
        return _draw(self.moving, rng)


def _draw(sources: Sequence[SourceT], rng: np.random.Generator) -> tuple[SourceT, int]:
    # A source of a hundred times as many is drawn thirty times as often.
    weight = np.array([len(s) for s in sources], dtype=np.float64) ** 0.75
    source = sources[int(rng.choice(len(sources), p=weight / weight.sum()))]
    return source, int(rng.integers(len(source)))


def _still_roots(root: Path) -> list[Path]:
    if (root / "images").is_dir():
        return [root]
    inner = sorted(p.parent for p in root.glob("*/images") if p.is_dir())
    if not inner:
        raise DatasetError(
            f"{root} has no stills: it needs images/ and masks/, or folders that have them"
        )
    return inner


def _holds_videos(path: Path) -> bool:
    if path.is_dir():
        return any(p.suffix.lower() in VIDEO_ENDINGS for p in path.iterdir())
    return path.suffix.lower() in VIDEO_ENDINGS
