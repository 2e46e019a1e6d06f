"""Writing clips as a dataset folder in the layout of DAVIS."""

import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

import cv2

from ddeal_core.datasets.clip import Clip
from ddeal_core.errors import DatasetError, OutputError
from ddeal_core.media.masks.mask_images import write_mask
from ddeal_core.text_files import read_text
from ddeal_core.whole_files import write_whole

JPEG_QUALITY = 95


def export_clips(
    clips: Iterable[tuple[str, Clip]],
    root: str | Path,
    *,
    image_set: str = "train",
    overwrite: bool = False,
) -> Iterator[str]:
    """Write clips as ``JPEGImages``, ``Annotations`` and ``ImageSets/<image_set>.txt``.

    A sequence appears whole or not at all: it is written beside and renamed, annotations
    first. The image set is written last and lists what this call wrote, after what the list
    held before. Same clips, same bytes (with the same OpenCV).

    Args:
        clips: (sequence name, clip); an iterator is consumed one at a time.
        root: Folder to write to; made if missing.
        image_set: Name of the list.
        overwrite: Replace sequences that exist; else they are an error.

    Yields:
        The name of each sequence once it is in place.

    Raises:
        DatasetError: A sequence exists already or has a name that is no folder name.
        OutputError: The folder cannot be written.
    """
    base = Path(root)
    names: list[str] = []
    try:
        try:
            for name, clip in clips:
                if not name or name in (".", "..") or Path(name).name != name or name.isspace():
                    raise DatasetError(f"{name!r} is no name for a sequence folder")
                _write_sequence(base, name, clip, overwrite=overwrite)
                names.append(name)
                yield name
        finally:
            if names:
                _write_list(base / "ImageSets" / f"{image_set}.txt", names)
    except OSError as error:
        raise OutputError(f"{base} cannot be written: {error.strerror or error}") from error


def _write_sequence(base: Path, name: str, clip: Clip, *, overwrite: bool) -> None:
    images = base / "JPEGImages" / "480p" / name
    masks = base / "Annotations" / "480p" / name
    for final in (images, masks):
        if final.exists() and not overwrite:
            raise DatasetError(
                f"{final} exists; choose another folder, remove it or allow overwriting"
            )
    # Names that begin with a dot are no sequences to the layouts that read the folder.
    new_images, new_masks = (p.with_name(f".{name}.partial") for p in (images, masks))
    try:
        for folder in (new_images, new_masks):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
        for number, (image, labels) in enumerate(zip(clip.images, clip.labels, strict=True)):
            flags = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
            _, packed = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), flags)
            (new_images / f"{number:05d}.jpg").write_bytes(packed.tobytes())
            write_mask(new_masks / f"{number:05d}.png", labels, ignore=True)
        for new, final in ((new_masks, masks), (new_images, images)):
            if final.exists():
                shutil.rmtree(final)
            new.replace(final)
    finally:
        shutil.rmtree(new_images, ignore_errors=True)
        shutil.rmtree(new_masks, ignore_errors=True)


def _write_list(path: Path, names: list[str]) -> None:
    held = read_text(path, DatasetError).splitlines() if path.is_file() else []
    lines = held + [name for name in names if name not in held]
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, "".join(f"{line}\n" for line in lines).encode("utf-8"))
