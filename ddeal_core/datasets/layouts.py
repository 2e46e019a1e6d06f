"""Dataset folders on disk: DAVIS and YouTube-VOS, read into one record a sequence.

Nothing is decoded here; only names are read, and every folder is listed once.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ddeal_core.errors import DatasetError
from ddeal_core.media.file_kinds import IMAGE_ENDINGS, natural_key
from ddeal_core.text_files import parsing, read_json, read_text

DEFAULT_SET = "train"


@dataclass(frozen=True)
class DatasetSequence:
    """One video of a dataset."""

    name: str  # folder name of the sequence
    frames: tuple[Path, ...]  # image files in natural order ("2" before "10"); never empty
    # Mask file by frame stem (``"00005"``); may cover some frames only.
    annotations: Mapping[str, Path]
    # Category by object id, where the dataset tells.
    categories: Mapping[int, str] = field(default_factory=dict)
    # Stem of the first frame that holds the object, by object id, where the dataset tells.
    first_frames: Mapping[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.frames:
            raise DatasetError(f"sequence {self.name!r} has no frames; remove it or add images")
        if len({frame.stem for frame in self.frames}) < len(self.frames):
            raise DatasetError(
                f"sequence {self.name!r} in {self.frames[0].parent} has images that differ only "
                "in their suffix; keep one of each"
            )

    @property
    def annotated_indices(self) -> tuple[int, ...]:
        """Indices into ``frames`` of the frames that have an annotation."""
        return tuple(i for i, frame in enumerate(self.frames) if frame.stem in self.annotations)


class DavisLayout:
    """A folder in the layout of DAVIS.

    ``JPEGImages/<resolution>/<sequence>/*.jpg``, ``Annotations/<resolution>/<sequence>/*.png``
    and ``ImageSets/**/<set>.txt``. Where the folder of the wanted resolution is missing,
    another one that ``JPEGImages`` has (``Full-Resolution``, ...) is taken, and where it has
    sequences straight inside, no resolution level is assumed.

    Args:
        root: The folder that holds ``JPEGImages``.
        resolution: Preferred folder below ``JPEGImages``.

    Raises:
        DatasetError: ``root`` or ``root/JPEGImages`` is no folder.
    """

    def __init__(self, root: str | Path, *, resolution: str = "480p") -> None:
        self.root = Path(root)
        images = self.root / "JPEGImages"
        if not images.is_dir():
            raise DatasetError(
                f"{self.root} is no DAVIS folder: {images} is missing; "
                "give the folder that holds JPEGImages and Annotations"
            )
        self.resolution = _detect_resolution(images, resolution)
        self._images = images / self.resolution
        self._annotations = self.root / "Annotations" / self.resolution

    @property
    def image_sets(self) -> tuple[str, ...]:
        """Names of the image sets below ``ImageSets``, sorted."""
        return tuple(sorted({p.stem for p in (self.root / "ImageSets").rglob("*.txt")}))

    def sequences(self, image_set: str | None = None) -> tuple[DatasetSequence, ...]:
        """List the sequences, in the order of the image set, or by name without one.

        Args:
            image_set: Name of a list below ``ImageSets``, with or without its sub-folder
                (``"train"``, ``"2017/val"``); ``None`` takes every sequence. Where several
                sub-folders have the list, the last one by name (the newest year) is read.

        Raises:
            DatasetError: The set does not exist, is empty, or names a missing sequence.
        """
        listed = _folder_names(self._images) if image_set is None else self._read_set(image_set)
        if not listed:
            raise DatasetError(f"{self._images} has no sequence folders")
        return tuple(_sequence(n, self._images / n, self._annotations / n) for n in listed)

    def _read_set(self, image_set: str) -> list[str]:
        # "2017/val" and "val" are both answered; DAVIS 2016 keeps its lists in "480p/".
        folder, wanted = self.root / "ImageSets", f"{image_set}.txt"
        found = sorted(
            p for p in folder.rglob("*.txt") if wanted in (p.name, p.relative_to(folder).as_posix())
        )
        if not found:
            known = ", ".join(self.image_sets) or "none"
            raise DatasetError(
                f"image set {image_set!r} is not below {folder} (there: {known}); "
                "name one of these or leave it out to take every sequence"
            )
        names: list[str] = []
        for line in read_text(found[-1], DatasetError).splitlines():
            words = line.split()
            if not words or words[0].startswith("#"):
                continue
            # DAVIS 2016 lists "/JPEGImages/480p/bear/00000.jpg /Annotations/..." a frame.
            first = Path(words[0])
            name = first.parent.name if first.suffix.lower() in IMAGE_ENDINGS else line.strip()
            if name not in names:
                names.append(name)
        if not names:
            raise DatasetError(f"image set {found[-1]} is empty; add one sequence name a line")
        return names


class YouTubeVosLayout:
    """A folder in the layout of YouTube-VOS: one split.

    ``JPEGImages/<video>/*.jpg``, ``Annotations/<video>/*.png`` (every fifth frame in
    ``train``, first frames only in ``valid``) and ``meta.json``, which gives every object's
    category and frames. Without ``meta.json`` the categories stay empty.

    Args:
        root: The split's folder (``.../train``, ``.../valid``).

    Raises:
        DatasetError: ``root/JPEGImages`` is missing or ``meta.json`` cannot be read.
    """

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root)
        self._images = self.root / "JPEGImages"
        if not self._images.is_dir():
            raise DatasetError(
                f"{self.root} is no YouTube-VOS folder: {self._images} is missing; "
                "give the split's folder (train or valid)"
            )
        self._videos = self._read_meta()

    def _read_meta(self) -> Mapping[str, Any]:
        path = self.root / "meta.json"
        if not path.is_file():
            return {}
        record = read_json(path, DatasetError)
        with parsing(path, "the meta.json of YouTube-VOS", DatasetError):
            videos = record["videos"]
            if not isinstance(videos, dict):
                raise ValueError("'videos' is no object")
        return videos

    def sequences(self, image_set: str | None = None) -> tuple[DatasetSequence, ...]:
        """List the videos: all that ``meta.json`` names, or all folders without it.

        Args:
            image_set: Path of a text file with one video name a line, relative to ``root``
                (``".txt"`` may be left out); ``None`` takes all.

        Raises:
            DatasetError: A named video or the list is missing.
        """
        if image_set is not None:
            path = self.root / (image_set if image_set.endswith(".txt") else f"{image_set}.txt")
            if not path.is_file():
                raise DatasetError(f"image set {path} is missing; leave it out to take all videos")
            lines = read_text(path, DatasetError).splitlines()
            names = [line.strip() for line in lines if line.strip()]
        else:
            names = sorted(self._videos) if self._videos else _folder_names(self._images)
        if not names:
            raise DatasetError(f"{self._images} has no sequence folders")
        return tuple(self._sequence(name) for name in names)

    def _sequence(self, name: str) -> DatasetSequence:
        categories: dict[int, str] = {}
        first_frames: dict[int, str] = {}
        path = self.root / "meta.json"
        with parsing(path, f"the meta.json of YouTube-VOS (objects of {name!r})", DatasetError):
            for key, record in self._videos.get(name, {}).get("objects", {}).items():
                if "category" in record:
                    categories[int(key)] = str(record["category"])
                if record.get("frames"):
                    first_frames[int(key)] = str(min(record["frames"]))
        annotations = self.root / "Annotations" / name
        return _sequence(name, self._images / name, annotations, categories, first_frames)


def list_sequences(root: str | Path, image_set: str | None = None) -> tuple[DatasetSequence, ...]:
    """List the sequences of a folder in the layout of DAVIS or of YouTube-VOS.

    A folder with ``meta.json`` is YouTube-VOS; any other with ``JPEGImages`` is DAVIS, with or
    without a level for the resolution.

    Args:
        root: The folder that holds ``JPEGImages``.
        image_set: Name of a list; None takes the list "train" where the folder has one, and all
            sequences where it has not.

    Raises:
        DatasetError: Neither layout is there, or the list is missing or empty.
    """
    if (Path(root) / "meta.json").is_file():
        return YouTubeVosLayout(root).sequences(image_set)
    layout = DavisLayout(root)
    if image_set is None and DEFAULT_SET in layout.image_sets:
        image_set = DEFAULT_SET
    return layout.sequences(image_set)


def _detect_resolution(images: Path, wanted: str) -> str:
    """Return the folder level below ``JPEGImages``, ``""`` where there is none."""
    if (images / wanted).is_dir():
        return wanted
    folders = _folder_names(images)
    # A resolution folder holds folders, a sequence folder holds images.
    levels = [name for name in folders if _folder_names(images / name)]
    if levels:
        return "Full-Resolution" if "Full-Resolution" in levels else levels[-1]
    return ""


def _folder_names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))


def _sequence(
    name: str,
    images: Path,
    annotations: Path,
    categories: Mapping[int, str] = MappingProxyType({}),
    first_frames: Mapping[int, str] = MappingProxyType({}),
) -> DatasetSequence:
    if Path(name).is_absolute() or {"..", "."} & set(Path(name).parts) or not Path(name).parts:
        raise DatasetError(f"sequence {name!r} is no name of a folder in the dataset")
    try:
        there = images.is_dir()
    except (OSError, ValueError):  # a name that no folder can have
        there = False
    if not there:
        raise DatasetError(
            f"sequence {name[:200]!r} is listed but {images.parent} has no such folder"
        )
    files = [p for p in images.iterdir() if not p.name.startswith(".")]
    files.sort(key=lambda path: (natural_key(path.name), path.name))
    frames = tuple(p for p in files if p.suffix.lower() in IMAGE_ENDINGS)
    if not frames:
        raise DatasetError(f"sequence {name!r}: {images} has no .jpg, .png or .webp frames")
    stems = {p.stem for p in frames}
    files = sorted(annotations.iterdir()) if annotations.is_dir() else []
    masks = {p.stem: p for p in files if p.suffix.lower() == ".png" and p.stem in stems}
    return DatasetSequence(name, frames, masks, dict(categories), dict(first_frames))
