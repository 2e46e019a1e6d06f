"""Which layout a dataset folder has."""

from pathlib import Path

from ddeal_core.datasets.layouts import DavisLayout, Sequence, YouTubeVosLayout

__all__ = ["DEFAULT_SET", "find_sequences"]

DEFAULT_SET = "train"


def find_sequences(root: str | Path, image_set: str | None = None) -> tuple[Sequence, ...]:
    """List the sequences of a folder in the layout of DAVIS or of YouTube-VOS.

    A folder with ``meta.json`` is YouTube-VOS; any other with ``JPEGImages`` is DAVIS, with or
    without a level for the resolution.

    Args:
        root: The folder that holds ``JPEGImages``.
        image_set: Name of a list; None takes the list "train" where the folder has one, and all
            sequences where it has not.

    Raises:
        DatasetError: Neither layout is there, or the list is missing or empty.
    """
    if (Path(root) / "meta.json").is_file():
        return YouTubeVosLayout(root).sequences(image_set)
    layout = DavisLayout(root)
    if image_set is None and DEFAULT_SET in layout.image_sets:
        image_set = DEFAULT_SET
    return layout.sequences(image_set)
