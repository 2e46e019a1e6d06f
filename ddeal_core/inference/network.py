"""The network as it runs when nothing is learnt: the same answers, nothing computed twice.

Batch norms are folded into the convolutions before them, these take the ReLU and the shortcut
along, and the 1 x 1 projections at stride 16 are one product. Answers agree with those of the
network it is made of to the rounding of float32.
"""

import copy
import weakref
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn

from ddeal_core.inference.folding import fold_backbone, fused_or_winograd
from ddeal_core.inference.replay import Record, Replayed
from ddeal_core.network.backbone import Backbone
from ddeal_core.network.config import Ablation
from ddeal_core.network.convolution import ConcatConv2d
from ddeal_core.network.ddeal import Ddeal
from ddeal_core.network.dense.memory import Memory, pad_to_bucket
from ddeal_core.network.directional import DirectionalFeatures
from ddeal_core.network.state import FrameEncoding, ObjectState, Prediction, Projections, Reference
from ddeal_core.network.upsampling import Upsampling
from ddeal_core.operators.fused_convolution import FusedConv2d

T = TypeVar("T")


def for_inference(
    network: Ddeal, *, precision: torch.dtype = torch.float32, record: Record | None = None
) -> Ddeal:
    """Make a network for inference of one that was trained; the latter stays as it is.

    Args:
        network: In evaluation mode, on the device that shall compute. Its weights are shared where
            they stay as they are: to train on, make a new one afterwards.
        precision: In which autocast will compute, if not in float32: weights are brought to it
            once, instead of once a frame.
        record: Records what is done for a frame, for it to be replayed; see `ReplayedNetwork`.

    Returns:
        A network that answers the same. It has no gradient, and its state dict is not for
        checkpoints. One that is for inference already is returned as it is.

    Raises:
        ValueError: One that is for inference already shall be recorded.
    """
    if isinstance(network, InferenceNetwork):
        if record is not None:
            raise ValueError("record what a network does when making it for inference")
        return network
    if record is None:
        return InferenceNetwork(network, precision)
    return ReplayedNetwork(network, precision, record)


class InferenceNetwork(Ddeal):
    """See `for_inference`."""

    def __init__(self, network: Ddeal, precision: torch.dtype = torch.float32) -> None:
        nn.Module.__init__(self)
        # Modules are made anew, tensors are shared, and the backbone is another one, if it can be
        # folded.
        folded = fold_backbone(network.backbone)
        memo: dict[int, Any] = {}
        if folded is not network.backbone:
            memo[id(network.backbone)] = folded
        memo |= {id(p): nn.Parameter(p.detach(), False) for p in network.parameters()}
        memo |= {id(b): b.detach() for b in network.buffers()}
        self.__dict__.update(copy.deepcopy(network, memo).__dict__)
        self.eval().requires_grad_(False)
        self._sizes = [
            network.matching.conv.out_channels,
            network.appearance.embedding.conv.out_channels,
            network.propagation.conv_in.weight.shape[0],
        ]
        weights = [
            (network.matching.conv.weight, network.matching.conv.bias),
            (network.appearance.embedding.conv.weight, network.appearance.embedding.conv.bias),
            network.propagation.conv_in.part(0),
        ]
        if network.dense_matching is not None:
            context = network.dense_matching.project_s16
            self._sizes.append(context.out_channels)
            weights.append((context.weight, context.bias))
        self._projection = FusedConv2d(
            torch.cat([weight for weight, _ in weights]),
            torch.cat([bias for _, bias in weights if bias is not None]),
        )
        _replace_convolutions(self)
        self.upsampling = _ObjectByObject(self.upsampling)
        for name, module in self.named_modules():
            in_backbone = name.split(".")[0] == "backbone"
            if isinstance(module, FusedConv2d) and (network.backbone.autocasts or not in_backbone):
                module.to(precision)

    def project(self, s16: Tensor) -> Projections:
        """All projections as one product."""
        matching, appearance, propagation, *context = self._projection(s16).split(
            self._sizes, dim=1
        )
        return Projections(matching, appearance, propagation, context[0] if context else None)


