"""The rules of each protocol, one record each; ``docs/evaluation.md`` has them as a table.

Those of DAVIS follow davis2017-evaluation, but for unknown ids, which are left out, and sequences
with annotations for some frames only, which are scored at those. What the server of YouTube-VOS
does within a video is not published; ``ytvos`` follows what its page says.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Literal

from ddeal_core.datasets.layouts import DatasetSequence
from ddeal_core.errors import ConfigError
from ddeal_core.evaluation.categories import by_category


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What a protocol scores, how it sums up, and the dataset that it is made for."""

    # "foreground": one object, whatever is not zero. "first mask": 1 to the highest id of the first
    # annotation. "first masks": those of all annotations, each after its first. "present": the ids
    # in the scored frames, each from the first of these on which it is annotated or predicted.
    objects: Literal["foreground", "first mask", "first masks", "present"]
    ignore: int | None = 255  # background in annotations; None where 255 is an id like any other
    skip_first: bool = True  # the frame of an object's first mask; "present": the first annotated
    skip_last: Literal["video", "annotated"] | None = "video"  # the last frame of all, or annotated
    nothing_scored: str = (  # why that may be, of a sequence with annotations
        "the first annotated frame and the last frame do not count, and no other has an annotation"
    )
    groups: tuple[str, ...] = ()  # of objects; G is the mean of all their J and F
    # Names the groups of a sequence's scored objects; it gets the seen categories, too.
    group_of: Callable[[DatasetSequence, Collection[int], Collection[str]], Mapping[int, str]] = (
        lambda *_: {}
    )
    # Of the dataset's folder. That of YouTube-VOS may hold first masks only, for a server.
    layout: Literal["davis", "youtube-vos"] = "davis"
    image_sets: str = ""  # folder in ImageSets whose lists come first, in the layout of DAVIS
    table_i: bool = False  # whether the paper's Table I is scored so


RULES: dict[str, Rules] = {
    "davis2016": Rules(objects="foreground", ignore=None, image_sets="2016", table_i=True),
    "davis2017": Rules(objects="first mask", image_sets="2017"),
    "ytvos": Rules(
        objects="first masks",
        skip_last=None,
        nothing_scored="no object has an annotation after its first mask",
        groups=("Seen", "Unseen"),
        group_of=by_category,
        layout="youtube-vos",
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
