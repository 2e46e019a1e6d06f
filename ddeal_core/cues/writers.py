"""Outputs that show the cues; they take part in a pass like any other output."""

from __future__ import annotations

import logging
import os
import re
from abc import abstractmethod
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ddeal_core.cues.figure import CueFigure, GivenPanel
from ddeal_core.errors import InputError, OutputError
from ddeal_core.media.frame import Frame
from ddeal_core.media.masks.mask_images import Mask
from ddeal_core.media.matting.cutout import Cutout
from ddeal_core.media.outputs.opening import abandon_all, check_place
from ddeal_core.media.outputs.picture_folders import encode_png
from ddeal_core.media.outputs.result_writer import FolderWriter, ResultWriter
from ddeal_core.media.outputs.video_recipes import WRITTEN_ENDINGS, recipe_for
from ddeal_core.media.outputs.video_writer import VideoWriter
from ddeal_core.media.sources.frame_source import FrameSource
from ddeal_core.network.config import NetworkConfig
from ddeal_core.tracking.frame_cues import FrameCues

_log = logging.getLogger(__name__)

MasksByFrame = Mapping[int, Mask]

_STEP_IN_FOLDERS = 10
_MOST_ROWS = 2160  # of a video's picture; panels shrink so that all objects fit
_PANEL_AREAS = (320 * 180, 240 * 135, 192 * 108)

_PART = re.compile(r"([0-9]{1,9})(?:-([0-9]{1,9}))?")
_STEP = re.compile(r"every:([0-9]{1,9})")


@dataclass(frozen=True, slots=True)
class FrameChoice:
    """Frames by number, or one in so many.

    Attributes:
        step: Every so many frames, counted from the first that is segmented.
        ranges: First and last number of frames in the whole video; None leaves it to `step`.
    """

    step: int = 1
    ranges: tuple[tuple[int, int], ...] | None = None

    @classmethod
    def parse(cls, text: str) -> FrameChoice:
        """Read ``all``, ``every:10``, or numbers and ranges such as ``0,10,20-29``.

        Raises:
            InputError: It is none of these.
        """
        text = text.strip()
        if text == "all":
            return cls()
        if (every := _STEP.fullmatch(text)) and int(every[1]):
            return cls(step=int(every[1]))
        parts = [_PART.fullmatch(part.strip()) for part in text.split(",")]
        ranges = tuple((int(p[1]), int(p[2] or p[1])) for p in parts if p)
        if len(ranges) < len(parts) or any(first > last for first, last in ranges):
            raise InputError(
                f"frames are all, every:10, or numbers such as 0,10,20-29, not {text!r}"
            )
        return cls(ranges=ranges)

    def holds(self, index: int, *, start: int) -> bool:
        """Whether a frame of the whole video is chosen; `start` is the first segmented one."""
        if self.ranges is None:
            return (index - start) % self.step == 0
        return any(first <= index <= last for first, last in self.ranges)


def open_cues(
    words: Sequence[str | os.PathLike[str]],
    frames: str | None = None,
    *,
    source: FrameSource,
    masks: MasksByFrame,
    config: NetworkConfig,
    direction: str = "forward",
    beside: Sequence[ResultWriter] = (),
    keep: Iterable[Path] = (),
    overwrite: bool = False,
) -> list[ResultWriter]:
    """Open all outputs of cues of one pass: see `open_cue_writer`.

    Args:
        words: Files and folders to write.
        frames: Which frames: see `FrameChoice.parse`.
        source: The video.
        masks: Given masks by number of frame.
        config: Of the network.
        direction: Which way objects are followed; the backward pass keeps no cues.
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
            writer = open_cue_writer(
                word,
                source,
                masks,
                config,
                frames=choice,
                taken=[writer.path for writer in (*beside, *writers)],
                keep=kept,
                overwrite=overwrite,
            )
            writers.append(writer)
    except BaseException:
        abandon_all([*beside, *writers])
        raise
    return writers


def open_cue_writer(
    word: str | os.PathLike[str],
    source: FrameSource,
    masks: MasksByFrame,
    config: NetworkConfig,
    *,
    frames: FrameChoice | None = None,
    taken: Iterable[Path] = (),
    keep: Iterable[Path] = (),
    overwrite: bool = False,
) -> ResultWriter:
    """Choose a writer of cues by a name.

    ================  ==================================================================
    word              holds
    ================  ==================================================================
    a folder          figures, ``<object's id>/<frame's name>.png``; every tenth frame
    .mp4, .mkv, ...   the figures of all objects below each other, as a video; all frames
    arrays=folder     `FrameCues.arrays` as ``<frame's name>.npz``; every tenth frame
    ================  ==================================================================

    The segmenter must keep cues (`keep_cues`). Arguments are those of `open_cues`; `frames` are
    those of the table if None, and `taken` are the places of other outputs.

    Raises:
        InputError: The name or its place is not fit to be written to.
    """
    text = os.fspath(word)
    arrays = text.startswith("arrays=")
    path = Path(text.removeprefix("arrays="))
    front, sign, rest = text.partition("=")
    if sign and not arrays and get_close_matches(front, ["arrays"], cutoff=0.7):
        raise InputError(f"there is no kind {front!r} of cues: write arrays={rest}")
    if not path.name:
        raise InputError(f"cues go to a folder or a video, not to {text!r}")
    video = path.suffix.lower() in WRITTEN_ENDINGS and not path.is_dir()
    if path.suffix and not path.is_dir() and (arrays or not video):
        raise InputError(
            f"cues go to a folder (a name without ending) or to {', '.join(WRITTEN_ENDINGS)}, "
            f"not to {path.name}"
        )
    check_place(path, source=source, taken=taken, keep=keep, overwrite=overwrite)
    shown = source, masks, config
    try:
        if video:
            return CueVideoWriter(path, *shown, frames or FrameChoice())
        frames = frames or FrameChoice(step=_STEP_IN_FOLDERS)
        if arrays:
            return CueArrayWriter(path, source.start, frames)
        return CueFolderWriter(path, *shown, frames)
    except OutputError as error:  # nothing was begun: the name is at fault
        raise InputError(error) from None


class _Figures:
    """Figures of frames, with the picture of where each object was given last."""

    def __init__(self, masks: MasksByFrame, figure: CueFigure) -> None:
        self._masks, self._figure = masks, figure
        self._found: dict[int, GivenPanel] = {}

    def see(self, frame: Frame) -> None:
        """Keep the frame if objects are given on it."""
        mask = self._masks.get(frame.index)
        if mask is not None:
            labels = np.asarray(mask.labels, np.uint8)
            for object_id in mask.object_ids:
                self._found[object_id] = self._figure.given(
                    frame.index, frame.image, labels, object_id
                )

    def draw(
        self, frame: Frame, cutout: Cutout, cues: FrameCues | None, object_ids: Sequence[int]
    ) -> NDArray[np.uint8]:
        given = [self._found.get(i) for i in object_ids]
        return self._figure.draw(
            frame.image, cutout.labels, cues, object_ids, index=frame.index, given=given
        )


class _ChosenFrames(FolderWriter):
    """Files of the frames that were chosen and have cues."""

    def __init__(self, path: Path, start: int, frames: FrameChoice) -> None:
        super().__init__(path)
        self._start, self._frames = start, frames
        self._seen = 0

    def write(self, frame: Frame, cutout: Cutout) -> None:
        """Write the frame's files, if it was chosen and anything was predicted on it."""
        self._seen += 1
        cues = cutout.cues
        if self._frames.holds(frame.index, start=self._start) and isinstance(cues, FrameCues):
            self._show(frame, cutout, cues)

    @abstractmethod
    def _show(self, frame: Frame, cutout: Cutout, cues: FrameCues) -> None: ...

    def finish(self) -> None:
        """Finish the folder; warn where no chosen frame had anything to show."""
        if self._seen and not self._written:
            _log.warning(
                "no cues in %s: nothing was predicted on the frames that were chosen", self.path
            )
            return
        super().finish()


