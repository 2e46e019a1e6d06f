"""Masks of all frames that are there already: what is rendered without tracking."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import torch

from ddeal_core.errors import InputError, MaskError, OutputError
from ddeal_core.media.frame import Frame
from ddeal_core.media.identity import Settings, identity_of_files
from ddeal_core.media.masks.mask_images import EmptyMaskError, counted_objects, read_mask
from ddeal_core.media.masks.mask_set import mask_files
from ddeal_core.media.masks.mattes import are_mattes, matte_folders, read_matte
from ddeal_core.media.outputs.soft_writer import SOFT_ENDING
from ddeal_core.media.sources.frame_source import FrameSource
from ddeal_core.runs.request import VideoRequest
from ddeal_core.runs.result_log import ResultLog
from ddeal_core.tracking.result import Result

_log = logging.getLogger(__name__)

_TOLD = 6


class KnownMasks:
    """Gives the result of each frame from files; frames without one are empty, with a warning.

    Args:
        request: Its masks are what `read_masks` takes, with one for each frame; a folder of
            mattes, or with a folder of them for each object's id; or a file of `SoftWriter`.
        source: The video.
        device: Where soft masks grow to the frame's size: on another one than where they were
            found, last digits may differ.

    Attributes:
        object_ids: Of all objects, as far as they were seen.
        understood: In a few words, how the masks were taken.

    Raises:
        InputError: A name cannot be used, or no mask is of a frame of the video.
    """

    def __init__(self, request: VideoRequest, source: FrameSource, device: torch.device) -> None:
        words = request.mask_names
        if not words:
            raise InputError("no mask is given: name the folder that holds those of all frames")
        self.object_ids: set[int] = set()
        self._source, self._device = source, device
        self._objects = request.objects
        self._log: ResultLog | None = None
        self._files: dict[int, dict[int, Path]] = {}  # by frame and id; 0 for a label image
        self._soft = False
        self._missing: list[int] = []
        self._used: set[int] = set()
        if len(words) == 1 and Path(words[0]).suffix.lower() == SOFT_ENDING:
            self._paths = [Path(words[0])]
            self._log = ResultLog.of_soft_file(self._paths[0], source.info.size)
            self.understood = f"soft masks of {len(self._log)} frames"
            self._check_range(self._log.frames, request)
        else:
            self._find_files(words, request)

    def _find_files(self, words: tuple[str, ...], request: VideoRequest) -> None:
        only = Path(words[0]) if len(words) == 1 else None
        folders = matte_folders(only) if only is not None and only.is_dir() else {}
        self._soft = bool(folders)
        each = {0: words}
        if folders:
            each = {i: (str(folder),) for i, folder in folders.items()}
        for number, names in each.items():
            found = mask_files(names, source=self._source, first=request.numbered_from)
            for frame, path in found.items():
                self._files.setdefault(frame, {})[number] = path
        self._paths = [path for files in self._files.values() for path in files.values()]
        if not self._soft and are_mattes(self._paths):
            self._soft = True
            self._files = {frame: {1: files[0]} for frame, files in self._files.items()}
        kind = f"mattes of {counted_objects(tuple(folders or (1,)))}" if self._soft else "masks"
        self.understood = f"{kind}, {len(self._files)} frames"
        self._check_range(tuple(sorted(self._files)), request)

    def _check_range(self, frames: tuple[int, ...], request: VideoRequest) -> None:
        """Refuse masks that are not of this video, or are numbered in another way."""
        source = self._source
        if source.info.exact_count is None:
            return
        stop = source.start + source.info.exact_count
        inside = [frame for frame in frames if source.start <= frame < stop]
        first = frames[0] + request.numbered_from
        if not inside:
            raise InputError(
                f"the masks are numbered from {first} on, but frames go from {source.start} to "
                f"{stop - 1}: does {first} stand for frame 0?",
                remedy="numbered_from",
            )
        if (
            source.info.is_video
            and stop in frames
            and frames[0] == source.start + 1
            and not self._log
        ):
            raise InputError(
                f"frame {source.start} has no mask, and mask {stop} no frame: does {first} stand "
                f"for frame 0? Else remove mask {stop}",
                remedy="numbered_from",
            )

    def identity(self) -> Settings:
        """Say what the masks are, in plain JSON types, names left out of it.

        Raises:
            InputError: A file cannot be read.
        """
        objects = None if self._objects is None else sorted(self._objects)
        return {
            "files": len(self._paths),
            "sampled_sha256": identity_of_files(self._paths, InputError),
            "objects": objects,
        }

    def __call__(self, frame: Frame) -> Result:
        """Give the result of a frame.

        Raises:
            InputError: The soft masks are damaged.
            MaskError: A mask cannot be read.
        """
        result = self._kept(frame) if self._log is not None else self._read(frame)
        self._used.add(frame.index)
        if result is None:
            self._missing.append(frame.index)
            return Result.of_labels(np.zeros(frame.size, np.uint8), index=frame.index)
        if self._objects is not None:
            result = result.only(self._objects)
        self.object_ids.update(result.object_ids)
        return result

    def _kept(self, frame: Frame) -> Result | None:
        assert self._log is not None
        try:
            return self._log.get(frame.index, frame.size, self._device)
        except (ValueError, OutputError) as error:
            raise InputError(
                f"{self._paths[0]} is damaged at frame {frame.index}: {error}"
            ) from None

    def _read(self, frame: Frame) -> Result | None:
        files = self._files.get(frame.index)
        if files is None:
            return None
        if self._soft:
            ids = tuple(sorted(files))
            mattes = np.stack([read_matte(files[i], size=frame.size) for i in ids])
            return Result.of_mattes(mattes, index=frame.index, object_ids=ids)
        try:
            mask = read_mask(files[0], size=frame.size)
        except EmptyMaskError:
            return Result.of_labels(np.zeros(frame.size, np.uint8), index=frame.index)
        return Result.of_labels(mask.labels, index=frame.index, object_ids=mask.object_ids)

    def finish(self) -> None:
        """Warn of frames that had no mask, and of masks that had no frame.

        Raises:
            MaskError: An object that was asked for is in no mask.
        """
        gone = sorted(set(self._objects or ()) - self.object_ids)
        if gone:
            known = (
                counted_objects(tuple(sorted(self.object_ids))) if self.object_ids else "no other"
            )
            raise MaskError(f"object {', '.join(map(str, gone))} is in no mask: there is {known}")
        frames = self._files if self._log is None else self._log.frames
        unused = sorted(set(frames) - self._used)
        if self._missing:
            _log.warning("frames without a mask are empty: %s", _listed(self._missing))
        if unused and self._source.end is None:
            _log.warning("masks without a frame were left out: %s", _listed(unused))

    def close(self) -> None:
        """Let go of the file."""
        if self._log is not None:
            self._log.close()


def _listed(frames: list[int]) -> str:
    more = f", ... ({len(frames)} in all)" if len(frames) > _TOLD else ""
    return ", ".join(map(str, frames[:_TOLD])) + more
