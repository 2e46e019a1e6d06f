"""All the material of an engine in one record, and how to draw from it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from ddeal_core.datasets.arrays import Array, Floats
from ddeal_core.datasets.backgrounds import Backgrounds, StillBackgrounds, VideoBackgrounds
from ddeal_core.datasets.coco import CocoStills
from ddeal_core.datasets.cutouts import CutoutFolder, TurntableFolder, holds_turntables
from ddeal_core.datasets.layouts import find_sequences
from ddeal_core.datasets.material import Material
from ddeal_core.datasets.moving_objects import MovingObjects
from ddeal_core.datasets.stills import StillFolder, StillSource
from ddeal_core.errors import DatasetError
from ddeal_core.media.file_kinds import VIDEO_ENDINGS

_STILL_BYTES = 256 << 20
"""Bound of decoded stills that a process keeps, over all folders."""

SourceT = TypeVar("SourceT", bound=Material[Any])


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
    backgrounds: tuple[Backgrounds[Any], ...] = ()
    videos: tuple[Backgrounds[Any], ...] = ()
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
        turning = [(path, holds_turntables(Path(path))) for path in cutouts]
        filmed = [(path, _holds_videos(Path(path))) for path in backgrounds]
        return cls(
            stills=tuple(made),
            cutouts=tuple(CutoutFolder(p) for p, turns in turning if not turns),
            turntables=tuple(TurntableFolder(p) for p, turns in turning if turns),
            backgrounds=tuple(StillBackgrounds(p) for p, films in filmed if not films),
            videos=tuple(VideoBackgrounds(p) for p, films in filmed if films),
            moving=tuple(MovingObjects(find_sequences(root, name)) for root, name in moving),
        )

    def draw_plates(self, rng: np.random.Generator, times: Floats, *, video: bool) -> list[Array]:
        """Draw background plates: one for a still, one a time for a video."""
        source, index = draw_from(self.videos if video else self.backgrounds, rng)
        return source.plates(index, times, float(rng.random()))


def draw_from(sources: Sequence[SourceT], rng: np.random.Generator) -> tuple[SourceT, int]:
    """Draw a thing, as its source and its number there; ``sources`` must not be empty."""
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
