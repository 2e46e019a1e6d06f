"""The network cut into graphs with explicit state, whose inputs and outputs have names.

Tensors keep their place and channels: ``[1, C, h, w]`` at stride 16, ``[1, C, 2h, 2w]`` at stride
8, ``[1, K, ...]`` where they belong to K objects; remembered positions are a dimension of any
length. What a graph gives under the name ``new_x`` is what the next one takes as ``x``.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ddeal_core.network.ddeal import Ddeal
from ddeal_core.network.dense.matching import SAME_SHARE
from ddeal_core.network.dense.memory import UNKNOWN, Memory
from ddeal_core.network.directional import DirectionalFeatures
from ddeal_core.network.state import FrameEncoding, ObjectState, Reference
from ddeal_core.tracking.merging import soft_aggregation

Named = dict[str, Tensor]
_COARSEST = 8  # positions from one to the next on the coarsest grid of `DenseMatching.distinct`


def graphs_of(network: Ddeal) -> list[Graph]:
    """The graphs of a network in evaluation mode, in the order in which they are needed."""
    traced, config = _TracedNetwork(network), network.config

    def dense(*names: str) -> tuple[str, ...]:
        return names if traced.dense_matching is not None else ()

    fine = dense("masks") or (("masks",) if config.recurrence == "fine" else ())
    coarse = ("coarse",) if config.recurrence == "coarse" else ()
    memory = ("memory_keys", "memory_log_masks") if config.memory_frames else ()
    encoder = Graph(
        "encoder",
        traced,
        _encode,
        ("image",),
        ("s16", "matching", "appearance", "propagation", "skip8", "skip4", *dense("dense")),
    )
    start = Graph(
        "start",
        traced,
        _start,
        ("s16", "matching", "appearance", *dense("dense"), "masks"),
        (
            *("new_first_matching", "new_first_masks", "new_means"),
            *("new_first_propagation", "new_last_masks"),
            *dense("new_first_keys", "new_first_log_masks"),
            *dense("new_last_dense", "new_last_log_masks"),
        ),
    )
    step = Graph(
        "step",
        traced,
        _step,
        (
            *("matching", "appearance", "propagation", "skip8", "skip4", *dense("dense")),
            *("first_matching", "first_masks", "means", "first_propagation", "last_masks"),
            *dense("first_keys", "first_log_masks", "last_dense", "last_log_masks"),
            *memory,
        ),
        ("probabilities", "log_odds", "coarse", *dense("scores")),
    )
    update = Graph(
        "update",
        traced,
        _update,
        ("appearance", *dense("dense"), "means", *coarse, *fine),
        ("new_means", "new_last_masks", *dense("new_last_dense", "new_last_log_masks")),
    )
    if not memory:
        return [encoder, start, step, update]
    inputs, outputs = ("dense", "last_log_masks", "scores"), tuple(f"new_{name}" for name in memory)
    return [encoder, start, step, update, Graph("remember", traced, _remember, inputs, outputs)]


class Graph(nn.Module):
    """One graph: takes tensors in the order of `inputs`, gives those of `outputs`."""

    def __init__(
        self,
        name: str,
        network: Ddeal,
        compute: Callable[[Ddeal, Named], Named],
        inputs: tuple[str, ...],
        outputs: tuple[str, ...],
    ) -> None:
        super().__init__()
        self.name, self.inputs, self.outputs = name, inputs, outputs
        self.network = network
        self._compute = compute

    def forward(self, *given: Tensor) -> tuple[Tensor, ...]:
        """Compute."""
        found = self._compute(self.network, dict(zip(self.inputs, given, strict=True)))
        return tuple(found[name] for name in self.outputs)

    @staticmethod
    def axes(name: str) -> dict[int, str]:
        """Names of the free dimensions of an input or output."""
        return _AXES.get(name.removeprefix("new_"), {})


_STRIDE_16 = {2: "height/16", 3: "width/16"}
_STRIDE_8 = {2: "height/8", 3: "width/8"}
_MAPS_16 = {1: "objects", 3: "height/16", 4: "width/16"}
_MAPS_8 = {1: "objects", 3: "height/8", 4: "width/8"}
_AXES: dict[str, dict[int, str]] = {
    "image": {0: "height", 1: "width"},
    "masks": {1: "objects", 2: "height", 3: "width"},
    "log_odds": {1: "objects", 2: "height", 3: "width"},
    "probabilities": {1: "1+objects", 2: "height", 3: "width"},
    "skip4": {2: "height/4", 3: "width/4"},
    "means": {1: "objects"},
    "first_keys": {2: "first positions"},
    "first_log_masks": {1: "objects", 3: "first positions"},
    "memory_keys": {2: "positions"},
    "memory_log_masks": {1: "objects", 3: "positions"},
    **dict.fromkeys(("s16", "matching", "appearance", "propagation"), _STRIDE_16),
    **dict.fromkeys(("skip8", "dense", "last_dense"), _STRIDE_8),
    "first_matching": _STRIDE_16,
    **dict.fromkeys(("first_masks", "first_propagation", "last_masks", "coarse"), _MAPS_16),
    **dict.fromkeys(("last_log_masks", "scores"), _MAPS_8),
}


class _TracedNetwork(Ddeal):
    """A network without what cannot be traced: autocast, and loops over what was found."""

    def __init__(self, network: Ddeal) -> None:
        with torch.device("meta"):
            super().__init__(network.config)
        self.load_state_dict(network.state_dict(), assign=True)
        self._mean, self._std = network._mean, network._std
        self.eval().requires_grad_(False)

    def _float32(self) -> AbstractContextManager[object]:
        return nullcontext()

    def _kept(
        self, keys: Tensor, log_masks: Tensor, scores: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """As `Ddeal._kept`, of one video, with `DenseMatching.distinct` grid by grid."""
        assert self.dense_matching is not None
        similarity = self.config.memory_similarity
        if similarity == 1:
            return keys.flatten(2), log_masks
        size = keys.shape[2:]
        if scores is None:
            wanted = torch.ones(size, dtype=torch.bool)
        else:
            wanted = _on_grid(self.dense_matching.novel(scores, log_masks, similarity)[0], size)
        shares = _on_grid(log_masks[0, :, 1].exp(), size)
        coarse = wanted[::_COARSEST, ::_COARSEST]
        for step in (_COARSEST // 2, _COARSEST // 4, 1):
            coarse = _finer(keys[0], shares, wanted, coarse, step, similarity)
        places = coarse.flatten().nonzero()[:, 0]
        return keys.flatten(2)[:, :, places], log_masks[..., places]


def _finer(
    keys: Tensor, shares: Tensor, wanted: Tensor, kept: Tensor, step: int, similarity: float
) -> Tensor:
    """Which positions of a grid are kept, given those kept of the grid of twice the step."""
    fine, coarse = (
        (keys[:, ::each, ::each].flatten(1), shares[:, ::each, ::each].flatten(1))
        for each in (step, 2 * step)
    )
    alike = fine[0].T @ coarse[0] >= similarity
    shares_alike = ((fine[1][:, :, None] - coarse[1][:, None]).abs() <= SAME_SHARE).all(0)
    alike = alike & shares_alike & kept.flatten()
    wanted = wanted[::step, ::step]
    new = wanted & ~_on_grid(alike.any(1), wanted.shape)
    y, x = (torch.arange(side) for side in wanted.shape)
    y = y[:, None].expand(wanted.shape)
    x = x[None].expand(wanted.shape)
    is_coarse = (y % 2 == 0) & (x % 2 == 0)
    return (is_coarse & kept[y // 2, x // 2]) | (~is_coarse & new)  # runtimes select no booleans


def _on_grid(x: Tensor, size: torch.Size) -> Tensor:
    """Give the last dimension, positions, its rows and columns back."""
    return x.reshape(*x.shape[:-1], *size)


def _encoding(given: Named) -> FrameEncoding:
    """What there is of a frame's encoding; what is missing is not needed."""
    nothing = torch.empty(0)
    return FrameEncoding(
        s16=given.get("s16", given.get("propagation", nothing)),
        matching=given["matching"].flatten(2) if "matching" in given else nothing,
        appearance=DirectionalFeatures.of(given["appearance"]),
        propagation=given.get("propagation", nothing),
        skips=(given.get("skip8", nothing), given.get("skip4", nothing)),
        dense=given.get("dense"),
    )


