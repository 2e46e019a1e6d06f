"""All outputs of cues of one pass, as a user names them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from ddeal_core.cues.frame_choice import FrameChoice
from ddeal_core.cues.writers import open_cue_writer
from ddeal_core.errors import InputError
from ddeal_core.media.masks.mask_images import Mask
from ddeal_core.media.outputs.result_writer import ResultWriter
from ddeal_core.media.sources.frame_source import FrameSource
from ddeal_core.network.config import NetworkConfig

__all__ = ["open_cues"]


def open_cues(
    words: Sequence[str | os.PathLike[str]],
    frames: str | None = None,
    *,
    source: FrameSource,
    masks: Mapping[int, Mask],
    config: NetworkConfig,
    direction: str = "forward",
    beside: Sequence[ResultWriter] = (),
    keep: Iterable[Path] = (),
    overwrite: bool = False,
) -> list[ResultWriter]:
    """Open one writer for each word; nothing is written yet.

    Args:
        words: See `open_cue_writer`.
        frames: See `FrameChoice.parse`; None for each writer's own choice.
        source: The video.
        masks: Given masks by number of frame.
        config: Of the network.
        direction: Which way objects are followed; on the way back no cues are kept.
        beside: Other outputs of the pass; they are abandoned if this fails.
        keep: Files that must not be written over.
        overwrite: Whether results may be replaced.

    Raises:
        InputError: A name or the frames are not understood, or a name is not fit to be written
            to.
    """
    writers: list[ResultWriter] = []
    kept = list(keep)
    try:
        if frames is not None and not words:
            raise InputError("frames are chosen, but no cues are asked for")
        if words and direction == "backward":
            raise InputError("cues are those of the way forward: going backward there are none")
        choice = None if frames is None else FrameChoice.parse(frames)
        for word in words:
            writers.append(
                open_cue_writer(
                    word,
                    source=source,
                    masks=masks,
                    config=config,
                    frames=choice,
                    taken=[writer.path for writer in (*beside, *writers)],
                    keep=kept,
                    overwrite=overwrite,
                )
            )
    except BaseException:
        for writer in (*beside, *writers):
            writer.abandon()
        raise
    return writers
