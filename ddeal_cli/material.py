"""What a run learns from, as several commands name it: data sets, and material for clips."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ddeal_cli.app import options_in
from ddeal_core.errors import InputError

if TYPE_CHECKING:
    from ddeal_core.datasets import Sources

_option = options_in("Material of synthetic clips")

Folder = tuple[str, str | None]
"""A dataset's folder, and the list of its sequences if one is named."""

StillsOption = Annotated[
    list[Path] | None,
    _option(
        "--stills",
        metavar="DIR",
        help="Images with masks: a folder with images/ and masks/, or one of such folders; "
        "repeatable.",
    ),
]
CocoOption = Annotated[
    list[str] | None,
    _option(
        "--coco",
        metavar="JSON:IMAGES",
        help="COCO-style instances: the JSON file, a colon, the folder of images; repeatable.",
    ),
]
CutoutsOption = Annotated[
    list[Path] | None,
    _option(
        "--cutouts",
        metavar="DIR",
        help="Objects with alpha, PNG or WebP: a folder of pictures, or of turntables, "
        "each a folder with the sides of one thing in order; repeatable.",
    ),
]
BackgroundsOption = Annotated[
    list[Path] | None,
    _option("--backgrounds", metavar="DIR", help="Photographs, or videos; repeatable."),
]
MovingOption = Annotated[
    list[str] | None,
    _option(
        "--moving",
        metavar="DIR[:SET]",
        help="Video with masks, in the layout of DAVIS or YouTube-VOS, whose objects are laid over "
        "one another with their own motion; repeatable.",
    ),
]


_data = options_in("What it learns from")

DatasetsArgument = Annotated[
    list[Path] | None,
    typer.Argument(
        metavar="DATASET",
        help="Folders of video with masks, in the layout of DAVIS or YouTube-VOS.",
    ),
]
ImageSetOption = Annotated[
    str | None,
    _data(
        "--set",
        metavar="NAME",
        help="List of sequences in each DATASET. Default: train where there is one, else all.",
    ),
]
HeldOutSetsOption = Annotated[
    list[str] | None,
    _data(
        "--held-out",
        metavar="DIR[:SET]",
        help="Sequences to validate on; the training sequences if left out; repeatable.",
    ),
]
ValidationFramesOption = Annotated[
    int | None, _data(min=3, metavar="N", help="Validate on the first N frames only.")
]
SyntheticClipsOption = Annotated[
    bool | None,
    _data(
        "--synthetic/--no-synthetic",
        help="Clips made on the fly. Default: where material or no DATASET is named.",
        show_default=False,
    ),
]


@dataclass(frozen=True, slots=True)
class Material:
    """Folders and files, as named; `coco` are pairs of a JSON file and a folder."""

    stills: tuple[str, ...] = ()
    coco: tuple[tuple[str, str], ...] = ()
    cutouts: tuple[str, ...] = ()
    backgrounds: tuple[str, ...] = ()
    moving: tuple[Folder, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all folders, without where they are."""
        paths = (*self.stills, *(json for json, _ in self.coco), *self.cutouts, *self.backgrounds)
        names = tuple(Path(path).name for path in paths)
        return names + tuple(folder_name(folder) for folder in self.moving)

    @classmethod
    def of(
        cls,
        stills: Sequence[Path] | None,
        coco: Sequence[str] | None,
        cutouts: Sequence[Path] | None,
        backgrounds: Sequence[Path] | None,
        moving: Sequence[str] | None,
    ) -> "Material":
        """Take the values of the options; paths become absolute."""
        return cls(
            stills=tuple(str(path.resolve()) for path in stills or ()),
            coco=tuple(_pair(text) for text in coco or ()),
            cutouts=tuple(str(path.resolve()) for path in cutouts or ()),
            backgrounds=tuple(str(path.resolve()) for path in backgrounds or ()),
            moving=tuple(read_folder(text) for text in moving or ()),
        )

    def open(self) -> "Sources":
        """Open all of it; with nothing named, clips are procedural."""
        from ddeal_core.datasets import Sources

        return Sources.from_paths(**asdict(self))


def read_folder(text: str) -> Folder:
    """Read ``DIR`` or ``DIR:SET``; a folder of the whole name wins."""
    path, colon, image_set = text.rpartition(":")
    if not colon or Path(text).is_dir():
        return str(Path(text).resolve()), None
    return str(Path(path).resolve()), image_set


def folder_name(folder: Folder) -> str:
    """Name of a dataset and its list without where it is, which must not travel in weights."""
    return Path(folder[0]).name + (f":{folder[1]}" if folder[1] else "")


def _pair(text: str) -> tuple[str, str]:
    json, colon, images = text.partition(".json:")
    if not colon or not images:
        raise InputError(f"--coco is JSON:IMAGES, such as instances.json:train2017, not {text!r}")
    return str(Path(f"{json}.json").resolve()), str(Path(images).resolve())
