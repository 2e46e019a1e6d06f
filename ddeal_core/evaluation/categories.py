"""Seen and unseen categories of YouTube-VOS.

"Seen" are the 65 categories of its training set (Xu et al., 2018, section 3); validation and
test sets have them and 26 or 29 others.
"""

from collections.abc import Collection
from pathlib import Path

from ddeal_core.datasets.layouts import DatasetSequence
from ddeal_core.errors import DatasetError
from ddeal_core.text_files import parse_json, parsing, read_text

_TRAINING_SET = """
    airplane ape bear bike bird boat bucket bus camel cat cow crocodile deer dog dolphin duck
    eagle earless_seal elephant fish fox frisbee frog giant_panda giraffe hand hat hedgehog
    horse knife leopard lion lizard monkey motorbike mouse others owl paddle parachute parrot
    penguin person plant rabbit raccoon sedan shark sheep sign skateboard snail snake snowboard
    squirrel surfboard tennis_racket tiger toilet train truck turtle umbrella whale zebra
"""

SEEN_CATEGORIES = frozenset(_TRAINING_SET.split())
"""Names as the training set's ``meta.json`` spells them."""


def normalize(category: str) -> str:
    """Return a category's name in the spelling that is compared: ``giant_panda``."""
    return "_".join(category.lower().replace("-", " ").replace("_", " ").split())


def by_category(
    sequence: DatasetSequence, object_ids: Collection[int], seen: Collection[str]
) -> dict[int, str]:
    """Return for each object whether its category is ``"Seen"``, one of `seen`, or ``"Unseen"``."""
    categories = sequence.categories
    bare = [str(i) for i in object_ids if i not in categories]
    if bare:
        raise DatasetError(
            f"sequence {sequence.name!r}: object {', '.join(bare)} has no category, which ytvos "
            "needs for seen and unseen; complete meta.json, or choose the protocol vos-benchmark"
        )
    names = {normalize(name) for name in seen}
    return {i: "Seen" if normalize(categories[i]) in names else "Unseen" for i in object_ids}


def read_seen(path: str | Path) -> frozenset[str]:
    """Read seen categories: a text file, one a line, or the ``meta.json`` of a training set.

    Raises:
        DatasetError: The file cannot be read or names no category.
    """
    source = Path(path)
    text = read_text(source, DatasetError)
    names = text.splitlines()
    if text.lstrip().startswith("{"):
        with parsing(
            source,
            "the meta.json of YouTube-VOS",
            DatasetError,
            advice="give the one of a training set, or a text file with one category a line",
        ):
            videos = parse_json(text)["videos"].values()
            names = [o["category"] for video in videos for o in video["objects"].values()]
    found = frozenset(normalize(str(name)) for name in names) - {""}
    if not found:
        raise DatasetError(f"{source} names no category; write one a line")
    return found
