"""Feeds a video to the network frame by frame and holds its state."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from functools import partial
from typing import Annotated, TypeGuard

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ddeal_core.errors import InputError, MaskError, WeightsError
from ddeal_core.inference.network import ReplayedNetwork
from ddeal_core.media.masks.label_images import ids_in
from ddeal_core.media.masks.mask_images import MaskLike, labels_of
from ddeal_core.network.cues import Cues
from ddeal_core.network.ddeal import STRIDE, Ddeal
from ddeal_core.network.state import FrameEncoding, ObjectState, Prediction
from ddeal_core.settings import Range, check_value
from ddeal_core.tracking.batches import Batches
from ddeal_core.tracking.frame_cues import FrameCues, read_cues
from ddeal_core.tracking.maps import GivenLabels, Maps, overruled
from ddeal_core.tracking.merging import soft_aggregation
from ddeal_core.tracking.motion_gate import apply_motion_gate
from ddeal_core.tracking.padding import Padding
from ddeal_core.tracking.quantisation import quantise
from ddeal_core.tracking.references import GivenObjects, begin
from ddeal_core.tracking.result import Result
from ddeal_core.tracking.scaling import scale_image, scale_mask, scaled_size
from ddeal_core.tracking.tracker_state import TrackerState

# Pixels of all objects at once in the heads, which take some 100 bytes for each.
_PIXELS_AT_ONCE = 1 << 22
_PIXELS_AT_ONCE_ON_GPU = 1 << 25


class Tracker:
    """Segments the frames of one video as they come, for any number of objects.

    The backbone runs once a frame; the heads of the objects run as one batch, or several where
    there are many of them or memory is short. Memory does not grow with the number of frames.

    Args:
        network: In evaluation mode, on the device that shall compute.
        short_side: Pixels that the frame's short side is scaled to for the network; None leaves
            frames as they are. Frames are enlarged to twice their size at most. Results have the
            frame's own size.
        precision: float32, or a type for `torch.autocast`.
        keep_cues: Let each `Result` hold what its `cues` are read from.
    """

    def __init__(
        self,
        network: Ddeal,
        *,
        short_side: int | None = None,
        precision: torch.dtype = torch.float32,
        keep_cues: bool = False,
    ) -> None:
        if network.training:
            raise InputError("the tracker wants a network in evaluation mode: call network.eval()")
        check_value("the resolution", short_side, Annotated[int, Range(16, 1 << 20)] | None)
        self._network = network
        self._device = network.device
        self._precision = precision
        self._short_side = short_side
        self._keep_cues = keep_cues
        # Bound to the network, so that no reference cycle keeps the tracker.
        free = partial(_free, network)
        self._heads: Batches[Prediction] = Batches("objects", free=free)
        self._frames: Batches[FrameEncoding] = Batches("frames", free=free)
        self._index = 0
        self._size: tuple[int, int] | None = None
        self._object_ids: list[int] = []
        self._state: ObjectState | None = None
        self._known: tuple[GivenObjects, ...] = ()

    @property
    def object_ids(self) -> tuple[int, ...]:
        """Ids of the objects followed so far, in the order in which they were given."""
        return tuple(self._object_ids)

    def fork(self) -> "Tracker":
        """A tracker of its own that goes on from here: to come back to this frame later.

        Cheap: what is known of the objects is shared, for it is never changed in place.
        """
        other = copy(self)
        other._object_ids = list(self._object_ids)
        return other

    @property
    def state(self) -> ObjectState | None:
        """What is known of the objects by now; None before any is given."""
        return self._state

    def snapshot(self) -> TrackerState:
        """All that is known between two frames. Tensors are shared: they are never written to."""
        return TrackerState(self._index, self._size, self.object_ids, self._state)

    def restore(self, state: TrackerState) -> None:
        """Go on from a snapshot of a tracker of the same network, settings and references."""
        self._index, self._size = state.index, state.size
        self._object_ids, self._state = list(state.object_ids), state.objects

    def add_reference(self, image: NDArray[np.uint8], given: MaskLike) -> None:
        """Let objects be matched, as soon as they begin, with a frame whose turn comes later.

        Without it a frame becomes a reference when `step` is given its mask.

        Args:
            image: As for `step`, and so is what is raised.
            given: As for `step`.
        """
        self._check_image(image)
        labels, ids = _labels_and_ids(given, self._size)
        if ids:
            with self._mode():
                fresh = self._network.start(self._encode([image]), self._masks(labels, ids))
            self._known += (GivenObjects(ids, fresh.references[0]),)

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
            batches = self._frames.run(
                len(images), lambda part: self._encode(images[part]), most=len(images)
            )
            return [
                batch.frames(slice(i, i + 1)) for batch in batches for i in range(len(batch.s16))
            ]

    def step(
        self,
        image: NDArray[np.uint8],
        given: MaskLike | None = None,
        encoding: FrameEncoding | None = None,
    ) -> Result:
        """Segment the next frame.

        Args:
            image: ``[H, W, 3]`` uint8 RGB; all frames have one size.
            given: A mask, or ``[H, W]`` integers with the ids, 1 to 254, of objects that begin on
                this frame. An object that is followed already is corrected: it begins anew, but
                the frames on which it was given stay its references. A pixel of 0 is not said to
                be background: objects that are followed may be there.
            encoding: Of this image, from `encode`; worked out here if None.

        Returns:
            Labels and probabilities. Before any object is given, all is background.

        Raises:
            InputError: The image has the wrong type or another size than those before it.
            MaskError: The mask does not fit the image, or its ids are out of range.
            WeightsError: The network's answer is no number.
        """
        self._check_image(image)
        labels, ids = (None, []) if given is None else _labels_and_ids(given, self._size)
        with self._mode():
            result = self._step(image, labels, ids, encoding)
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

    def _predict(self, encoding: FrameEncoding, state: ObjectState) -> Prediction:
        """Segment a frame, as many objects at once as memory allows."""
        height, width = (STRIDE * side for side in encoding.s16.shape[-2:])
        budget = _PIXELS_AT_ONCE if self._device.type == "cpu" else _PIXELS_AT_ONCE_ON_GPU
        most = max(1, budget // (height * width))
        cues: Cues | None = None

        def predict(part: slice) -> Prediction:
            nonlocal cues
            if part == slice(0, state.objects):
                return self._network.segment(encoding, state)
            cues = cues or self._network.compute_cues(encoding, state)
            return self._network.predict(encoding, state, cues, objects=part)

        parts = list(self._heads.run(state.objects, predict, most=most))
        if len(parts) == 1:
            return parts[0]
        assert cues is not None
        return Prediction(
            coarse=torch.cat([part.coarse for part in parts], dim=1),
            fine=torch.cat([part.fine for part in parts], dim=1),
            cues=cues,
            propagation=torch.cat([part.propagation for part in parts], dim=1),
        )

    def _check_numbers(self, merged: Tensor) -> None:
        if not torch.isfinite(merged.sum()):
            raise WeightsError(
                f"the network's answer to frame {self._index} is no number: its weights are "
                "damaged, or the precision is too low for them (try float32)"
            )

    def _encode(self, images: Sequence[NDArray[np.uint8]]) -> FrameEncoding:
        size = self._network_size(*images[0].shape[:2])
        tensors = [self._to_tensor(image, size) for image in images]
        together = tensors[0] if len(tensors) == 1 else torch.cat(tensors)
        return self._network.encode(Padding(*size).pad(together))

    def _step(
        self,
        image: NDArray[np.uint8],
        given: NDArray[np.uint8] | None,
        ids: list[int],
        encoding: FrameEncoding | None,
    ) -> Result:
        if self._state is None and not ids:
            return Result.of_labels(np.zeros(image.shape[:2], np.uint8), index=self._index)
        size = self._network_size(*image.shape[:2])
        padding = Padding(*size)
        encoding = encoding or self._encode([image])

        fresh: ObjectState | None = None
        if given is not None and ids:
            ids, masks, fresh = begin(
                self._network,
                encoding,
                ids,
                partial(self._masks, given),
                known=self._known,
                followed=GivenObjects.of_state(self._object_ids, self._state),
            )
            self._forget(ids)
        known = self._state
        keep_given = self._network.config.tracker.keep_given_mask or known is None

        if fresh is not None and not keep_given:
            self._add(ids, fresh)
            known, fresh = self._state, None
        read: Callable[[], FrameCues] | None = None
        if known is not None:
            prediction = self._predict(encoding, known)
            if self._keep_cues:
                read = partial(
                    read_cues,
                    self._network,
                    known,
                    prediction,
                    object_ids=self.object_ids,
                    padding=padding,
                )
            merged = soft_aggregation(prediction.log_odds)
            self._check_numbers(merged)
            reach = self._network.config.tracker.reach
            merged = apply_motion_gate(merged, known.last_shares, reach)
            if fresh is not None:
                merged = overruled(merged, masks)
            self._state = self._network.update(
                encoding, known, prediction, merged[:, 1 : 1 + known.objects]
            )
        else:
            merged = torch.cat([1 - masks.sum(1, keepdim=True), masks], dim=1)
        if fresh is not None:
            self._add(ids, fresh)
        return self._to_result(padding.crop(merged), given if keep_given else None, ids, read)

    def _add(self, ids: list[int], fresh: ObjectState) -> None:
        self._state = fresh if self._state is None else self._state.with_objects(fresh)
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
        return scaled_size(height, width, self._short_side)

    def _to_tensor(self, image: NDArray[np.uint8], size: tuple[int, int]) -> Tensor:
        # A copy: torch warns of arrays that are read-only, as Pillow's are. Permuting a packed
        # RGB image gives a channels-last tensor. Bytes are uploaded, without waiting where pinned.
        tensor = torch.from_numpy(np.array(scale_image(image, size), order="C"))
        if self._device.type == "cuda":
            tensor = tensor.pin_memory()
        tensor = tensor.to(self._device, non_blocking=self._device.type == "cuda")
        return tensor.permute(2, 0, 1)[None].float() / 255

    def _masks(self, given: NDArray[np.uint8], ids: Sequence[int]) -> Tensor:
        """Masks at the network's size, 1 on the object and 0 elsewhere, ``[1, K, h, w]``."""
        height, width = given.shape
        size = self._network_size(height, width)
        nearest = self._network.config.mask_resize == "nearest"
        masks = np.empty((len(ids), *size), np.float32)
        for mask, object_id in zip(masks, ids, strict=True):
            mask[:] = scale_mask((given == object_id).astype(np.float32), size, nearest=nearest)
        return Padding(*size).pad(torch.from_numpy(masks)[None].to(self._device))

    def _to_result(
        self,
        merged: Tensor,
        given: NDArray[np.uint8] | None,
        ids: list[int],
        read: Callable[[], FrameCues] | None,
    ) -> Result:
        """Bring ``[1, 1 + K, h, w]`` to the frame's size; put given masks in as they are."""
        assert self._size is not None
        mask = GivenLabels(given, ids) if given is not None and ids else None
        return Result(
            Maps(quantise(merged), self._size, mask),
            index=self._index,
            object_ids=self.object_ids,
            read_cues=read,
        )


def _free(network: Ddeal) -> None:
    """Give back memory that is only kept for speed."""
    if isinstance(network, ReplayedNetwork):
        network.forget()
    if network.device.type == "cuda":
        torch.cuda.empty_cache()


def _is_image(image: object) -> TypeGuard[NDArray[np.uint8]]:
    return (
        isinstance(image, np.ndarray)
        and image.dtype == np.uint8
        and image.ndim == 3
        and image.shape[2] == 3
        and image.size > 0
    )


def _labels_and_ids(
    given: MaskLike, size: tuple[int, int] | None
) -> tuple[NDArray[np.uint8], list[int]]:
    labels = labels_of(given)
    if size is not None and labels.shape != size:
        raise MaskError(
            f"the mask is {labels.shape[1]}x{labels.shape[0]}, the frame {size[1]}x{size[0]}: "
            "give a mask of the frame's size"
        )
    return labels, list(ids_in(labels))
