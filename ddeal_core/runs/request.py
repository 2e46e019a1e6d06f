"""What a run is asked for: a video with its masks, its outputs, and the network.

Nothing here imports torch: what can be refused without the network is refused at once.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, cast

from ddeal_core.choices import DeviceName, Direction, HintMethod, OnError, OutputKind, Precision
from ddeal_core.errors import InputError
from ddeal_core.finishing.options import UNFINISHED, Finishing
from ddeal_core.media.file_kinds import StrPath
from ddeal_core.media.masks.mask_images import MaskLike
from ddeal_core.media.outputs.look import LookOptions, OutputLook

if TYPE_CHECKING:
    from fractions import Fraction

    from ddeal_core.interaction.hints import Hints
    from ddeal_core.network.config import Ablation
    from ddeal_core.tracking.segmenter import Segmenter

HintReader = Callable[[tuple[int, int], Sequence[int]], "Mapping[int, Hints]"]


@dataclass(frozen=True, slots=True)
class VideoRequest:
    """A video, the objects in it, and which of its frames are wanted.

    Attributes:
        video: A file, folder, pattern or live input: see `open_source`.
        masks: One or several names as `read_masks` takes them (``"first.png"``,
            ``"120=more.png"``, a folder), or label maps ``[H, W]`` by their frame in the whole
            video. None where there are hints.
        hints: Boxes, points and strokes by object id, about frame `at`; or a function that gives
            them, once it is told the frame's (height, width) and the ids that have a mask there.
            Of objects that have one the mask is mended.
        method: What makes masks of the hints: see `mask_from_hints`.
        objects: Ids to keep of those in named masks; all if None.
        direction: Which way objects are followed from their masks. "forward" is on to the end.
            "backward" is back to the beginning: frames after the last mask stay empty. "both"
            follows each object back from its first mask, and forward as if it went forward only.
            "between" goes forward, but between two masks of an object it is followed from both,
            and the two are joined: see `Result.blended`. Whichever way, an object with masks on
            several frames is matched with all of them, from its first result on.
        at: Frame of the hints, and of a mask that names none; if None the first, or going
            backward the last.
        start: First frame, counted from 0 in the whole video.
        end: Frame to stop before; None for all.
        track: Whether objects are followed. If not, the masks are the results: of every frame, as
            `KnownMasks` takes them.
        numbered_from: Number that stands for frame 0 in the names of such masks.
        frame_rate: Of image files; a video has its own.
        on_error: What is done about frames that cannot be read: see `open_source`.
        max_pixels: Most pixels of a frame, an image or a mask; None for the environment's limit.
    """

    video: StrPath | BinaryIO
    masks: StrPath | Sequence[StrPath] | Mapping[int, MaskLike] = ()
    hints: Mapping[int, Hints] | HintReader | None = None
    method: HintMethod = "network"
    objects: Collection[int] | None = None
    direction: Direction = "forward"
    at: int | None = None
    start: int | None = None
    end: int | None = None
    track: bool = True
    numbered_from: int = 0
    frame_rate: Fraction | None = None
    on_error: OnError = "stop"
    max_pixels: int | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.masks, Mapping):
            object.__setattr__(self, "masks", _names(self.masks))

    @property
    def mask_names(self) -> tuple[str, ...]:
        """Names of masks; empty where label maps are given."""
        return () if isinstance(self.masks, Mapping) else cast("tuple[str, ...]", self.masks)


@dataclass(frozen=True, slots=True)
class OutputOptions(OutputLook):
    """The outputs of a run, and how they look.

    Attributes:
        names: One or several files and folders, each with its kind before it if wanted
            (``"matte=key.mp4"``): see `open_outputs`.
        kind: Of outputs that do not say theirs and whose names fit it.
        finishing: What is done to masks before outputs are made of them.
        cues: Where to draw what led to the answer: see `open_cue_writer`.
        cue_frames: Frames of the cues: see `FrameChoice.parse`.
        keep: Files that must not be written over, besides the video and the masks.
        overwrite: Whether results may be replaced, and an unfinished run of them thrown away.
        resume: Do nothing where all outputs are there, whole and made with these settings; else
            go on from what an unfinished run of them left.
        resumable: Whether to keep on the disk what a later run would go on from.
    """

    names: StrPath | Sequence[StrPath]
    kind: OutputKind | None = None
    finishing: Finishing = UNFINISHED
    cues: StrPath | Sequence[StrPath] = ()
    cue_frames: str | None = None
    keep: Sequence[Path] = ()
    overwrite: bool = False
    resume: bool = False
    resumable: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "names", _names(self.names))
        object.__setattr__(self, "cues", _names(self.cues))
        if self.hard and (self.finishing.feather or self.finishing.choke):
            raise InputError("edges cannot be hard, and feathered or choked: choose one")

    @property
    def output_names(self) -> tuple[str, ...]:
        """Names of the outputs."""
        return cast("tuple[str, ...]", self.names)

    @property
    def cue_names(self) -> tuple[str, ...]:
        """Names of the outputs of cues."""
        return cast("tuple[str, ...]", self.cues)


class CutOutOptions(LookOptions, total=False):
    """What `cut_out` takes by name: all else of `VideoRequest` and `OutputOptions`."""

    hints: Mapping[int, Hints] | HintReader | None
    method: HintMethod
    objects: Collection[int] | None
    direction: Direction
    at: int | None
    start: int | None
    end: int | None
    track: bool
    numbered_from: int
    frame_rate: Fraction | None
    on_error: OnError
    max_pixels: int | None
    kind: OutputKind | None
    finishing: Finishing
    cues: StrPath | Sequence[StrPath]
    cue_frames: str | None
    keep: Sequence[Path]
    overwrite: bool
    resume: bool
    resumable: bool


@dataclass(frozen=True, slots=True)
class NetworkOptions:
    """Which network to load, and how it computes: the arguments of `Segmenter.load`."""

    weights: str | Path | None = None
    device: DeviceName = "auto"
    resolution: int | Literal["native"] | None = None
    precision: Precision = "float32"
    look_ahead: int = 1
    cuda_graphs: bool = False
    ablation: Ablation | None = None

    def load(self, *, keep_cues: bool = False) -> Segmenter:
        """Load the network.

        Raises:
            WeightsError: The weights are missing, damaged, or of another kind.
            InputError: The device is not there, or a value is out of range.
        """
        from ddeal_core.tracking.segmenter import Segmenter

        options: dict[str, Any] = {**asdict(self), "ablation": self.ablation}
        return Segmenter.load(**options, keep_cues=keep_cues)


def _names(given: StrPath | Sequence[StrPath]) -> tuple[str, ...]:
    """Names as text, which many videos compare, and other machines read."""
    each = (given,) if isinstance(given, str | os.PathLike) else given
    return tuple(os.fspath(name) for name in each)
