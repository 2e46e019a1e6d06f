"""Weights, device and resolution in one object: the front door of the library."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from copy import copy as copied
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from ddeal_core.choices import DeviceName, Precision
from ddeal_core.errors import InputError, MaskError
from ddeal_core.inference.network import InferenceNetwork, for_inference
from ddeal_core.inference.replay import CudaGraphs
from ddeal_core.media.identity import sha256_of_array, sha256_of_file
from ddeal_core.media.masks.mask_images import MaskLike, labels_by_frame
from ddeal_core.network.config import Ablation, NetworkConfig
from ddeal_core.network.ddeal import Ddeal
from ddeal_core.settings import Range, check_value
from ddeal_core.tracking.look_ahead import encoded
from ddeal_core.tracking.result import Result
from ddeal_core.tracking.tracker import Tracker
from ddeal_core.weights.blank import blank_network
from ddeal_core.weights.bundled import BUNDLED
from ddeal_core.weights.files import load_checkpoint

_DTYPES: dict[Precision, torch.dtype] = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}


def resolve_device(name: DeviceName) -> torch.device:
    """Turn a name into a device that is there; "auto" takes a GPU where there is one.

    Raises:
        InputError: The device is not on this machine.
    """
    available = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if name == "auto":
        return torch.device(next(device for device, there in available.items() if there))
    if name not in available:
        raise InputError(f"no device {name!r}: choose auto, {', '.join(available)}")
    if not available[name]:
        raise InputError(
            f"this machine has no {name} device that torch can use: auto takes what there is"
        )
    return torch.device(name)


class Segmenter:
    """Cuts objects out of videos, given their masks on the frame on which they begin.

        segmenter = Segmenter.load()
        for result in segmenter.track(frames, first_mask):
            result.labels, result.probabilities

    A segmenter holds nothing of a video: `track` may be called again and again.

    Attributes:
        weights_checksum: SHA-256 of the weights file, or of the tensors of a network without one.

    Args:
        network: Its device is where it computes. What runs is made of it by `for_inference`.
        resolution: Pixels that the frame's short side is scaled to for the network, to twice its
            size at most; "native" leaves frames as they are, None takes what the network was made
            for.
        precision: Of the convolutions; cosines are always float32.
        look_ahead: Frames of a video that the backbone takes as one batch, which then wait in
            memory; live frames come one by one all the same. A GPU gains from some 4; a CPU gains
            nothing to speak of (docs/speed.md). Other kernels may run for another batch, so that
            results can differ in the last digits; hence 1 unless you ask for more.
        cuda_graphs: Launch all of a frame's kernels at once, on an NVIDIA GPU: a fast one waits for
            Python otherwise. Each new number of objects, and each size of the memory, is recorded
            first, which takes a few frames' time. Not yet measured on a GPU; hence off unless you
            ask for it.
        weights_checksum: What manifests shall name the weights by; worked out if None.
        keep_cues: Give each result its `cues`. They are read when asked for; until then a result
            keeps the network's tensors of its frame.
        copy: Compute with a copy of `network`. False saves the copy's time and memory, and leaves
            `network` in evaluation mode and in the memory format channels_last.

    Raises:
        InputError: The resolution or the look-ahead is too small, or no number; or CUDA graphs are
            wanted on another device.
    """

    def __init__(
        self,
        network: Ddeal,
        *,
        resolution: int | Literal["native"] | None = None,
        precision: Precision = "float32",
        look_ahead: int = 1,
        cuda_graphs: bool = False,
        weights_checksum: str | None = None,
        keep_cues: bool = False,
        copy: bool = True,
    ) -> None:
        if precision not in _DTYPES:
            raise InputError(f"precision is one of {', '.join(_DTYPES)}, not {precision!r}")
        check_value("look_ahead", look_ahead, Annotated[int, Range(1, 1024)])
        if cuda_graphs and network.device.type != "cuda":
            raise InputError(
                f"CUDA graphs are for NVIDIA GPUs, the network is on {network.device.type}"
            )
        self.look_ahead = look_ahead
        self.cuda_graphs = cuda_graphs
        self.precision: Precision = precision
        self.weights_checksum = weights_checksum or _checksum(network)
        self.keep_cues = keep_cues
        if not isinstance(network, InferenceNetwork):
            # Images come as packed RGB; convolutions on the CPU want them that way too.
            network = deepcopy(network) if copy else network
            network = network.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._network = for_inference(
            network,
            precision=_DTYPES[precision],
            record=CudaGraphs(network.device) if cuda_graphs else None,
        )
        if resolution is None:
            self._short_side = network.config.tracker.short_side
        elif resolution == "native":
            self._short_side = None
        elif not isinstance(resolution, int):
            raise InputError(f"resolution is a number of pixels or 'native', not {resolution!r}")
        else:
            self._short_side = resolution
        self.tracker()  # complains about the resolution now, not on the first frame

    @classmethod
    def load(
        cls,
        weights: str | Path | None = None,
        *,
        device: DeviceName = "auto",
        resolution: int | Literal["native"] | None = None,
        precision: Precision = "float32",
        look_ahead: int = 1,
        cuda_graphs: bool = False,
        ablation: Ablation | None = None,
        keep_cues: bool = False,
    ) -> "Segmenter":
        """Load weights; the network's configuration comes with them.

        `weights` is a file that `ddeal train` or `ddeal weights convert` wrote, or None for the
        bundled ones; `ablation` are cues to switch off (Table V), None for what the weights say.
        All else is as the class takes it.

        Raises:
            WeightsError: The file is missing, damaged, or of another kind.
            InputError: The device is not there, or the resolution is too small.
        """
        target = resolve_device(device)
        path = Path(weights) if weights is not None else BUNDLED
        checkpoint = load_checkpoint(path)
        config = checkpoint.config
        if ablation is not None:
            config = replace(config, ablation=ablation)
        network = blank_network(config)
        network.load_state_dict(checkpoint.state)
        return cls(
            network.to(target),
            resolution=resolution,
            precision=precision,
            look_ahead=look_ahead,
            cuda_graphs=cuda_graphs,
            weights_checksum=sha256_of_file(path),
            keep_cues=keep_cues,
            copy=False,
        )

    @property
    def config(self) -> NetworkConfig:
        """Configuration of the network."""
        return self._network.config

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return self._network.device

    @property
    def resolution(self) -> int | Literal["native"]:
        """Pixels that a frame's short side is scaled to at most, or "native"."""
        return "native" if self._short_side is None else self._short_side

    def tracker(self) -> Tracker:
        """A tracker for one video that is fed by hand, for live input."""
        return Tracker(
            self._network,
            short_side=self._short_side,
            precision=_DTYPES[self.precision],
            keep_cues=self.keep_cues,
        )

    def track(
        self, frames: Iterable[NDArray[np.uint8]], masks: MaskLike | Mapping[int, MaskLike]
    ) -> Iterator[Result]:
        """Segment a video, frame by frame, as the frames come (`look_ahead` at a time).

        Args:
            frames: ``[H, W, 3]`` uint8 RGB each, of one size.
            masks: ``[H, W]`` integer label map of the first frame, ids 1 to 254; or label maps
                by frame index, for objects that come in later or are corrected.

        Yields:
            One result a frame, of the frame's own size.

        Raises:
            MaskError: A mask has no object, or does not fit its frame; or a mask is given for a
                frame that the video does not have.
            InputError: A frame has another type or size than the first.
        """
        given = labels_by_frame(masks if isinstance(masks, Mapping) else {0: masks})
        if min(given) < 0:
            raise MaskError(f"a mask is given for frame {min(given)}: frames are counted from 0")
        tracker = self.tracker()
        index = -1
        if self.look_ahead > 1:  # the caller may fill one array anew for every frame
            frames = map(copied, frames)
        pairs = encoded(
            tracker, frames, lambda frame: frame, count=self.look_ahead, skip=min(given)
        )
        for index, (frame, encoding) in enumerate(pairs):
            yield tracker.step(frame, given.pop(index, None), encoding)
        if given:
            late = ", ".join(str(i) for i in sorted(given))
            raise MaskError(
                f"there is a mask for frame {late}, but the video has {index + 1} frames"
            )


def _checksum(network: Ddeal) -> str:
    entries = {
        name: sha256_of_array(tensor.detach().float().cpu().numpy())
        for name, tensor in network.state_dict().items()
    }
    record = json.dumps([network.config.to_dict(), entries], sort_keys=True)
    return hashlib.sha256(record.encode()).hexdigest()
