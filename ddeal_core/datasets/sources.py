"""All the material of an engine in one record, and how to draw from it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from ddeal_core.datasets.arrays import Array, Floats
from ddeal_core.datasets.backgrounds import VideoPlates, holds_videos, open_photographs, open_videos
from ddeal_core.datasets.cached_files import CachedFiles
from ddeal_core.datasets.coco import open_coco
from ddeal_core.datasets.cutouts import holds_turntables, open_cutouts, open_turntables
from ddeal_core.datasets.layouts import list_sequences
from ddeal_core.datasets.moving_objects import MovingObjects
from ddeal_core.datasets.stills import Stills, open_stills
from ddeal_core.errors import DatasetError

_STILL_BYTES = 256 << 20
"""Bound of decoded stills that a process keeps, over all folders."""

SourceT = TypeVar("SourceT", bound=CachedFiles[Any])


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

    stills: tuple[Stills, ...] = ()
    cutouts: tuple[CachedFiles[Array], ...] = ()
    turntables: tuple[CachedFiles[Array], ...] = ()
    backgrounds: tuple[CachedFiles[Array], ...] = ()
    videos: tuple[CachedFiles[VideoPlates], ...] = ()
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
                the name of a list of sequences; None as `list_sequences` has it.

        Raises:
            DatasetError: A path does not hold what it should.
        """
        roots = [root for path in stills for root in still_roots(Path(path))]
        instances = [(Path(file), Path(images)) for file, images in coco]
        share = _STILL_BYTES // max(len(roots) + len(instances), 1)
        made = [open_stills(root, cache_bytes=share) for root in roots]
        made += [open_coco(file, images, cache_bytes=share) for file, images in instances]
        turning = [(Path(path), holds_turntables(Path(path))) for path in cutouts]
        filmed = [(Path(path), holds_videos(Path(path))) for path in backgrounds]
        return cls(
            stills=tuple(made),
            cutouts=tuple(open_cutouts(p) for p, turns in turning if not turns),
            turntables=tuple(open_turntables(p) for p, turns in turning if turns),
            backgrounds=tuple(open_photographs(p) for p, films in filmed if not films),
            videos=tuple(open_videos(p) for p, films in filmed if films),
            moving=tuple(MovingObjects(list_sequences(root, name)) for root, name in moving),
        )

    def draw_photograph(self, rng: np.random.Generator) -> Array:
        """Draw a background photograph."""
        source, index = draw_from(self.backgrounds, rng)
        rng.random()  # a video takes a number here: the clips of a seed stay as they are
        return source[index]

    def draw_video(self, rng: np.random.Generator, times: Floats) -> list[Array]:
        """Draw a stretch of a background video: one plate a time."""
        source, index = draw_from(self.videos, rng)
        phase = float(rng.random())
        return source[index].at(times, phase)


def draw_from(sources: Sequence[SourceT], rng: np.random.Generator) -> tuple[SourceT, int]:
    """Draw a thing, as its source and its number there; ``sources`` must not be empty."""
    # A source of a hundred times as many is drawn thirty times as often.
    weight = np.array([len(s) for s in sources], dtype=np.float64) ** 0.75
    source = sources[int(rng.choice(len(sources), p=weight / weight.sum()))]
    return source, int(rng.integers(len(source)))


def still_roots(root: Path) -> list[Path]:
    """List the folders of stills of a folder: itself, or those in it."""
    if (root / "images").is_dir():
        return [root]
    inner = sorted(p.parent for p in root.glob("*/images") if p.is_dir())
    if not inner:
        raise DatasetError(
            f"{root} has no stills: it needs images/ and masks/, or folders that have them"
        )
    return inner
