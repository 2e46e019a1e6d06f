"""What a run learns from: as named, as kept beside the run, and opened."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Annotated

from ddeal_cli.console import say
from ddeal_cli.material import Folder, Material, folder_name, read_folder
from ddeal_core.errors import DatasetError, InputError
from ddeal_core.settings import Range, read_settings
from ddeal_core.text_files import parsing, read_json
from ddeal_core.whole_files import write_whole

if TYPE_CHECKING:
    from ddeal_core.datasets import DatasetSequence, SyntheticConfig
    from ddeal_core.training import TrainingData

_FILE = "data.json"


@dataclass(frozen=True, slots=True)
class DataChoice:
    """Data of a run by name: folders with the list of their sequences, and material.

    `synthetic` is None where nobody said whether there are such clips; `options` are their
    ``name=value`` switches. `packed` is a folder of packed data that holds all of them, if one
    does, and `digest` stands for what is packed, wherever it lies.
    """

    datasets: tuple[Folder, ...] = ()
    held_out: tuple[Folder, ...] = ()
    material: Material = field(default_factory=Material)
    synthetic: bool | None = None
    options: tuple[str, ...] = ()
    validation_frames: Annotated[int, Range(3, 1_000_000_000)] | None = None
    packed: str | None = None
    digest: str | None = None

    @classmethod
    def of(
        cls,
        *,
        datasets: Iterable[Path] | None,
        image_set: str | None,
        held_out: Iterable[str] | None,
        material: Material,
        synthetic: bool | None,
        options: Sequence[str] | None,
        validation_frames: int | None = None,
    ) -> "DataChoice":
        """Take the values of the options; paths become absolute."""
        return cls(
            datasets=tuple((str(path.resolve()), image_set) for path in datasets or ()),
            held_out=tuple(read_folder(text) for text in held_out or ()),
            material=material,
            synthetic=synthetic,
            options=tuple(options or ()),
            validation_frames=validation_frames,
        )

    @property
    def with_synthetic(self) -> bool:
        """Whether there are synthetic clips."""
        if self.synthetic is not None:
            return self.synthetic
        return bool(self.material.names) or not self.datasets

    def or_stored(self, run: Path) -> "DataChoice":
        """What the run was begun with, where nothing is named now."""
        path = run / _FILE
        if not path.is_file():
            return self
        values = read_json(path)
        with parsing(path, "the data of a run", advice="remove it and name the data"):
            stored = read_settings(DataChoice, values)
        frames = self.validation_frames
        if self == DataChoice(validation_frames=frames):  # no data are named
            if stored.packed is not None and not Path(stored.packed).is_dir():
                raise InputError(
                    f"the run's packed data are no longer in {stored.packed}: "
                    "say with --packed where they are now"
                )
            return stored if frames is None else replace(stored, validation_frames=frames)
        if not self.same_as(stored):
            say(f"warning: the data differ from those the run was begun with ({path})")
        return self

    def same_as(self, other: "DataChoice") -> bool:
        """Whether both name the same data.

        Packed data lie anywhere: two packs are compared by what is in them, a pack with folders
        by their names.
        """
        if self.packed is None and other.packed is None:
            return self == other
        if self.packed is not None and other.packed is not None and self.digest != other.digest:
            return False
        return self._names == other._names

    @property
    def _names(self) -> tuple[object, ...]:
        return (
            tuple(folder_name(folder) for folder in self.datasets),
            tuple(folder_name(folder) for folder in self.held_out),
            self.material.names,
            self.with_synthetic,
            self.options,
            self.validation_frames,
        )

    def store(self, run: Path) -> None:
        """Keep it beside the run."""
        text = json.dumps(asdict(self), indent=1) + "\n"
        write_whole(run / _FILE, text.encode("utf-8"))


def open_packed(root: Path, named: DataChoice) -> DataChoice:
    """What packed data hold, with what may be named beside them.

    Raises:
        DatasetError: The folder is not whole.
        InputError: Other data are named too, or more frames to validate on than were packed.
    """
    from ddeal_core.datasets.packed_index import INDEX, read_index

    root = root.resolve()
    if named.datasets or named.held_out or named.material != Material():
        raise InputError("--packed brings all of its data: name no other datasets or material")
    index = read_index(root)
    with parsing(root / INDEX, "the index of packed data", advice="pack again"):
        packed = _below(root, read_settings(DataChoice, index.choice))
    held, wanted = packed.validation_frames, named.validation_frames
    if held is not None and wanted is not None and wanted > held:
        raise InputError(
            f"{root} was packed with {held} frames a held-out sequence, "
            f"--validation-frames {wanted} asks for more: pack again"
        )
    return replace(
        packed,
        packed=str(root),
        digest=index.digest,
        synthetic=packed.synthetic if named.synthetic is None else named.synthetic,
        options=packed.options + named.options,
        validation_frames=held if wanted is None else wanted,
    )


def _below(root: Path, choice: DataChoice) -> DataChoice:
    """The same choice with paths below a folder."""

    def place(path: str) -> str:
        parts = PurePosixPath(path)
        if parts.is_absolute() or ".." in parts.parts:
            raise ValueError(f"{path!r} leads out of the folder")
        return str(root / parts)

    def folders(named: tuple[Folder, ...]) -> tuple[Folder, ...]:
        return tuple((place(path), image_set) for path, image_set in named)

    material = choice.material
    return replace(
        choice,
        datasets=folders(choice.datasets),
        held_out=folders(choice.held_out),
        material=Material(
            stills=tuple(map(place, material.stills)),
            coco=tuple((place(json), place(images)) for json, images in material.coco),
            cutouts=tuple(map(place, material.cutouts)),
            backgrounds=tuple(map(place, material.backgrounds)),
            moving=folders(material.moving),
        ),
    )


def open_data(choice: DataChoice, config: "SyntheticConfig") -> "TrainingData":
    """Open all folders."""
    description = []
    sequences: list[DatasetSequence] = []
    for folder in choice.datasets:
        found = annotated(folder)
        sequences += found
        description.append(f"{len(found)} sequences of {folder_name(folder)}")
    sources = choice.material.open() if choice.with_synthetic else None
    if sources is not None:
        names = ", ".join(choice.material.names) or "made-up shapes"
        description.append(f"synthetic clips of {names}")
    held_out = [
        sequence
        for folder in choice.held_out
        for sequence in scorable(annotated(folder), choice.validation_frames, named=True)
    ]
    description += [f"held out: {folder_name(folder)}" for folder in choice.held_out]
    if not choice.held_out:
        held_out = scorable(sequences, choice.validation_frames, named=False)

    from ddeal_core.training import TrainingData

    return TrainingData(
        sequences=tuple(sequences),
        sources=sources,
        held_out=tuple(held_out),
        synthetic=config,
        description=tuple(description),
    )


def annotated(folder: Folder) -> "list[DatasetSequence]":
    """List the sequences that have masks; none is an error."""
    from ddeal_core.datasets.layouts import list_sequences

    path, image_set = folder
    found = [sequence for sequence in list_sequences(path, image_set) if sequence.annotations]
    if not found:
        raise DatasetError(f"{path} has no masks below Annotations: there is nothing to learn")
    return found


def scorable(
    sequences: "Sequence[DatasetSequence]", frames: int | None, *, named: bool
) -> "list[DatasetSequence]":
    """Leave out what the rules of scoring cannot be applied to."""
    from ddeal_core.training.validation import HeldOut

    kept = []
    for sequence in sequences:
        try:
            HeldOut.of(sequence, max_frames=frames)
        except InputError as error:
            if named:
                say(f"warning: {sequence.name} is not validated on: {error}")
        else:
            kept.append(sequence)
    if named and not kept:
        raise DatasetError("no held-out sequence can be scored: each needs masks on three frames")
    return kept
