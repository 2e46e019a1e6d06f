"""The rules of each protocol, one record each; ``docs/evaluation.md`` has them as a table.

``davis2016`` and ``davis2017`` follow davis2017-evaluation, with two deviations where that tool
stops: unknown ids, and sequences with annotations for some frames only, which are scored at
those. ``vos-benchmark`` follows the tool of that name, ``every-frame`` the same with its
``--do_not_skip_first_and_last_frame``. What the server of YouTube-VOS does within a video is
not published; ``ytvos`` follows what its page says (seen and unseen categories, averaged over
objects, G), and leaves out frames whose mask was given.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Literal

from ddeal_core.datasets.layouts import DatasetSequence
from ddeal_core.errors import ConfigError
from ddeal_core.evaluation.categories import by_category


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What a protocol scores, how it sums up, and the dataset that it is made for.

    Attributes:
        objects: Which are scored. ``"foreground"``: one, whatever is not zero. ``"first mask"``:
            1 to the highest id of the first annotation. ``"first masks"``: those of all
            annotations, each after its first. ``"present"``: the ids in the scored frames, each
            from the first of them on which it is annotated or predicted.
        ignore: The id that is background in annotations; None where 255 is an id like any other.
        skip_first: Whether the frame of an object's first mask does not count; of objects that
            are ``"present"``, the first annotated frame.
        skip_last: Whether the last frame of the video does not count, or the last annotated one.
        nothing_scored: Why a sequence with annotations may have nothing to score, in words.
        groups: Names of groups of objects; G is the mean of all their J and F. Without any there
            is no G.
        group_of: From a sequence, the ids of its scored objects and the categories of the training
            set to the group of each object; raises DatasetError where it cannot be told.
        layout: Of the dataset's folder. ``"youtube-vos"`` has categories, and may hold first masks
            only, for a server.
        image_sets: Folder below ``ImageSets`` whose lists come first, in the layout of DAVIS.
        table_i: Whether the methods of the paper's Table I are scored by it.
        table_v: Dataset whose part of the paper's Table V stands beside an ablation.
    """

    objects: Literal["foreground", "first mask", "first masks", "present"]
    ignore: int | None = 255
    skip_first: bool = True
    skip_last: Literal["video", "annotated"] | None
    nothing_scored: str
    groups: tuple[str, ...] = ()
    group_of: Callable[[DatasetSequence, Collection[int], Collection[str]], Mapping[int, str]] = (
        lambda *_: {}
    )
    layout: Literal["davis", "youtube-vos"] = "davis"
    image_sets: str = ""
    table_i: bool = False
    table_v: str = "DAVIS 2017 val"


_NOTHING_OF_DAVIS = (
    "the first annotated frame and the last frame do not count, and no other has an annotation"
)

RULES: dict[str, Rules] = {
    "davis2016": Rules(
        objects="foreground",
        ignore=None,
        skip_last="video",
        nothing_scored=_NOTHING_OF_DAVIS,
        image_sets="2016",
        table_i=True,
    ),
    "davis2017": Rules(
        objects="first mask", skip_last="video", nothing_scored=_NOTHING_OF_DAVIS, image_sets="2017"
    ),
    "ytvos": Rules(
        objects="first masks",
        skip_last=None,
        nothing_scored="no object has an annotation after its first mask",
        groups=("Seen", "Unseen"),
        group_of=by_category,
        layout="youtube-vos",
        table_v="YouTube-VOS val",
    ),
    "vos-benchmark": Rules(
        objects="present",
        ignore=None,
        skip_last="annotated",
        nothing_scored="the first and the last annotated frame do not count, and there is no "
        "other with an object; the protocol every-frame counts all",
    ),
    "every-frame": Rules(
        objects="present",
        ignore=None,
        skip_first=False,
        skip_last=None,
        nothing_scored="no annotation holds an object",
    ),
}


def rules_of(protocol: str) -> Rules:
    """Return the rules of a protocol; raise ConfigError where there is none of the name."""
    if protocol not in RULES:
        *names, last = RULES
        raise ConfigError(f"unknown protocol {protocol!r}; choose {', '.join(names)} or {last}")
    return RULES[protocol]
