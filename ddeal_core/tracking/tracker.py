"""Feeds a video to the network frame by frame and holds its state."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TypeGuard

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ddeal_core.errors import InputError, MaskError
from ddeal_core.network.ddeal import Ddeal
from ddeal_core.network.state import FrameEncoding, ObjectState, Prediction
from ddeal_core.tracking.merging import impose, merge
from ddeal_core.tracking.padding import Padding
from ddeal_core.tracking.probability_maps import ProbabilityMaps, masks_of
from ddeal_core.tracking.result import Result
from ddeal_core.tracking.tracker_state import TrackerState

__all__ = ["MAX_OBJECT_ID", "Tracker"]

MAX_OBJECT_ID = 254
"""Ids go from 1 to this; 0 is the background and 255 means "ignore" in the field's data sets."""


class Tracker:
    """Segments the frames of one video as they come, for any number of objects.

    The backbone runs once a frame; the heads of all objects run as one batch. Memory does not
    grow with the number of frames.

    Args:
        network: In evaluation mode, on the device that shall compute.
        short_side: Pixels that the frame's short side is scaled to for the network; None leaves
            frames as they are. Frames are never enlarged. Results have the frame's own size.
        precision: float32, or a type for `torch.autocast`.
    """

    def __init__(
        self,
        network: Ddeal,
        *,
        short_side: int | None = None,
        precision: torch.dtype = torch.float32,
    ) -> None:
        if network.training:
            raise InputError("the tracker wants a network in evaluation mode: call network.eval()")
        if short_side is not None and short_side < 16:
            raise InputError(f"short_side is at least 16 pixels, not {short_side}")
        self._network = network
        self._device = network.device
        self._precision = precision
        self._short_side = short_side
        self._index = 0
        self._size: tuple[int, int] | None = None
        self._object_ids: list[int] = []
        self._state: ObjectState | None = None

    @property
    def object_ids(self) -> tuple[int, ...]:
        """Ids of the objects followed so far, in the order in which they were given."""
        return tuple(self._object_ids)

    @property
    def state(self) -> TrackerState:
        """What it knows between two frames. Tensors are shared: they are never written to."""
        return TrackerState(self._index, self._size, self.object_ids, self._state)

    @state.setter
    def state(self, state: TrackerState) -> None:
        self._index, self._size = state.index, state.size
        self._object_ids, self._state = list(state.object_ids), state.objects

    def encode(self, images: Sequence[NDArray[np.uint8]]) -> list[FrameEncoding | None]:
        """Compute in advance, as one batch, what depends on coming frames alone.

        Args:
            images: ``[H, W, 3]`` uint8 RGB each.

        Returns:
            What `step` takes beside each image. None for all where they are not images of one
            size: `step` says then what is wrong, when its turn has come.
        """
        fit = all(_is_image(image) and image.shape == images[0].shape for image in images)
        if not fit or not images:
            return [None] * len(images)
        with self._mode():
            everything = self._encode(images)
            return [everything.frames(slice(i, i + 1)) for i in range(len(images))]

    def step(
        self,
        image: NDArray[np.uint8],
        given: NDArray[np.integer] | None = None,
        encoding: FrameEncoding | None = None,
    ) -> Result:
        """Segment the next frame.

        Args:
            image: ``[H, W, 3]`` uint8 RGB; all frames have one size.
            given: ``[H, W]`` integers with the ids, 1 to 254, of objects that begin on this
                frame. An object that is followed already is corrected: it begins anew. 0 says
                nothing about a pixel's background.
            encoding: Of this image, from `encode`; worked out here if None.

        Returns:
            Labels and probabilities. Before any object is given, all is background.

        Raises:
            InputError: The image has the wrong type or another size than those before it.
            MaskError: The mask does not fit the image, or its ids are out of range.
        """
        self._check_image(image)
        ids = [] if given is None else _ids_in(given, self._size)
        with self._mode():
            result = self._step(image, given, ids, encoding)
        self._index += 1
        return result

    @contextmanager
    def _mode(self) -> Iterator[None]:
        with (
            torch.inference_mode(),
            torch.autocast(
                self._device.type, self._precision, enabled=self._precision != torch.float32
            ),
        ):
            yield

    def _encode(self, images: Sequence[NDArray[np.uint8]]) -> FrameEncoding:
        size = self._network_size(*images[0].shape[:2])
        tensors = [self._to_tensor(image, size) for image in images]
        together = tensors[0] if len(tensors) == 1 else torch.cat(tensors)
        return self._network.encode(Padding(*size).pad(together))

    def _step(
        self,
        image: NDArray[np.uint8],
        given: NDArray[np.integer] | None,
        ids: list[int],
        encoding: FrameEncoding | None,
    ) -> Result:
        if self._state is None and not ids:
            return Result(
                index=self._index,
                object_ids=(),
                maps=ProbabilityMaps.without_objects((image.shape[0], image.shape[1])),
            )
        size = self._network_size(*image.shape[:2])
        padding = Padding(*size)
        encoding = encoding or self._encode([image])

        fresh: ObjectState | None = None
        if given is not None and ids:
            masks = padding.pad(self._masks_to_tensor(given, ids, size))
            fresh = self._network.start(encoding, masks)
            self._forget(ids)
        known = self._state
        keep_given = self._network.config.keep_given_mask or known is None

        if fresh is not None and not keep_given:
            self._add(ids, fresh)
            known, fresh = self._state, None
        if known is not None:
            prediction = self._network.segment(encoding, known)
            merged = merge(prediction.log_odds)
            if fresh is not None:
                merged = torch.cat([merged, torch.zeros_like(masks)], dim=1)
                merged = impose(merged, masks)
            self._update(encoding, known, prediction, merged[:, 1 : 1 + known.objects])
        else:
            merged = torch.cat([1 - masks.sum(1, keepdim=True), masks], dim=1)
        if fresh is not None:
            self._add(ids, fresh)
        return self._to_result(padding.crop(merged), given if keep_given else None, ids)

    def _update(
        self,
        encoding: FrameEncoding,
        state: ObjectState,
        prediction: Prediction,
        merged: Tensor,
    ) -> None:
        self._state = self._network.update(encoding, state, prediction, merged)

    def _add(self, ids: list[int], fresh: ObjectState) -> None:
        self._state = fresh if self._state is None else self._state.join(fresh)
        self._object_ids += ids

    def _forget(self, ids: list[int]) -> None:
        kept = [i for i, known in enumerate(self._object_ids) if known not in ids]
        if len(kept) < len(self._object_ids):
            assert self._state is not None
            self._state = self._state.select(kept) if kept else None
            self._object_ids = [self._object_ids[i] for i in kept]

    def _check_image(self, image: NDArray[np.uint8]) -> None:
        if not isinstance(image, np.ndarray):
            raise InputError(f"frames are HxWx3 uint8 RGB arrays, not {type(image).__name__}")
        if not _is_image(image):
            raise InputError(
                f"frames are HxWx3 uint8 RGB, not {image.dtype} of shape {image.shape}"
            )
        size = image.shape[:2]
        if min(size) < 1:
            raise InputError(f"frame {self._index} is empty: {size[1]}x{size[0]}")
        if self._size is None:
            self._size = size
        elif size != self._size:
            raise InputError(
                f"frame {self._index} is {size[1]}x{size[0]}, those before it "
                f"{self._size[1]}x{self._size[0]}: all frames of a video have one size"
            )

    def _network_size(self, height: int, width: int) -> tuple[int, int]:
        short = min(height, width)
        if self._short_side is None or short <= self._short_side:
            return height, width
        scale = self._short_side / short
        return max(1, round(height * scale)), max(1, round(width * scale))

    def _to_tensor(self, image: NDArray[np.uint8], size: tuple[int, int]) -> Tensor:
        if image.shape[:2] != size:
            image = cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
        # A copy: torch warns of arrays that are read-only, as Pillow's are. Permuting a packed
        # RGB image gives a channels-last tensor. Bytes are uploaded, and become floats there; from
        # pinned memory without waiting for it.
        tensor = torch.from_numpy(np.array(image, order="C"))
        if self._device.type == "cuda":
            tensor = tensor.pin_memory()
        tensor = tensor.to(self._device, non_blocking=self._device.type == "cuda")
        return tensor.permute(2, 0, 1)[None].float() / 255

    def _masks_to_tensor(
        self, given: NDArray[np.integer], ids: list[int], size: tuple[int, int]
    ) -> Tensor:
        masks = masks_of(given, ids)
        if masks.shape[1:] != size:
            masks = np.stack(
                [cv2.resize(m, size[::-1], interpolation=cv2.INTER_AREA) for m in masks]
            )
        return torch.from_numpy(masks)[None].to(self._device)

    def _to_result(
        self, merged: Tensor, given: NDArray[np.integer] | None, ids: list[int]
    ) -> Result:
        """Bring ``[1, 1 + K, h, w]`` to the frame's size; put given masks in as they are."""
        assert self._size is not None
        masks = self._masks_to_tensor(given, ids, self._size) if given is not None and ids else None
        maps = ProbabilityMaps.of(merged, self._size, masks)
        return Result(index=self._index, object_ids=self.object_ids, maps=maps)


def _is_image(image: object) -> TypeGuard[NDArray[np.uint8]]:
    return (
        isinstance(image, np.ndarray)
        and image.dtype == np.uint8
        and image.ndim == 3
        and image.shape[2] == 3
        and image.size > 0
    )


def _ids_in(given: NDArray[np.integer], size: tuple[int, int] | None) -> list[int]:
    if given.ndim != 2 or not np.issubdtype(given.dtype, np.integer):
        raise MaskError(f"a mask is HxW integers, not {given.dtype} of shape {given.shape}")
    if size is not None and given.shape != size:
        raise MaskError(
            f"the mask is {given.shape[1]}x{given.shape[0]}, the frame {size[1]}x{size[0]}: "
            "give a mask of the frame's size"
        )
    ids = [int(i) for i in np.unique(given) if i != 0]
    if ids and (ids[0] < 1 or ids[-1] > MAX_OBJECT_ID):
        bad = ids[0] if ids[0] < 1 else ids[-1]
        raise MaskError(f"object ids go from 1 to {MAX_OBJECT_ID}, the mask has {bad}")
    return ids
