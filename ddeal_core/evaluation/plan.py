"""What is scored in a sequence, and which masks a method is given: the rules of each protocol.

=============== ============== ================= ================= =============== ============
rule            ``davis2016``  ``davis2017``     ``ytvos``         ``vos-bench-    ``every-
                                                                   mark``          frame``
=============== ============== ================= ================= =============== ============
objects         one: whatever  1 .. highest id   those of          the ids in the scored
                is not zero    of the first      ``meta.json``     frames of the ground truth
                               annotated frame,
                               gaps included
255             foreground     background        background        an id like any other
scored frames   annotated ones, but for the      annotated ones    annotated    annotated
                first annotated one and the      after the         ones but     ones
                last of the video                object's first    the first
                                                 mask              and last
an object that  --             not scored        scored from its   scored from the first
comes later                                      first mask on,    scored frame on which it
                                                 that frame left   is annotated or predicted,
                                                 out               that frame included
summing up      mean over objects (not           J and F over      mean over objects
                sequences) of means over frames  objects of seen,
                                                 of unseen
                                                 categories; G is
                                                 the mean of the 4
=============== ============== ================= ================= =============== ============

Everywhere: an object that is not found is scored against an empty mask, two empty masks have
J = F = 1, boundaries match within ceil(0.008 x diagonal), and an id that the ground truth does
not have is left out with a warning.

``davis2016`` and ``davis2017`` follow davis2017-evaluation, with two deviations where that tool
stops: unknown ids, and sequences with annotations for some frames only, which are scored at
those. ``vos-benchmark`` follows the tool of that name, ``every-frame`` the same with its
``--do_not_skip_first_and_last_frame``. What the server of YouTube-VOS does within a video is
not published; ``ytvos`` follows what its page says (seen and unseen categories, averaged over
objects, G), and leaves out frames whose mask was given.
"""

import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import get_args

import numpy as np

from ddeal_core.choices import Protocol
from ddeal_core.datasets.layouts import DatasetSequence
from ddeal_core.errors import ConfigError, DatasetError
from ddeal_core.evaluation.categories import SEEN_CATEGORIES, normalize
from ddeal_core.media.masks.label_images import ids_in, read_labels

PROTOCOLS: tuple[Protocol, ...] = get_args(Protocol)
BY_PRESENCE: tuple[Protocol, ...] = ("vos-benchmark", "every-frame")
"""Those that score whatever ids there are."""

