"""Where sequences to score come from: a dataset's folder, or any folders of images and masks."""

import logging
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from ddeal_core.choices import Protocol
from ddeal_core.datasets.layouts import DatasetSequence, DavisLayout, YouTubeVosLayout
from ddeal_core.errors import DatasetError
from ddeal_core.evaluation.categories import SEEN_CATEGORIES
from ddeal_core.evaluation.plan import SequencePlan, only_first_masks, plan_sequence
from ddeal_core.evaluation.protocols import rules_of
from ddeal_core.media.file_kinds import is_image, natural_key

_LOG = logging.getLogger(__name__)


def find_sequences(
    dataset: str | Path,
    *,
    protocol: Protocol = "davis2017",
    image_set: str | None = None,
    sequences: Sequence[str] | None = None,
    resolution: str = "480p",
) -> tuple[DatasetSequence, ...]:
    """Find the sequences of a dataset.

    Args:
        dataset: The folder that holds ``JPEGImages`` and ``Annotations``; for ``ytvos`` that of
            a split, with its ``meta.json``.
        protocol: For ``ytvos`` the layout is that of YouTube-VOS, else that of DAVIS.
        image_set: Name of a list in ``ImageSets``, that of the protocol's year where years
            differ (for ``ytvos`` the path of a list below the split); None takes all sequences.
        sequences: Only these, in this order.
        resolution: Folder below ``JPEGImages``, in the layout of DAVIS.

    Raises:
        ConfigError: An unknown protocol.
        DatasetError: The layout is not there, or it lacks a sequence or all its annotations.
    """
    rules = rules_of(protocol)
    if rules.layout == "youtube-vos":
        found = YouTubeVosLayout(dataset).sequences(image_set)
    else:
        # A DAVIS 2017 download has lists of 2016, too.
        own = image_set and Path(rules.image_sets, image_set).as_posix()
        there = Path(dataset, "ImageSets", f"{own}.txt").is_file()
        found = DavisLayout(dataset, resolution=resolution).sequences(own if there else image_set)
    return _chosen(found, sequences, where=dataset, image_set=image_set)


def pair_sequences(
    images: str | Path | None, annotations: str | Path, *, sequences: Sequence[str] | None = None
) -> tuple[DatasetSequence, ...]:
    """Find the sequences of two folders: of many sequences, or one sequence's files.

    Args:
        images: ``<sequence>/<frame>.jpg`` (or .png), or the images of one sequence, which has
            the folder's name; None takes the annotated frames for all there are.
        annotations: ``<sequence>/<frame>.png`` or the masks of one sequence.
        sequences: Only these, in this order.

    Raises:
        DatasetError: A folder is missing or empty, an image or a sequence is missing.
    """
    masks = _by_sequence(Path(annotations), "annotations")
    frames = masks if images is None else _by_sequence(Path(images), "images")
    if len(masks) == len(frames) == 1:  # folders of one sequence may have any name
        masks = dict(zip(frames, masks.values(), strict=True))
    where = annotations if images is None else images
    lost = [name for name in masks if name not in frames]
    if lost:
        raise DatasetError(f"{images} lacks {len(lost)} annotated sequences ({', '.join(lost)})")
    found = []
    for name, paths in frames.items():
        annotated = (path for path in masks.get(name, ()) if path.suffix.lower() == ".png")
        of_frames = {path.stem: path for path in annotated}
        found.append(DatasetSequence(name, tuple(paths), of_frames))
        alone = sorted(of_frames.keys() - {path.stem for path in paths})
        if alone:
            raise DatasetError(
                f"sequence {name!r}: {images} has no image for {len(alone)} annotations "
                f"({', '.join(alone[:5])}{', ...' if len(alone) > 5 else ''}); "
                "frames and masks must have the same names"
            )
    # Videos without any mask are no mistake where others have some.
    some = tuple(s for s in found if s.annotations)
    return _chosen(some or tuple(found), sequences, where=where, image_set=None)


def plan_all(
    sequences: Sequence[DatasetSequence],
    *,
    protocol: Protocol = "davis2017",
    seen: Collection[str] = SEEN_CATEGORIES,
) -> tuple[SequencePlan, ...]:
    """Decide which objects and frames of annotated sequences are scored: see `plan_sequence`.

    By ``ytvos``, sequences that hold first masks only are left out with a warning.

    Raises:
        DatasetError: Nothing in a sequence can be scored, or all hold first masks only.
        MaskError: An annotation cannot be read.
    """
    if rules_of(protocol).layout == "youtube-vos":
        sequences = _with_truth(sequences)
    return tuple(plan_sequence(s, protocol=protocol, seen=seen) for s in sequences)


def _with_truth(sequences: Sequence[DatasetSequence]) -> tuple[DatasetSequence, ...]:
    bare = {s.name for s in sequences if only_first_masks(s)}
    if len(bare) == len(sequences):
        raise DatasetError(
            "the annotations hold first masks only (as public validation sets do), so J, F and G "
            "cannot be computed here; write the submission for the server instead"
        )
    if bare:
        _LOG.warning(
            "%d of %d sequences hold first masks only and are not scored (%s)",
            len(bare),
            len(sequences),
            ", ".join(sorted(bare)),
        )
    return tuple(s for s in sequences if s.name not in bare)


def _chosen(
    found: tuple[DatasetSequence, ...],
    names: Sequence[str] | None,
    *,
    where: str | Path,
    image_set: str | None,
) -> tuple[DatasetSequence, ...]:
    if names is not None:
        by_name = {sequence.name: sequence for sequence in found}
        missing = [name for name in names if name not in by_name]
        if missing:
            raise DatasetError(
                f"{where} has no sequence {', '.join(missing)}"
                + (f" in image set {image_set!r}" if image_set else "")
                + f"; it has {', '.join(by_name)}"
            )
        found = tuple(by_name[name] for name in dict.fromkeys(names))
    bare = [sequence.name for sequence in found if not sequence.annotations]
    if bare:
        raise DatasetError(
            f"{where} has no annotations for {len(bare)} of {len(found)} sequences "
            f"({', '.join(bare)}); choose others, or an image set whose masks are public"
        )
    return found


def _by_sequence(folder: Path, what: str) -> dict[str, list[Path]]:
    if not folder.is_dir():
        raise DatasetError(f"{what} folder {folder} is missing; give a folder of {what}")
    inside = [path for path in folder.iterdir() if not path.name.startswith(".")]
    loose = _images(inside)
    folders = sorted(path for path in inside if path.is_dir())
    if loose:
        return {folder.resolve().name: loose}
    found = {path.name: _images(path.iterdir()) for path in folders}
    found = {name: paths for name, paths in found.items() if paths}
    if not found:
        raise DatasetError(
            f"{what} folder {folder} holds neither images nor folders of images (.jpg, .png)"
        )
    return found


def _images(paths: Iterable[Path]) -> list[Path]:
    return sorted(filter(is_image, paths), key=lambda path: natural_key(path.name))