class CueFolderWriter(_ChosenFrames):
    """A figure for each object and chosen frame, ``<id>/<frame's name>.png``."""

    _pattern = "*/*.png"

    def __init__(
        self,
        path: Path,
        source: FrameSource,
        masks: MasksByFrame,
        config: NetworkConfig,
        frames: FrameChoice,
    ) -> None:
        super().__init__(path, source.start, frames)
        figure = CueFigure(source.info.size, dense_maps=_dense_maps(config))
        self._figures = _Figures(masks, figure)

    def write(self, frame: Frame, cutout: Cutout) -> None:
        """Keep the frame if masks are given on it; draw it if it was chosen."""
        self._figures.see(frame)
        super().write(frame, cutout)

    def _show(self, frame: Frame, cutout: Cutout, cues: FrameCues) -> None:
        for object_id in cues.object_ids:
            picture = self._figures.draw(frame, cutout, cues, [object_id])
            self._put(f"{object_id}/{frame.name}.png", encode_png(picture))


class CueArrayWriter(_ChosenFrames):
    """All arrays of the chosen frames, ``<frame's name>.npz``; see `FrameCues.arrays`."""

    _pattern = "*.npz"

    def _show(self, frame: Frame, cutout: Cutout, cues: FrameCues) -> None:
        del cutout
        buffer = BytesIO()
        np.savez_compressed(buffer, allow_pickle=False, **cues.arrays())
        self._put(f"{frame.name}.npz", buffer.getvalue())


class CueVideoWriter(VideoWriter):
    """The figures of all objects as a video, with the times of the source and without sound.

    Raises:
        OutputError: There are more objects than a picture has room for.
    """

    def __init__(
        self,
        path: Path,
        source: FrameSource,
        masks: MasksByFrame,
        config: NetworkConfig,
        frames: FrameChoice,
    ) -> None:
        self._object_ids = sorted({i for mask in masks.values() for i in mask.object_ids})
        figure = _fitting_figure(source.info.size, self._object_ids, _dense_maps(config), path)
        self._figures = _Figures(masks, figure)
        self._frames, self._start = frames, source.start
        recipe = recipe_for(path.suffix, "overlay", size=figure.size)
        super().__init__(path, source=source, recipe=recipe, sound=False, picture_size=figure.size)

    def write(self, frame: Frame, cutout: Cutout) -> None:
        """Draw and encode the frame, if it was chosen."""
        self._figures.see(frame)
        if self._frames.holds(frame.index, start=self._start):
            super().write(frame, cutout)

    def _composite(self, frame: Frame, cutout: Cutout) -> NDArray[np.uint8]:
        cues = cutout.cues if isinstance(cutout.cues, FrameCues) else None
        return self._figures.draw(frame, cutout, cues, self._object_ids)


def _dense_maps(config: NetworkConfig) -> int:
    if not config.dense_channels:
        return 0
    return 3 if config.memory_frames else 2


def _fitting_figure(
    size: tuple[int, int], object_ids: Collection[int], dense_maps: int, path: Path
) -> CueFigure:
    for area in _PANEL_AREAS:
        figure = CueFigure(size, objects=len(object_ids), dense_maps=dense_maps, panel_area=area)
        if figure.size[0] <= _MOST_ROWS:
            return figure
    raise OutputError(
        f"{path} has no room for the cues of {len(object_ids)} objects: choose fewer, or "
        "write the cues to a folder"
    )