def _encode(network: Ddeal, given: Named) -> Named:
    """What depends on ``image [H, W, 3]`` uint8 RGB alone, its sides multiples of 16."""
    image = given["image"].permute(2, 0, 1)[None].float() / 255
    encoding = network.encode(image)
    grid = encoding.s16.shape[2:]
    found = {
        "s16": encoding.s16,
        "matching": _on_grid(encoding.matching, grid),
        "appearance": _on_grid(encoding.appearance.raw, grid),
        "propagation": encoding.propagation,
        "skip8": encoding.skips[0],
        "skip4": encoding.skips[1],
    }
    return found if encoding.dense is None else {**found, "dense": encoding.dense}


def _start(network: Ddeal, given: Named) -> Named:
    """The state of objects on the frame on which they are given.

    Takes its encoding and ``masks [1, K, H, W]``, 1 on the object and 0 elsewhere.
    """
    state = network.start(_encoding(given), given["masks"])
    (reference,) = state.references
    found = {
        "new_first_matching": given["matching"],
        "new_first_masks": state.last_masks,
        "new_means": state.mean_directions,
        "new_first_propagation": state.propagation_first,
        "new_last_masks": state.last_masks,
    }
    last = state.last_dense_log_masks
    if reference.dense_keys is not None and reference.dense_log_masks is not None:
        assert last is not None
        found |= {
            "new_first_keys": reference.dense_keys,
            "new_first_log_masks": reference.dense_log_masks,
            "new_last_dense": given["dense"],
            "new_last_log_masks": _on_grid(last, given["dense"].shape[2:]),
        }
    return found


