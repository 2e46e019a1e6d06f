"""Packed data as a run names them."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path, PurePosixPath

from ddeal_cli.material import Folder, Material
from ddeal_cli.training_data import DataChoice

__all__ = ["open_packed", "with_paths"]


def open_packed(root: Path, named: DataChoice) -> DataChoice:
    """What packed data hold, with what may be named beside them.

    Args:
        root: The packed folder.
        named: Options of the command: switches, and how many frames to validate on.

    Raises:
        DatasetError: The folder is not whole.
        InputError: Other data are named too, or more frames to validate on than were packed.
    """
    from ddeal_core.datasets.packed_index import INDEX, read_index
    from ddeal_core.errors import InputError
    from ddeal_core.text_files import parsing

    root = root.resolve()
    if named.datasets or named.held_out or named.material != Material():
        raise InputError("--packed brings all of its data: name no other datasets or material")
    index = read_index(root)
    with parsing(root / INDEX, "the index of packed data", advice="pack again"):
        packed = with_paths(DataChoice.from_dict(index.choice), lambda path: _below(root, path))
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


def with_paths(choice: DataChoice, change: Callable[[str], str]) -> DataChoice:
    """The same choice, with all paths changed."""
    material = choice.material

    def folders(named: tuple[Folder, ...]) -> tuple[Folder, ...]:
        return tuple((change(path), image_set) for path, image_set in named)

    return replace(
        choice,
        datasets=folders(choice.datasets),
        held_out=folders(choice.held_out),
        material=Material(
            stills=tuple(map(change, material.stills)),
            coco=tuple((change(json), change(images)) for json, images in material.coco),
            cutouts=tuple(map(change, material.cutouts)),
            backgrounds=tuple(map(change, material.backgrounds)),
            moving=folders(material.moving),
        ),
    )


def _below(root: Path, path: str) -> str:
    parts = PurePosixPath(path)
    if parts.is_absolute() or ".." in parts.parts:
        raise ValueError(f"{path!r} leads out of the folder")
    return str(root / parts)