_IGNORE = 255
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
            here. ``vos-benchmark`` and ``every-frame`` find out as they score.
        categories: By object, where the dataset tells.
        seen: By object, whether its category is in the training set (``ytvos``).
    """

    name: str
    protocol: Protocol
    object_ids: tuple[int, ...]
    annotations: tuple[tuple[str, Path], ...]
    given: tuple[GivenMask, ...] = ()
    begins: Mapping[int, int] = field(default_factory=dict)
    categories: Mapping[int, str] = field(default_factory=dict)
    seen: Mapping[int, bool] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.annotations:
            left_out = {
                "ytvos": "no object has an annotation after its first mask",
                "vos-benchmark": "the first and the last annotated frame do not count, and there "
                "is no other with an object; the protocol every-frame counts all",
                "every-frame": "no annotation holds an object",
            }.get(
                self.protocol,
                "the first annotated frame and the last frame do not count, and no other has "
                "an annotation",
            )
            raise DatasetError(f"sequence {self.name!r} has nothing to score: {left_out}")

    @property
    def is_binary(self) -> bool:
        """Whether whatever is not zero in a mask is the one object."""
        return self.protocol == "davis2016"

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
    check_protocol(protocol)
    annotated = _annotated(sequence)
    if not annotated:
        raise DatasetError(f"sequence {sequence.name!r} has no annotations")
    if protocol == "ytvos":
        return _plan_ytvos(sequence, annotated, seen)
    if protocol in BY_PRESENCE:
        return _plan_by_presence(sequence, annotated, protocol)
    return _plan_davis(sequence, annotated, protocol)


def check_protocol(protocol: str) -> None:
    """Raise ConfigError for an unknown protocol."""
    if protocol not in PROTOCOLS:
        raise ConfigError(
            f"unknown protocol {protocol!r}; choose {', '.join(PROTOCOLS[:-1])} or {PROTOCOLS[-1]}"
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


def _plan_davis(
    sequence: DatasetSequence, annotated: Annotated, protocol: Protocol
) -> SequencePlan:
    stem, first = annotated[0]
    object_ids: tuple[int, ...] = (1,)
    if protocol == "davis2017":
        labels = read_labels(first)
        highest = int(np.max(labels, where=labels != _IGNORE, initial=0))
        if not highest:
            hint = "; score 0/255 masks by davis2016" if (labels == _IGNORE).any() else ""
            raise DatasetError(f"{first} holds no object (ids are 1..254){hint}")
        object_ids = tuple(range(1, highest + 1))
    last_of_video = sequence.frames[-1].stem
    scored = tuple((s, path) for s, path in annotated[1:] if s != last_of_video)
    given = (GivenMask(stem, first, object_ids),)
    return SequencePlan(sequence.name, protocol, object_ids, scored, given)


def _plan_ytvos(
    sequence: DatasetSequence, annotated: Annotated, seen: Collection[str]
) -> SequencePlan:
    first = _known_first_frames(sequence)
    at = {stem: n for n, (stem, _) in enumerate(annotated)}
    scored = annotated[min(at[stem] for stem in first.values()) + 1 :]
    skipped = len(annotated) - len(scored)
    begins = {i: at[stem] + 1 - skipped for i, stem in first.items()}
    object_ids = tuple(sorted(i for i, begin in begins.items() if begin < len(scored)))
    if scored and len(object_ids) < len(first):
        _LOG.warning(
            "%s: no annotation follows the first mask of object %s; not scored",
            sequence.name,
            ", ".join(str(i) for i in sorted(first) if i not in object_ids),
        )
    bare = [str(i) for i in object_ids if i not in sequence.categories]
    if bare:
        raise DatasetError(
            f"sequence {sequence.name!r}: object {', '.join(bare)} has no category, which ytvos "
            "needs for seen and unseen; complete meta.json, or choose the protocol vos-benchmark"
        )
    names = {normalize(name) for name in seen}
    return SequencePlan(
        sequence.name,
        "ytvos",
        object_ids,
        tuple(scored),
        _given(annotated, first),
        {i: begins[i] for i in object_ids},
        {i: sequence.categories[i] for i in object_ids},
        {i: normalize(sequence.categories[i]) in names for i in object_ids},
    )


def _plan_by_presence(
    sequence: DatasetSequence, annotated: Annotated, protocol: Protocol
) -> SequencePlan:
    ids = [ids_in(read_labels(path)) for _, path in annotated]
    first: dict[int, str] = {}
    for (stem, _), here in zip(annotated, ids, strict=True):
        first = {**dict.fromkeys(here, stem), **first}
    part = slice(None) if protocol == "every-frame" else slice(1, -1)
    object_ids = tuple(sorted({i for here in ids[part] for i in here}))
    scored = tuple(annotated[part]) if object_ids else ()
    return SequencePlan(sequence.name, protocol, object_ids, scored, _given(annotated, first))


def _known_first_frames(sequence: DatasetSequence) -> dict[int, str]:
    first = _first_frames(sequence)
    if not first:
        raise DatasetError(f"sequence {sequence.name!r}: its annotations hold no object")
    return first


def _first_frames(sequence: DatasetSequence) -> dict[int, str]:
    """Return the frame of every object's first mask; what ``meta.json`` tells is looked up."""
    told: dict[str, set[int]] = {}
    for i, stem in sequence.first_frames.items():
        told.setdefault(stem, set()).add(i)
    if told and all(
        stem in sequence.annotations
        and ids <= set(ids_in(read_labels(sequence.annotations[stem]), ignore=_IGNORE))
        for stem, ids in told.items()
    ):
        return dict(sorted(sequence.first_frames.items()))
    first: dict[int, str] = {}
    for stem, path in _annotated(sequence):
        first = {**dict.fromkeys(ids_in(read_labels(path), ignore=_IGNORE), stem), **first}
    lost = sorted(set(sequence.first_frames) - set(first))
    if lost:
        _LOG.warning(
            "%s: meta.json names object %s, which no annotation holds; not scored",
            sequence.name,
            ", ".join(map(str, lost)),
        )
    return dict(sorted(first.items()))


def _given(annotated: Annotated, first: Mapping[int, str]) -> tuple[GivenMask, ...]:
    return tuple(
        GivenMask(stem, path, ids)
        for stem, path in annotated
        if (ids := tuple(sorted(i for i, begin in first.items() if begin == stem)))
    )