def _step(network: Ddeal, given: Named) -> Named:
    """Where the objects are in the next frame: takes its encoding and a state."""
    encoding = _encoding(given)
    keys = log_masks = last_log_masks = memory = None
    if network.dense_matching is not None:
        keys, log_masks = given["first_keys"], given["first_log_masks"]
        last_log_masks = given["last_log_masks"].flatten(3)
    if "memory_keys" in given:  # never empty, so that there is a maximum
        memory_keys = F.pad(given["memory_keys"], (0, 1))
        memory_log_masks = F.pad(given["memory_log_masks"], (0, 1), value=UNKNOWN)
        memory = Memory.of(memory_keys, memory_log_masks, interval=1)
    reference = Reference(
        given["first_matching"].flatten(2), given["first_masks"].flatten(3), keys, log_masks
    )
    state = ObjectState(
        references=(reference,),
        mean_directions=given["means"],
        propagation_first=given["first_propagation"],
        last_masks=given["last_masks"],
        last_dense_keys=given.get("last_dense"),
        last_dense_log_masks=last_log_masks,
        memory=memory,
    )
    prediction = network.segment(encoding, state)
    found = {
        "probabilities": soft_aggregation(prediction.log_odds),
        "log_odds": prediction.log_odds,
        "coarse": prediction.coarse,
    }
    if prediction.cues.dense is not None:
        found["scores"] = prediction.cues.dense
    return found


def _update(network: Ddeal, given: Named) -> Named:
    """The state after a frame.

    Takes its encoding, a state, and ``masks [1, K, H, W]``, the objects' probabilities.
    """
    appearance = DirectionalFeatures.of(given["appearance"])
    masks = given.get("masks", torch.empty(0))
    coarse = given.get("coarse", masks)
    means, last, log_masks = network.follow(appearance, given["means"], coarse, masks)
    found = {"new_means": means, "new_last_masks": last}
    if log_masks is not None:
        found["new_last_dense"] = given["dense"]
        found["new_last_log_masks"] = _on_grid(log_masks, given["dense"].shape[2:])
    return found


def _remember(network: Ddeal, given: Named) -> Named:
    """What of a frame is worth remembering.

    Takes its encoding, its log-masks after the update, and its scores.
    """
    log_masks = given["last_log_masks"].flatten(3)
    keys, kept = network._kept(given["dense"], log_masks, given["scores"])
    return {"new_memory_keys": keys, "new_memory_log_masks": kept}