class _ObjectByObject(Upsampling):
    """The up-sampling path, which a CPU takes with one object after the other.

    What one object needs stays in a processor's cache; a batch of them would not.
    """

    def __init__(self, path: Upsampling) -> None:
        nn.Module.__init__(self)
        self.__dict__.update(path.__dict__)

    def forward(
        self, fused: Tensor, skips: tuple[Tensor, Tensor], *, extra_s8: Tensor | None = None
    ) -> Tensor:
        """As `Upsampling.forward`."""
        if len(fused) == 1 or fused.device.type != "cpu":
            return super().forward(fused, skips, extra_s8=extra_s8)
        objects = len(fused) // len(skips[0])
        maps = []
        for i in range(len(fused)):
            one, frame = slice(i, i + 1), slice(i // objects, i // objects + 1)
            extra = None if extra_s8 is None else extra_s8[one]
            skip = (skips[0][frame], skips[1][frame])
            maps.append(super().forward(fused[one], skip, extra_s8=extra))
        return torch.cat(maps)


class ReplayedNetwork(InferenceNetwork):
    """What it does for every frame is recorded once for each shape, and replayed.

    Shapes change when objects come or go, and as the memory grows: what is remembered is padded
    to one of few sizes.
    """

    def __init__(self, network: Ddeal, precision: torch.dtype, record: Record) -> None:
        super().__init__(network, precision)
        # Not in a cycle: recordings hold much memory, and go when the network goes.
        me: Any = weakref.proxy(self)
        self._encode = Replayed(partial(InferenceNetwork.encode, me), record)
        self._segment = Replayed(partial(InferenceNetwork.segment, me), record)
        self._follow = Replayed(partial(InferenceNetwork.follow, me), record)
        self._memory = _LastAnswer(_padded_memory)
        self._references = _LastAnswer(_padded_references)

    def encode(self, images: Tensor) -> FrameEncoding:
        """As `Ddeal.encode`."""
        return self._encode(images)

    def segment(
        self, encoding: FrameEncoding, state: ObjectState, *, ablation: Ablation | None = None
    ) -> Prediction:
        """As `Ddeal.segment`."""
        state = replace(
            state,
            references=self._references(state.references),
            memory=self._memory(state.memory),
            age=0,  # `segment` does not look at it, and each age would be recorded anew
        )
        return self._segment(encoding, state, ablation=ablation)

    def follow(
        self, appearance: DirectionalFeatures, means: Tensor, coarse: Tensor, merged: Tensor
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """As `Ddeal.follow`."""
        return self._follow(appearance, means, coarse, merged)

    def forget(self) -> None:
        """Give up all recordings, and their memory."""
        for replayed in (self._encode, self._segment, self._follow):
            replayed.forget()


class _LastAnswer(Generic[T]):
    """A function that remembers its last argument and what it gave."""

    def __init__(self, function: Callable[[T], T]) -> None:
        self._function = function
        self._last: tuple[T, T] | None = None

    def __call__(self, given: T) -> T:
        last = self._last
        if last is None or last[0] is not given:
            last = self._last = given, self._function(given)
        return last[1]


def _padded_memory(memory: Memory | None) -> Memory | None:
    return None if memory is None or memory.is_empty else memory.padded_to_bucket()


def _padded_references(references: tuple[Reference, ...]) -> tuple[Reference, ...]:
    found = []
    for reference in references:
        keys, log_masks = reference.dense_keys, reference.dense_log_masks
        if keys is not None and log_masks is not None:
            keys, log_masks = pad_to_bucket(keys.flatten(2), log_masks)
        found.append(replace(reference, dense_keys=keys, dense_log_masks=log_masks))
    return tuple(found)


def _replace_convolutions(module: nn.Module) -> None:
    for name, child in module.named_children():
        if isinstance(child, ConcatConv2d):
            setattr(module, name, _SplitConv2d(child))
        elif isinstance(child, nn.Conv2d):
            setattr(module, name, fused_or_winograd(child, None, activation="none"))
        elif not isinstance(child, Backbone):
            _replace_convolutions(child)


class _SplitConv2d(nn.Module):
    """A `ConcatConv2d` whose parts were cut once."""

    def __init__(self, conv: ConcatConv2d) -> None:
        super().__init__()
        padding = (conv.padding, conv.padding)
        self.parts = nn.ModuleList(
            FusedConv2d(*conv.part(part), padding=padding) for part in range(conv.parts)
        )

    def forward(self, x: Tensor, *, part: int) -> Tensor:
        """Convolve one part."""
        return self.parts[part](x)  # type: ignore[no-any-return]
