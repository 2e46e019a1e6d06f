"""What is scored in a sequence, and which masks a method is given, by the rules of its protocol."""

import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import assert_never

from ddeal_core.choices import Protocol
from ddeal_core.datasets.layouts import DatasetSequence
from ddeal_core.errors import DatasetError
from ddeal_core.evaluation.categories import SEEN_CATEGORIES
from ddeal_core.evaluation.protocols import Rules, rules_of
from ddeal_core.media.masks.label_images import ids_in, read_labels

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class GivenMask:
    """A mask that a method is given.

    Attributes:
        stem: Of the frame that it belongs to.
        path: The file.
        object_ids: Those that begin there; others in the file are not given.
    """

    stem: str
    path: Path
    object_ids: tuple[int, ...]


@dataclass(frozen=True)
class SequencePlan:
    """What is scored in one sequence; small enough to hand to another process.

    Attributes:
        name: Of the sequence.
        protocol: Rules to follow.
        object_ids: Of the scored objects.
        annotations: Stem and mask file of every scored frame, in order; never empty.
        given: Masks that a method starts from, in order.
        begins: By object, how many of the scored frames come before its first; 0 if it is not
            here. Of objects that are ``"present"`` that is found out as they are scored.
        categories: By object, where the dataset tells.
        groups: By object, which of the protocol's groups it is in; empty without groups.
    """

    name: str
    protocol: Protocol
    object_ids: tuple[int, ...]
    annotations: tuple[tuple[str, Path], ...]
    given: tuple[GivenMask, ...] = ()
    begins: Mapping[int, int] = field(default_factory=dict)
    categories: Mapping[int, str] = field(default_factory=dict)
    groups: Mapping[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.annotations:
            raise DatasetError(
                f"sequence {self.name!r} has nothing to score: {self.rules.nothing_scored}"
            )

    @property
    def rules(self) -> Rules:
        """Those of the protocol."""
        return rules_of(self.protocol)

    @property
    def is_binary(self) -> bool:
        """Whether whatever is not zero in a mask is the one object."""
        return self.rules.objects == "foreground"

    @property
    def known_ids(self) -> frozenset[int]:
        """Ids that results may hold without a warning: scored ones and given ones."""
        return frozenset(self.object_ids).union(*(mask.object_ids for mask in self.given))


def plan_sequence(
    sequence: DatasetSequence,
    *,
    protocol: Protocol = "davis2017",
    seen: Collection[str] = SEEN_CATEGORIES,
) -> SequencePlan:
    """Decide which objects and frames of an annotated sequence are scored.

    Reads its first annotation by the rules of DAVIS, the objects' first ones for ``ytvos`` (all
    of them where ``meta.json`` does not tell which), and all for the others. `seen` are the
    categories of the training set (``ytvos``).

    Raises:
        ConfigError: An unknown protocol.
        DatasetError: No annotation, no object in it, or no frame to score; no category
            (``ytvos``).
        MaskError: An annotation cannot be read.
    """
    rules = rules_of(protocol)
    annotated = _annotated(sequence)
    if not annotated:
        raise DatasetError(f"sequence {sequence.name!r} has no annotations")
    stem, path = annotated[0]
    present: dict[str, tuple[int, ...]] = {}
    match rules.objects:
        case "foreground":
            first = {1: stem}
        case "first mask":
            first = dict.fromkeys(range(1, _highest_id(path, rules.ignore) + 1), stem)
        case "first masks":
            first = _known_first_frames(sequence, rules.ignore)
        case "present":
            present = _ids_by_stem(annotated, rules.ignore)
            first = _first_of(present)
        case _:
            assert_never(rules.objects)
    at = {stem: n for n, (stem, _) in enumerate(annotated)}
    begins = {} if present else {i: at[s] + rules.skip_first for i, s in first.items()}
    start = min(begins.values(), default=int(rules.skip_first))
    skipped = {"video": sequence.frames[-1].stem, "annotated": annotated[-1][0], None: None}
    scored = tuple((s, path) for s, path in annotated[start:] if s != skipped[rules.skip_last])
    begins = {i: begin - start for i, begin in begins.items() if begin - start < len(scored)}
    object_ids = tuple(sorted(begins or {i for stem, _ in scored for i in present[stem]}))
    if begins and len(begins) < len(first):
        _LOG.warning(
            "%s: no annotation follows the first mask of object %s; not scored",
            sequence.name,
            ", ".join(str(i) for i in sorted(first) if i not in begins),
        )
    return SequencePlan(
        sequence.name,
        protocol,
        object_ids,
        scored if object_ids else (),
        _given(annotated, first),
        begins,
        {i: sequence.categories[i] for i in object_ids if i in sequence.categories},
        rules.group_of(sequence, object_ids, seen),
    )


def given_masks(sequence: DatasetSequence) -> tuple[GivenMask, ...]:
    """Return the masks on which objects appear first, each with the ids that begin there.

    Raises:
        DatasetError: The annotations hold no object.
        MaskError: An annotation cannot be read.
    """
    return _given(_annotated(sequence), _known_first_frames(sequence))


def only_first_masks(*sequences: DatasetSequence) -> bool:
    """Whether every annotated frame is the first of some object, as in public validation sets.

    Raises:
        MaskError: An annotation cannot be read.
    """
    return all(set(s.annotations) <= set(_first_frames(s).values()) for s in sequences)


Annotated = list[tuple[str, Path]]


def _annotated(sequence: DatasetSequence) -> Annotated:
    masks = sequence.annotations
    return [(frame.stem, masks[frame.stem]) for frame in sequence.frames if frame.stem in masks]


def _highest_id(path: Path, ignore: int | None) -> int:
    labels = read_labels(path)
    ids = ids_in(labels, ignore=ignore)
    if not ids:
        hint = "; score 0/255 masks by davis2016" if labels.any() else ""
        raise DatasetError(f"{path} holds no object (ids are 1..254){hint}")
    return max(ids)


def _known_first_frames(sequence: DatasetSequence, ignore: int | None = 255) -> dict[int, str]:
    first = _first_frames(sequence, ignore)
    if not first:
        raise DatasetError(f"sequence {sequence.name!r}: its annotations hold no object")
    return first


def _first_frames(sequence: DatasetSequence, ignore: int | None = 255) -> dict[int, str]:
    """Return the frame of every object's first mask; what ``meta.json`` tells is looked up."""
    told, annotated = sequence.first_frames, _annotated(sequence)
    held = _ids_by_stem([(s, path) for s, path in annotated if s in told.values()], ignore)
    if told and all(i in held.get(stem, ()) for i, stem in told.items()):
        return dict(sorted(told.items()))
    first = _first_of(_ids_by_stem(annotated, ignore))
    lost = sorted(set(told) - set(first))
    if lost:
        _LOG.warning(
            "%s: meta.json names object %s, which no annotation holds; not scored",
            sequence.name,
            ", ".join(map(str, lost)),
        )
    return dict(sorted(first.items()))


def _ids_by_stem(annotated: Annotated, ignore: int | None) -> dict[str, tuple[int, ...]]:
    return {stem: ids_in(read_labels(path), ignore=ignore) for stem, path in annotated}


def _first_of(ids: Mapping[str, tuple[int, ...]]) -> dict[int, str]:
    """Return the first frame of each object, of the ids by frame in order."""
    return {i: stem for stem in reversed(list(ids)) for i in ids[stem]}


def _given(annotated: Annotated, first: Mapping[int, str]) -> tuple[GivenMask, ...]:
    return tuple(
        GivenMask(stem, path, ids)
        for stem, path in annotated
        if (ids := tuple(sorted(i for i, begin in first.items() if begin == stem)))
    )
