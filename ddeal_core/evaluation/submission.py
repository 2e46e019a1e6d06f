"""Results packed for the server of YouTube-VOS: a zip of ``Annotations/<video>/<frame>.png``."""

import logging
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from ddeal_core.datasets.layouts import DatasetSequence
from ddeal_core.errors import DatasetError, MaskError
from ddeal_core.evaluation.plan import given_masks
from ddeal_core.evaluation.results import find_missing, locate_results
from ddeal_core.media.masks.label_images import ids_in, read_labels
from ddeal_core.text_files import parsing, read_json
from ddeal_core.whole_files import writing, written_whole

_LOG = logging.getLogger(__name__)


def submission_frames(
    dataset: str | Path, sequences: Sequence[DatasetSequence]
) -> dict[str, tuple[str, ...]]:
    """Return the stems of the frames that a server wants, by sequence.

    Those that ``meta.json`` lists for any object; where it lists none, all images from the
    first annotated one on.

    Raises:
        DatasetError: ``meta.json`` cannot be read.
    """
    path = Path(dataset) / "meta.json"
    record = read_json(path, DatasetError) if path.is_file() else {"videos": {}}
    with parsing(path, "the meta.json of YouTube-VOS", DatasetError):
        listed = {
            s.name: {
                str(frame)
                for o in record["videos"].get(s.name, {}).get("objects", {}).values()
                for frame in o.get("frames", ())
            }
            for s in sequences
        }
    frames = {}
    for s in sequences:
        stems = [path.stem for path in s.frames[s.annotated_indices[0] :]]
        wanted = tuple(stem for stem in stems if stem in listed[s.name])
        frames[s.name] = wanted or tuple(stems)
    return frames


def write_submission(
    results: str | Path,
    target: str | Path,
    sequences: Sequence[DatasetSequence],
    frames: Mapping[str, Sequence[str]],
) -> Path:
    """Check results, ``<sequence>/<frame>.png``, and pack them into the zip file `target`.

    It appears whole or not at all; the same results give the same bytes. The sequences have their
    first masks, and `frames` are stems of those to pack, by sequence (`submission_frames`).

    Raises:
        DatasetError: Results are missing; all of them are listed.
        MaskError: A mask cannot be read, has colours, or another size than the sequence's first
            mask. (Ids that the first masks do not have are a warning.)
        OutputError: The zip cannot be written.
    """
    folders = locate_results(Path(results), [s.name for s in sequences])
    find_missing(Path(results), folders, {s.name: frames[s.name] for s in sequences})
    packed: list[tuple[str, Path]] = []
    for sequence in sequences:
        given = given_masks(sequence)
        known = {i for mask in given for i in mask.object_ids}
        unknown: set[int] = set()
        for stem in frames[sequence.name]:
            path = folders[sequence.name] / f"{stem}.png"
            unknown.update(_ids(path, given[0].path, highest=max(known)) - known)
            packed.append((f"Annotations/{sequence.name}/{stem}.png", path))
        if unknown:
            _LOG.warning(
                "results of %s hold ids that no first mask has (%s); packed as they are",
                sequence.name,
                ", ".join(map(str, sorted(unknown))),
            )
    place = Path(target)
    with writing(place):
        place.parent.mkdir(parents=True, exist_ok=True)
        # PNG is packed already; a fixed date keeps the bytes the same.
        with (
            written_whole(place) as part,
            zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as archive,
        ):
            for name, path in packed:
                archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), path.read_bytes())
    return place


def _ids(path: Path, first: Path, *, highest: int) -> frozenset[int]:
    labels, size = read_labels(path, highest=highest), read_labels(first).shape
    if labels.shape != size:
        raise MaskError(
            f"{path} is {labels.shape[1]}x{labels.shape[0]} but the first mask {first} is "
            f"{size[1]}x{size[0]}; save masks at the size of the frames"
        )
    return frozenset(ids_in(labels))
